// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The driver's functions. Handles are numbers that are never used again.

#include "FakeCuda.h"
#include "CudaTypes.h"
#include "FakeCudaStream.h"
#include "QDialect/PTX/Emulator.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <mutex>
#include <set>
#include <vector>

using namespace fake;
using namespace qdialect;

namespace {

struct LoadedModule {
  std::unique_ptr<ptx::Emulator> emulator; // null: a cubin
  std::string symbols;                     // of a cubin
};

struct LoadedFunction {
  uint64_t module = 0;
  std::string name;
  uint64_t sharedLimit = 48 << 10;
};

struct Driver : FakeCuda {
  Driver();
  ~Driver();
  CUresult begin(const char *name, bool needsContext = true);
  CUresult mistake(const std::string &text, CUresult code);
  /// The object of a handle; null (a mistake) for one that is not there.
  template <typename T>
  T *find(std::map<uint64_t, T> &objects, const void *handle,
          const char *kind) {
    auto entry = objects.find(reinterpret_cast<uint64_t>(handle));
    if (entry != objects.end())
      return &entry->second;
    mistake(std::string("unknown ") + kind, CUDA_ERROR_INVALID_HANDLE);
    return nullptr;
  }
  template <typename T, typename Handle>
  T &add(std::map<uint64_t, T> &objects, Handle *handle, const char *kind) {
    *handle = reinterpret_cast<Handle>(++lastHandle);
    ++alive[kind];
    return objects[lastHandle];
  }
  template <typename T>
  CUresult remove(std::map<uint64_t, T> &objects, const void *handle,
                  const char *kind) {
    if (!find(objects, handle, kind))
      return CUDA_ERROR_INVALID_HANDLE;
    objects.erase(reinterpret_cast<uint64_t>(handle));
    --alive[kind];
    return late;
  }
  void finishAll();
  bool isRecording() const;

  std::mutex mutex;
  bool isInitialized = false, report = false;
  /// Of a freeing function that failCall chose.
  CUresult late = CUDA_SUCCESS;
  uint64_t lastHandle = 0x1000;
  uint64_t retained = 0, contextHandle = 0;
  std::unique_ptr<ptx::Emulator> memory;
  std::set<uint64_t> allocations;
  std::map<uint64_t, Stream> streams;
  std::map<uint64_t, LoadedModule> modules;
  std::map<uint64_t, LoadedFunction> functions;
  std::map<uint64_t, std::vector<Work>> graphs, executables;
};

thread_local std::vector<uint64_t> contexts; // those pushed

Driver &driver() {
  static Driver instance;
  return instance;
}

Driver::Driver() {
  ptx::Diagnostic why;
  memory = ptx::Emulator::create(
      ".version 8.0\n.target sm_80\n.address_size 64\n", why);
  const char *settings = getenv("FAKE_CUDA");
  std::string rest = settings ? settings : "";
  while (!rest.empty()) {
    std::string word = rest.substr(0, rest.find(','));
    rest.erase(0, word.size() + 1);
    if (word.rfind("capability=", 0) == 0)
      capability = atoi(word.c_str() + strlen("capability="));
    if (word.rfind("fail=", 0) == 0)
      failFunction = word.substr(strlen("fail="));
    takesBinaries |= word == "binaries";
    hasDevice &= word != "no-device";
    report |= word == "report";
  }
}

Driver::~Driver() {
  if (!report)
    return;
  fprintf(stderr, "fake CUDA: %llu calls, %lld left alive, %llu mistakes %s\n",
          static_cast<unsigned long long>(calls),
          static_cast<long long>(leaks()),
          static_cast<unsigned long long>(mistakes), firstMistake.c_str());
  for (const auto &[name, count] : callsOf)
    fprintf(stderr, "fake CUDA: %s %llu\n", name.c_str(),
            static_cast<unsigned long long>(count));
}

CUresult Driver::mistake(const std::string &text, CUresult code) {
  if (!mistakes++)
    firstMistake = text;
  return code;
}

bool isFreeing(const std::string &name) {
  for (const char *part :
       {"Free", "Unload", "Destroy", "Pop", "Release", "EndCapture"})
    if (name.find(part) != std::string::npos)
      return true;
  return false;
}

CUresult Driver::begin(const char *name, bool needsContext) {
  ++calls;
  ++callsOf[name];
  late = CUDA_SUCCESS;
  if ((failCall && --failCall == 0) || failFunction == name) {
    failFunction.clear();
    failed = name;
    if (!isFreeing(name))
      return CUDA_ERROR_UNKNOWN;
    late = CUDA_ERROR_UNKNOWN;
  }
  if (!isInitialized)
    return mistake(std::string(name) + " before cuInit",
                   CUDA_ERROR_NOT_INITIALIZED);
  if (needsContext && contexts.empty())
    return mistake(std::string(name) + " without a context",
                   CUDA_ERROR_INVALID_CONTEXT);
  return CUDA_SUCCESS;
}

void Driver::finishAll() {
  for (auto &entry : streams)
    entry.second.finish();
}

bool Driver::isRecording() const {
  return std::any_of(streams.begin(), streams.end(), [](const auto &entry) {
    return entry.second.isRecording();
  });
}

/// The name of a kernel is looked for in all of a cubin's bytes.
bool readBinary(const void *image, std::string &bytes) {
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof(header));
  constexpr int kMachineCuda = 190;
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_machine != kMachineCuda)
    return false;
  uint64_t size = header.e_shoff + header.e_shnum * header.e_shentsize;
  bytes.assign(static_cast<const char *>(image), size);
  return true;
}

void writeLog(unsigned count, const CUjit_option *options, void **values,
              const std::string &text) {
  char *log = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      size = reinterpret_cast<size_t>(values[i]);
  }
  if (log && size)
    snprintf(log, size, "%s", text.c_str());
}

/// Runs a kernel now; what a checker finds is a mistake and a failed launch.
int runKernel(LoadedModule &module, const std::string &name,
              const ptx::LaunchConfig &config) {
  Driver &d = driver();
  ++d.launches;
  if (!module.emulator) {
    ++d.binaryLaunches;
    return CUDA_SUCCESS;
  }
  ptx::LaunchResult result;
  ptx::Diagnostic why;
  if (!module.emulator->launch(name, config, result, why))
    return d.mistake("kernel " + name + ": " + why.message,
                     CUDA_ERROR_LAUNCH_FAILED);
  if (!result.findings.empty())
    return d.mistake("kernel " + name + ": " + result.findings[0].message,
                     CUDA_ERROR_LAUNCH_FAILED);
  return CUDA_SUCCESS;
}

} // namespace

FakeCuda *fakeCuda() { return &driver(); }

/// Every function: one at a time, counted, refused where it may not be called.
#define BEGIN(...)                                                             \
  Driver &d = driver();                                                        \
  std::lock_guard<std::mutex> lock(d.mutex);                                   \
  if (CUresult code = d.begin(__VA_ARGS__))                                    \
  return code
#define OBJECT(name, objects, handle, kind)                                    \
  auto *name = d.find(objects, handle, kind);                                  \
  if (!name)                                                                   \
  return CUDA_ERROR_INVALID_HANDLE

#pragma GCC visibility push(default)
extern "C" {

CUresult cuInit(unsigned) {
  Driver &d = driver();
  std::lock_guard<std::mutex> lock(d.mutex);
  d.isInitialized = true;
  if (CUresult code = d.begin("cuInit", false))
    return code;
  return d.hasDevice ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult cuGetErrorName(CUresult code, const char **name) {
  static const std::map<int, const char *> names = {
      {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
      {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
      {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
      {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX"},
      {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
      {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
      {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
       "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
      {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN"}};
  auto entry = names.find(code);
  *name = entry == names.end() ? nullptr : entry->second;
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  BEGIN("cuDeviceGet", false);
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                              CUdevice) {
  BEGIN("cuDeviceGetAttribute", false);
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
               ? d.capability / 10
               : d.capability % 10;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  BEGIN("cuDevicePrimaryCtxRetain", false);
  if (!d.retained++)
    d.contextHandle = ++d.lastHandle;
  ++d.alive["context"];
  *context = reinterpret_cast<CUcontext>(d.contextHandle);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  BEGIN("cuDevicePrimaryCtxRelease", false);
  if (!d.retained)
    return d.mistake("a context is released that nobody retains",
                     CUDA_ERROR_INVALID_CONTEXT);
  --d.retained;
  --d.alive["context"];
  return d.late;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  BEGIN("cuCtxPushCurrent", false);
  if (!d.retained || reinterpret_cast<uint64_t>(context) != d.contextHandle)
    return d.mistake("a context that is not retained",
                     CUDA_ERROR_INVALID_CONTEXT);
  contexts.push_back(d.contextHandle);
  ++d.alive["pushed context"];
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  BEGIN("cuCtxPopCurrent");
  *context = reinterpret_cast<CUcontext>(contexts.back());
  contexts.pop_back();
  --d.alive["pushed context"];
  return d.late;
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  BEGIN("cuStreamCreate");
  d.add(d.streams, stream, "stream");
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  BEGIN("cuStreamDestroy");
  return d.remove(d.streams, stream, "stream");
}

CUresult cuStreamSynchronize(CUstream stream) {
  BEGIN("cuStreamSynchronize");
  OBJECT(s, d.streams, stream, "stream");
  return static_cast<CUresult>(s->synchronize());
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  BEGIN("cuMemAlloc");
  if (d.isRecording())
    return d.mistake("memory is allocated while a stream is recorded",
                     CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  if (!bytes)
    return d.mistake("no bytes are allocated", CUDA_ERROR_INVALID_VALUE);
  *address = d.memory->allocate(bytes);
  if (!*address)
    return CUDA_ERROR_OUT_OF_MEMORY;
  d.allocations.insert(*address);
  ++d.alive["allocation"];
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  BEGIN("cuMemFree");
  d.finishAll();
  if (!d.allocations.erase(address))
    return d.mistake("memory is freed that is none", CUDA_ERROR_INVALID_VALUE);
  d.memory->release(address);
  --d.alive["allocation"];
  return d.late;
}

/// The source is on the stack or in pages that may move: it is read at once.
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void *source,
                              size_t bytes, CUstream stream) {
  BEGIN("cuMemcpyHtoDAsync");
  OBJECT(s, d.streams, stream, "stream");
  auto *first = static_cast<const uint8_t *>(source);
  std::vector<uint8_t> staged(first, first + bytes);
  return static_cast<CUresult>(s->add([target, staged] {
    return driver().memory->write(target, staged.data(), staged.size())
               ? CUDA_SUCCESS
               : driver().mistake("a copy outside of memory",
                                  CUDA_ERROR_INVALID_VALUE);
  }));
}

CUresult cuMemcpyDtoHAsync_v2(void *target, CUdeviceptr source, size_t bytes,
                              CUstream stream) {
  BEGIN("cuMemcpyDtoHAsync");
  OBJECT(s, d.streams, stream, "stream");
  return static_cast<CUresult>(s->add([target, source, bytes] {
    return driver().memory->read(source, target, bytes)
               ? CUDA_SUCCESS
               : driver().mistake("a copy from outside of memory",
                                  CUDA_ERROR_INVALID_VALUE);
  }));
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                            CUjit_option *options, void **values) {
  BEGIN("cuModuleLoadDataEx");
  LoadedModule loaded;
  if (readBinary(image, loaded.symbols)) {
    if (!d.takesBinaries)
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
  } else {
    ptx::Diagnostic why;
    loaded.emulator = ptx::Emulator::create(static_cast<const char *>(image),
                                            why, d.memory.get());
    if (!loaded.emulator) {
      writeLog(count, options, values,
               "line " + std::to_string(why.line) + ": " + why.message);
      return CUDA_ERROR_INVALID_PTX;
    }
    if (atoi(loaded.emulator->module().target.c_str() + strlen("sm_")) >
        d.capability)
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  d.add(d.modules, module, "module") = std::move(loaded);
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  BEGIN("cuModuleUnload");
  d.finishAll();
  return d.remove(d.modules, module, "module");
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                             const char *name) {
  BEGIN("cuModuleGetFunction");
  OBJECT(m, d.modules, module, "module");
  bool isThere = m->emulator
                     ? m->emulator->module().findFunction(name) != nullptr
                     : m->symbols.find(name) != std::string::npos;
  if (!isThere)
    return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(++d.lastHandle);
  LoadedFunction &loaded = d.functions[d.lastHandle];
  loaded.module = reinterpret_cast<uint64_t>(module);
  loaded.name = name;
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute,
                            int value) {
  BEGIN("cuFuncSetAttribute");
  OBJECT(f, d.functions, function, "function");
  constexpr int kMostShared = 227 << 10;
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ||
      value > kMostShared)
    return CUDA_ERROR_INVALID_VALUE;
  f->sharedLimit = value;
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **parameters, void **) {
  BEGIN("cuLaunchKernel");
  OBJECT(s, d.streams, stream, "stream");
  OBJECT(f, d.functions, function, "function");
  auto module = d.modules.find(f->module);
  if (module == d.modules.end())
    return d.mistake("a launch of an unloaded kernel",
                     CUDA_ERROR_INVALID_HANDLE);
  constexpr unsigned kMostThreads = 1024;
  ptx::LaunchConfig config;
  config.grid = {gridX, gridY, gridZ};
  config.block = {blockX, blockY, blockZ};
  config.sharedBytes = sharedBytes;
  if (!config.grid.count() || !config.block.count() ||
      config.block.count() > kMostThreads || sharedBytes > f->sharedLimit)
    return d.mistake("a launch of kernel " + f->name + " with impossible sizes",
                     CUDA_ERROR_INVALID_VALUE);
  if (module->second.emulator) {
    const ptx::Module &code = module->second.emulator->module();
    for (const ptx::Variable &parameter : code.findFunction(f->name)->params) {
      auto *bytes = static_cast<const uint8_t *>(*parameters++);
      config.arguments.emplace_back(bytes, bytes + parameter.size);
    }
  }
  return static_cast<CUresult>(
      s->add([loaded = &module->second, name = f->name, config] {
        return runKernel(*loaded, name, config);
      }));
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  BEGIN("cuStreamBeginCapture");
  OBJECT(s, d.streams, stream, "stream");
  return static_cast<CUresult>(s->beginRecording());
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  BEGIN("cuStreamEndCapture");
  OBJECT(s, d.streams, stream, "stream");
  std::vector<Work> recorded;
  int code = s->endRecording(recorded);
  if (d.late || code)
    return d.late ? d.late : static_cast<CUresult>(code);
  d.add(d.graphs, graph, "graph") = std::move(recorded);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                     unsigned long long) {
  BEGIN("cuGraphInstantiateWithFlags");
  OBJECT(g, d.graphs, graph, "graph");
  d.add(d.executables, executable, "executable graph") = *g;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  BEGIN("cuGraphDestroy");
  return d.remove(d.graphs, graph, "graph");
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  BEGIN("cuGraphLaunch");
  OBJECT(s, d.streams, stream, "stream");
  OBJECT(g, d.executables, executable, "executable graph");
  for (const Work &work : *g)
    if (int code = s->add(work))
      return static_cast<CUresult>(code);
  return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  BEGIN("cuGraphExecDestroy");
  d.finishAll();
  return d.remove(d.executables, executable, "executable graph");
}
}
#pragma GCC visibility pop

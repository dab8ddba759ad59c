// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One emulator a kernel, all on the memory of a first one without code.

#include "QDialect/Execution/EmulatedDevice.h"
#include "QDialect/PTX/Emulator.h"
#include "qdialect/model.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>
#include <mutex>

using namespace llvm;
using namespace qdialect;

static constexpr StringLiteral kName = "ptx-emulator";
/// Larger than every compute capability.
static constexpr int32_t kNewest = 999;

struct EmulatedDevice::Impl {
  qd_device table = {};
  unsigned threads = 1;
  std::unique_ptr<ptx::Emulator> memory;
  std::vector<StepCounters> counters;
  std::string error;
  std::mutex mutex;

  struct Kernel {
    std::string name;
    std::unique_ptr<ptx::Emulator> emulator;
  };

  int32_t fail(const Twine &message) {
    error = message.str();
    return 1;
  }
  int32_t load(const void *code, const char *name, void **function);
  int32_t launch(Kernel &kernel, StringRef step, uint64_t blocks,
                 uint32_t repeats, uint32_t threads, uint32_t sharedBytes,
                 ArrayRef<uint64_t> args);
  void count(StringRef kernel, StringRef step, const ptx::LaunchResult &result);
  void bindTable(int32_t capability);
};

int32_t EmulatedDevice::Impl::load(const void *code, const char *name,
                                   void **function) {
  ptx::Diagnostic why;
  auto kernel = std::make_unique<Kernel>();
  kernel->name = name;
  kernel->emulator =
      ptx::Emulator::create(static_cast<const char *>(code), why, memory.get());
  if (!kernel->emulator)
    return fail("kernel '" + Twine(name) + "', line " + Twine(why.line) + ": " +
                why.message);
  *function = kernel.release();
  return 0;
}

void EmulatedDevice::Impl::count(StringRef kernel, StringRef step,
                                 const ptx::LaunchResult &result) {
  auto entry = find_if(counters, [&](const StepCounters &known) {
    return known.step == step && known.kernel == kernel;
  });
  if (entry == counters.end()) {
    counters.push_back({step.str(), kernel.str(), 0, 0, 0, {}});
    entry = std::prev(counters.end());
  }
  ++entry->launches;
  entry->warpInstructions += result.steps;
  entry->matrixInstructions +=
      result.total(ptx::InstructionClass::Matrix).executed;
  entry->memory.add(result.total());
}

int32_t EmulatedDevice::Impl::launch(Kernel &kernel, StringRef step,
                                     uint64_t blocks, uint32_t repeats,
                                     uint32_t threadsOfBlock,
                                     uint32_t sharedBytes,
                                     ArrayRef<uint64_t> args) {
  ptx::LaunchConfig config;
  config.grid.x = static_cast<uint32_t>(blocks);
  config.grid.y = repeats;
  config.block.x = threadsOfBlock;
  config.sharedBytes = sharedBytes;
  config.threads = threads;
  for (uint64_t arg : args) {
    std::vector<uint8_t> bytes(sizeof(arg));
    std::memcpy(bytes.data(), &arg, sizeof(arg));
    config.arguments.push_back(std::move(bytes));
  }
  std::string where =
      ("step '" + step + "', kernel '" + kernel.name + "'").str();
  ptx::LaunchResult result;
  ptx::Diagnostic why;
  if (!kernel.emulator->launch(kernel.name, config, result, why))
    return fail(where + ", line " + Twine(why.line) + ": " + why.message);
  count(kernel.name, step, result);
  if (result.findings.empty())
    return 0;
  const ptx::Finding &first = result.findings.front();
  std::string more =
      result.findings.size() == 1
          ? ""
          : " (and " + std::to_string(result.findings.size() - 1) + " more)";
  return fail(where + ", PTX line " + Twine(first.line) + ": " +
              std::string(ptx::name(first.kind)) + ": " + first.message + more);
}

void EmulatedDevice::Impl::bindTable(int32_t capability) {
  table.struct_size = sizeof(table);
  table.capability = capability;
  table.state = this;
  table.allocate = [](void *state, uint64_t bytes, uint64_t *address) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    // Kernels may read a few bytes behind a tensor, and use none of them:
    // what lies there is not reported.
    *address = self.memory->allocate(bytes, /*initialized=*/true);
    return *address ? 0 : self.fail("no memory");
  };
  table.release = [](void *state, uint64_t address) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    self.memory->release(address);
  };
  table.write = [](void *state, uint64_t target, const void *source,
                   uint64_t bytes) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    return self.memory->write(target, source, bytes)
               ? 0
               : self.fail("a write outside of the device's memory");
  };
  table.read = [](void *state, void *target, uint64_t source, uint64_t bytes) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    return self.memory->read(source, target, bytes)
               ? 0
               : self.fail("a read outside of the device's memory");
  };
  table.load = [](void *state, const void *code, const char *kernel, uint32_t,
                  void **function) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    return self.load(code, kernel, function);
  };
  table.unload = [](void *, void *function) {
    delete static_cast<Kernel *>(function);
  };
  table.launch = [](void *state, void *function, const char *step,
                    uint64_t blocks, uint32_t repeats, uint32_t threads,
                    uint32_t sharedBytes, const uint64_t *args,
                    uint32_t numArgs) {
    auto &self = *static_cast<Impl *>(state);
    std::lock_guard<std::mutex> lock(self.mutex);
    return self.launch(*static_cast<Kernel *>(function), step, blocks, repeats,
                       threads, sharedBytes, {args, numArgs});
  };
  table.synchronize = [](void *) -> int32_t { return 0; };
  table.error = [](void *state) {
    return static_cast<Impl *>(state)->error.c_str();
  };
}

EmulatedDevice::EmulatedDevice(std::unique_ptr<Impl> impl)
    : impl(std::move(impl)) {}
EmulatedDevice::~EmulatedDevice() = default;

const qd_device *EmulatedDevice::table() const { return &impl->table; }

const std::vector<EmulatedDevice::StepCounters> &
EmulatedDevice::counters() const {
  return impl->counters;
}

Expected<std::unique_ptr<EmulatedDevice>> EmulatedDevice::create(StringRef name,
                                                                 int threads) {
  int32_t capability = kNewest;
  StringRef rest = name;
  if (!rest.consume_front(kName) ||
      (!rest.empty() &&
       (!rest.consume_front(":sm_") || rest.getAsInteger(10, capability))))
    return createStringError("unknown device '" + name +
                             "'; expected ptx-emulator or ptx-emulator:sm_80");
  auto impl = std::make_unique<Impl>();
  impl->threads = static_cast<unsigned>(threads);
  ptx::Diagnostic why;
  impl->memory = ptx::Emulator::create(
      ".version 8.0\n.target sm_80\n.address_size 64\n", why);
  if (!impl->memory)
    return createStringError("the emulator does not start: " + why.message);
  impl->bindTable(capability);
  return std::unique_ptr<EmulatedDevice>(new EmulatedDevice(std::move(impl)));
}

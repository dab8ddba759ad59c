/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The first GPU of the CUDA driver as a qd_device. The driver is opened when
 * the first instance asks for it; a machine without one can load every library.
 * Each instance has a stream and an error of its own; all of a process share
 * the GPU's primary context, which goes with the last of them.
 */
#include "gpu.h"
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What we need of cuda.h, which not every machine has. */
typedef int result;
typedef uint64_t address;
enum {
  kMajor = 75, /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
  kMinor = 76,
  kDynamicShared = 8, /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
  kStaticLimit = 48 << 10,
  kErrorLog = 5, /* CU_JIT_ERROR_LOG_BUFFER */
  kErrorLogBytes = 6,
  kNonBlocking = 1, /* CU_STREAM_NON_BLOCKING */
  kThreadLocal = 1, /* CU_STREAM_CAPTURE_MODE_THREAD_LOCAL */
  kErrorBytesOfDriver = 384,
  kLogBytes = 256
};

static struct {
  const char
      *missing; /* NULL: all functions below but the last six are there */
  char reason[kErrorBytesOfDriver];
  result (*init)(unsigned);
  result (*get_device)(int *, int);
  result (*attribute)(int *, int, int);
  result (*retain)(void **, int);
  result (*release_context)(int);
  result (*push)(void *);
  result (*pop)(void **);
  result (*create_stream)(void **, unsigned);
  result (*destroy_stream)(void *);
  result (*synchronize)(void *);
  result (*allocate)(address *, size_t);
  result (*release)(address);
  result (*to_device)(address, const void *, size_t, void *);
  result (*to_host)(void *, address, size_t, void *);
  result (*load)(void **, const void *, unsigned, int *, void **);
  result (*unload)(void *);
  result (*function)(void **, void *, const char *);
  result (*set_attribute)(void *, int, int);
  result (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned,
                   unsigned, unsigned, void *, void **, void **);
  result (*error_name)(result, const char **);
  /* Graphs; drivers before CUDA 11.4 do not have all of them. */
  result (*begin_capture)(void *, int);
  result (*end_capture)(void *, void **);
  result (*instantiate)(void **, void *, unsigned long long);
  result (*destroy_graph)(void *);
  result (*launch_graph)(void *, void *);
  result (*destroy_executable)(void *);
} driver;

static void open_driver(void) {
  const struct {
    const char *name;
    void *function;
    int optional;
  } names[] = {{"cuInit", &driver.init, 0},
               {"cuDeviceGet", &driver.get_device, 0},
               {"cuDeviceGetAttribute", &driver.attribute, 0},
               {"cuDevicePrimaryCtxRetain", &driver.retain, 0},
               {"cuDevicePrimaryCtxRelease_v2", &driver.release_context, 0},
               {"cuCtxPushCurrent_v2", &driver.push, 0},
               {"cuCtxPopCurrent_v2", &driver.pop, 0},
               {"cuStreamCreate", &driver.create_stream, 0},
               {"cuStreamDestroy_v2", &driver.destroy_stream, 0},
               {"cuStreamSynchronize", &driver.synchronize, 0},
               {"cuMemAlloc_v2", &driver.allocate, 0},
               {"cuMemFree_v2", &driver.release, 0},
               {"cuMemcpyHtoDAsync_v2", &driver.to_device, 0},
               {"cuMemcpyDtoHAsync_v2", &driver.to_host, 0},
               {"cuModuleLoadDataEx", &driver.load, 0},
               {"cuModuleUnload", &driver.unload, 0},
               {"cuModuleGetFunction", &driver.function, 0},
               {"cuFuncSetAttribute", &driver.set_attribute, 0},
               {"cuLaunchKernel", &driver.launch, 0},
               {"cuGetErrorName", &driver.error_name, 0},
               {"cuStreamBeginCapture_v2", &driver.begin_capture, 1},
               {"cuStreamEndCapture", &driver.end_capture, 1},
               {"cuGraphInstantiateWithFlags", &driver.instantiate, 1},
               {"cuGraphDestroy", &driver.destroy_graph, 1},
               {"cuGraphLaunch", &driver.launch_graph, 1},
               {"cuGraphExecDestroy", &driver.destroy_executable, 1}};
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(driver.reason, sizeof(driver.reason), "there is no driver: %s",
             why ? why : "libcuda.so.1");
    driver.missing = driver.reason;
    return;
  }
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
    *(void **)names[i].function = dlsym(library, names[i].name);
    if (*(void **)names[i].function || names[i].optional)
      continue;
    snprintf(driver.reason, sizeof(driver.reason),
             "the driver is too old: libcuda.so.1 has no %s", names[i].name);
    driver.missing = driver.reason;
    return;
  }
}

static int has_graphs(void) {
  return driver.begin_capture && driver.end_capture && driver.instantiate &&
         driver.destroy_graph && driver.launch_graph &&
         driver.destroy_executable;
}

/* The GPU of one instance. */
typedef struct cuda {
  qd_device table;
  int device;
  void *context, *stream;
  char error[kErrorBytesOfDriver];
} cuda;

typedef struct loaded {
  void *module, *function;
} loaded;

/* Where `code` is an error: says that `call` gives it. */
static int failed(cuda *d, const char *call, result code) {
  if (!code)
    return 0;
  const char *name = NULL;
  if (driver.error_name(code, &name) || !name)
    name = "an unknown error";
  snprintf(d->error, sizeof(d->error), "%s gives %s", call, name);
  return 1;
}

/* The driver's calls act on the context of the calling thread. */
static int32_t cuda_enter(void *state) {
  cuda *d = state;
  return failed(d, "cuCtxPushCurrent", driver.push(d->context));
}

static void cuda_leave(void *state) {
  (void)state;
  void *context;
  driver.pop(&context);
}

static int32_t cuda_allocate(void *state, uint64_t bytes, uint64_t *memory) {
  cuda *d = state;
  char call[64];
  snprintf(call, sizeof(call), "cuMemAlloc of %llu bytes",
           (unsigned long long)bytes);
  return failed(d, call, driver.allocate(memory, bytes));
}

static void cuda_release(void *state, uint64_t memory) {
  (void)state;
  if (memory)
    driver.release(memory);
}

static int32_t cuda_write(void *state, uint64_t target, const void *source,
                          uint64_t bytes) {
  cuda *d = state;
  return failed(d, "cuMemcpyHtoDAsync",
                driver.to_device(target, source, bytes, d->stream));
}

static int32_t cuda_read(void *state, void *target, uint64_t source,
                         uint64_t bytes) {
  cuda *d = state;
  return failed(d, "cuMemcpyDtoHAsync",
                driver.to_host(target, source, bytes, d->stream)) ||
         failed(d, "cuStreamSynchronize", driver.synchronize(d->stream));
}

/* What the driver's assembler says of PTX is the end of the error. */
static int load_module(cuda *d, const void *code, void **module) {
  char log[kLogBytes] = "";
  int options[] = {kErrorLog, kErrorLogBytes};
  void *values[] = {log, (void *)(uintptr_t)sizeof(log)};
  if (!failed(d, "cuModuleLoadDataEx",
              driver.load(module, code, 2, options, values)))
    return 0;
  size_t said = strlen(d->error);
  log[sizeof(log) - 1] = 0;
  if (*log)
    snprintf(d->error + said, sizeof(d->error) - said, ": %s", log);
  return 1;
}

static int32_t cuda_load(void *state, const void *code, const char *kernel,
                         uint32_t shared_bytes, void **result) {
  cuda *d = state;
  loaded *l = calloc(1, sizeof(loaded));
  if (!l) {
    snprintf(d->error, sizeof(d->error), "no memory for kernel '%s'", kernel);
    return 1;
  }
  if (load_module(d, code, &l->module) ||
      failed(d, "cuModuleGetFunction",
             driver.function(&l->function, l->module, kernel)) ||
      (shared_bytes > kStaticLimit &&
       failed(d, "cuFuncSetAttribute",
              driver.set_attribute(l->function, kDynamicShared,
                                   (int)shared_bytes)))) {
    if (l->module)
      driver.unload(l->module);
    free(l);
    return 1;
  }
  *result = l;
  return 0;
}

static void cuda_unload(void *state, void *function) {
  (void)state;
  loaded *l = function;
  driver.unload(l->module);
  free(l);
}

static int32_t cuda_launch(void *state, void *function, const char *step,
                           uint64_t blocks, uint32_t repeats, uint32_t threads,
                           uint32_t shared_bytes, const uint64_t *args,
                           uint32_t num_args) {
  cuda *d = state;
  const loaded *l = function;
  void *parameters[2 * QD_MOST_KERNEL_ARGS]; /* with strides */
  if (blocks > INT_MAX) {
    snprintf(d->error, sizeof(d->error),
             "step '%s' has %llu blocks, more than a GPU launches at once",
             step, (unsigned long long)blocks);
    return 1;
  }
  for (uint32_t i = 0; i < num_args; ++i)
    parameters[i] = (void *)&args[i];
  return failed(d, "cuLaunchKernel",
                driver.launch(l->function, (unsigned)blocks, repeats, 1,
                              threads, 1, 1, shared_bytes, d->stream,
                              parameters, NULL));
}

static int32_t cuda_synchronize(void *state) {
  cuda *d = state;
  return failed(d, "cuStreamSynchronize", driver.synchronize(d->stream));
}

static const char *cuda_error(void *state) { return ((cuda *)state)->error; }

static int32_t cuda_begin_graph(void *state) {
  cuda *d = state;
  return failed(d, "cuStreamBeginCapture",
                driver.begin_capture(d->stream, kThreadLocal));
}

static int32_t cuda_end_graph(void *state, void **executable) {
  cuda *d = state;
  void *graph = NULL;
  int status =
      failed(d, "cuStreamEndCapture", driver.end_capture(d->stream, &graph)) ||
      (executable && failed(d, "cuGraphInstantiateWithFlags",
                            driver.instantiate(executable, graph, 0)));
  if (graph)
    driver.destroy_graph(graph);
  return status;
}

static int32_t cuda_launch_graph(void *state, void *executable) {
  cuda *d = state;
  return failed(d, "cuGraphLaunch", driver.launch_graph(executable, d->stream));
}

static void cuda_free_graph(void *state, void *executable) {
  (void)state;
  driver.destroy_executable(executable);
}

/* The first GPU, its context and a stream; what is there when it fails goes by
 * qd_cuda_close. */
static qd_status open_device(cuda *d) {
  int major = 0, minor = 0;
  if (failed(d, "cuInit", driver.init(0)) ||
      failed(d, "cuDeviceGet", driver.get_device(&d->device, 0)) ||
      failed(d, "cuDeviceGetAttribute",
             driver.attribute(&major, kMajor, d->device)) ||
      failed(d, "cuDeviceGetAttribute",
             driver.attribute(&minor, kMinor, d->device)))
    return QD_UNSUPPORTED_DEVICE;
  d->table.capability = 10 * major + minor;
  if (failed(d, "cuDevicePrimaryCtxRetain",
             driver.retain(&d->context, d->device)) ||
      cuda_enter(d))
    return QD_DEVICE_FAILURE;
  int status = failed(d, "cuStreamCreate",
                      driver.create_stream(&d->stream, kNonBlocking));
  cuda_leave(d);
  return status ? QD_DEVICE_FAILURE : QD_OK;
}

qd_status qd_cuda_open(qd_device **device, char *error, size_t error_bytes) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_driver);
  if (driver.missing) {
    snprintf(error, error_bytes, "%s", driver.missing);
    return QD_UNSUPPORTED_DEVICE;
  }
  cuda *d = calloc(1, sizeof(cuda));
  if (!d)
    return QD_OUT_OF_MEMORY;
  qd_device *table = &d->table;
  table->struct_size = sizeof(qd_device);
  table->binaries = 1;
  table->state = d;
  table->enter = cuda_enter;
  table->leave = cuda_leave;
  table->allocate = cuda_allocate;
  table->release = cuda_release;
  table->write = cuda_write;
  table->read = cuda_read;
  table->load = cuda_load;
  table->unload = cuda_unload;
  table->launch = cuda_launch;
  table->synchronize = cuda_synchronize;
  table->error = cuda_error;
  if (has_graphs()) {
    table->begin_graph = cuda_begin_graph;
    table->end_graph = cuda_end_graph;
    table->launch_graph = cuda_launch_graph;
    table->free_graph = cuda_free_graph;
  }
  qd_status status = open_device(d);
  if (status != QD_OK) {
    snprintf(error, error_bytes, "%s", d->error);
    qd_cuda_close(table);
    return status;
  }
  *device = table;
  return QD_OK;
}

void qd_cuda_close(qd_device *device) {
  cuda *d = device->state;
  if (d->stream && !cuda_enter(d)) {
    driver.destroy_stream(d->stream);
    cuda_leave(d);
  }
  if (d->context)
    driver.release_context(d->device);
  free(d);
}

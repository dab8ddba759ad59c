/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The first GPU of the CUDA driver as a qd_device. The driver is opened when
 * the first model asks for it; a machine without one can load every library.
 */
#include "gpu.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What we need of cuda.h, which not every machine has. */
typedef int result;
typedef uint64_t address;
enum {
  kMajor = 75, /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
  kMinor = 76,
  kDynamicShared = 8, /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
  kStaticLimit = 48 << 10,
  kErrorBytesOfDriver = 192
};

typedef struct driver {
  result (*init)(unsigned);
  result (*get_device)(int *, int);
  result (*attribute)(int *, int, int);
  result (*retain)(void **, int);
  result (*push)(void *);
  result (*pop)(void **);
  result (*allocate)(address *, size_t);
  result (*release)(address);
  result (*to_device)(address, const void *, size_t);
  result (*to_host)(void *, address, size_t);
  result (*load)(void **, const void *);
  result (*unload)(void *);
  result (*function)(void **, void *, const char *);
  result (*set_attribute)(void *, int, int);
  result (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned,
                   unsigned, unsigned, void *, void **, void **);
  result (*synchronize)(void);
  result (*error_name)(result, const char **);
  void *context;
  char error[kErrorBytesOfDriver];
} driver;

typedef struct loaded {
  void *module, *function;
} loaded;

static int failed(driver *d, const char *call, result code) {
  if (!code)
    return 0;
  const char *name = NULL;
  if (d->error_name(code, &name) || !name)
    name = "unknown error";
  snprintf(d->error, sizeof(d->error), "%s gives %s", call, name);
  return 1;
}

/* The driver's calls act on the context of the calling thread. */
static int enter(driver *d) {
  return failed(d, "cuCtxPushCurrent", d->push(d->context));
}

static int leave(driver *d, int status) {
  void *context;
  d->pop(&context);
  return status;
}

static int32_t cuda_allocate(void *state, uint64_t bytes, uint64_t *memory) {
  driver *d = state;
  return enter(d) ||
         leave(d, failed(d, "cuMemAlloc", d->allocate(memory, bytes)));
}

static void cuda_release(void *state, uint64_t memory) {
  driver *d = state;
  if (memory && !enter(d))
    leave(d, d->release(memory));
}

static int32_t cuda_write(void *state, uint64_t target, const void *source,
                          uint64_t bytes) {
  driver *d = state;
  return enter(d) || leave(d, failed(d, "cuMemcpyHtoD",
                                     d->to_device(target, source, bytes)));
}

static int32_t cuda_read(void *state, void *target, uint64_t source,
                         uint64_t bytes) {
  driver *d = state;
  return enter(d) ||
         leave(d, failed(d, "cuMemcpyDtoH", d->to_host(target, source, bytes)));
}

static int32_t cuda_load(void *state, const char *code, const char *kernel,
                         uint32_t shared_bytes, void **result) {
  driver *d = state;
  loaded *l = calloc(1, sizeof(loaded));
  if (!l || enter(d)) {
    free(l);
    return 1;
  }
  int status = failed(d, "cuModuleLoadData", d->load(&l->module, code)) ||
               failed(d, "cuModuleGetFunction",
                      d->function(&l->function, l->module, kernel)) ||
               (shared_bytes > kStaticLimit &&
                failed(d, "cuFuncSetAttribute",
                       d->set_attribute(l->function, kDynamicShared,
                                        (int)shared_bytes)));
  if (status && l->module)
    d->unload(l->module);
  leave(d, 0);
  if (status) {
    free(l);
    return 1;
  }
  *result = l;
  return 0;
}

static void cuda_unload(void *state, void *function) {
  driver *d = state;
  loaded *l = function;
  if (!enter(d))
    leave(d, d->unload(l->module));
  free(l);
}

static int32_t cuda_launch(void *state, void *function, const char *step,
                           uint64_t blocks, uint32_t threads,
                           uint32_t shared_bytes, const uint64_t *args,
                           uint32_t num_args) {
  (void)step;
  driver *d = state;
  const loaded *l = function;
  void *parameters[QD_MOST_KERNEL_ARGS];
  if (num_args > QD_MOST_KERNEL_ARGS || enter(d))
    return 1;
  for (uint32_t i = 0; i < num_args; ++i)
    parameters[i] = (void *)&args[i];
  return leave(d,
               failed(d, "cuLaunchKernel",
                      d->launch(l->function, (unsigned)blocks, 1, 1, threads, 1,
                                1, shared_bytes, NULL, parameters, NULL)));
}

static int32_t cuda_synchronize(void *state) {
  driver *d = state;
  return enter(d) || leave(d, failed(d, "cuCtxSynchronize", d->synchronize()));
}

static const char *cuda_error(void *state) { return ((driver *)state)->error; }

static driver the_driver;
static qd_device the_device = {
    sizeof(qd_device), 0,           &the_driver,      cuda_allocate,
    cuda_release,      cuda_write,  cuda_read,        cuda_load,
    cuda_unload,       cuda_launch, cuda_synchronize, cuda_error};

static void open_driver(void) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return;
  driver *d = &the_driver;
  const struct {
    const char *name;
    void *function;
  } names[] = {{"cuInit", &d->init},
               {"cuDeviceGet", &d->get_device},
               {"cuDeviceGetAttribute", &d->attribute},
               {"cuDevicePrimaryCtxRetain", &d->retain},
               {"cuCtxPushCurrent_v2", &d->push},
               {"cuCtxPopCurrent_v2", &d->pop},
               {"cuMemAlloc_v2", &d->allocate},
               {"cuMemFree_v2", &d->release},
               {"cuMemcpyHtoD_v2", &d->to_device},
               {"cuMemcpyDtoH_v2", &d->to_host},
               {"cuModuleLoadData", &d->load},
               {"cuModuleUnload", &d->unload},
               {"cuModuleGetFunction", &d->function},
               {"cuFuncSetAttribute", &d->set_attribute},
               {"cuLaunchKernel", &d->launch},
               {"cuCtxSynchronize", &d->synchronize},
               {"cuGetErrorName", &d->error_name}};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
    if (!(*(void **)names[i].function = dlsym(library, names[i].name)))
      return;
  int device = 0, major = 0, minor = 0;
  if (d->init(0) || d->get_device(&device, 0) ||
      d->attribute(&major, kMajor, device) ||
      d->attribute(&minor, kMinor, device) || d->retain(&d->context, device))
    return;
  the_device.capability = 10 * major + minor;
}

const qd_device *qd_cuda_device(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_driver);
  return the_device.capability ? &the_device : NULL;
}

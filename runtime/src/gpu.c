/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Memory and launches through a qd_device. Addresses of the device go through
 * the program's main function as pointers that nobody on the host follows.
 */
#include "gpu.h"
#include "graphs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kCopyThreads = 256, kCopyBlocks = 1024 };

/* What main takes for a kernel. */
typedef struct function {
  const qd_gpu_kernel *kernel;
  void *loaded; /* of the device */
} function;

/* One tensor of the caller on the device. */
typedef struct copy {
  uint64_t address, capacity;
} copy;

struct qd_gpu {
  const qd_program *program;
  const qd_device *device;
  qd_device *opened; /* by us; NULL: the device is the caller's */
  qd_graphs graphs;
  const qd_variant *variant;
  function *functions; /* by kernel; the copying one last */
  const qd_kernel *handles;
  uint64_t weights, sizes;
  copy *inputs, *outputs;
  const void **input_addresses;
  void **output_addresses;
  void **results; /* outputs whose sizes the program computes */
};

static qd_status gpu_enter(const qd_gpu *gpu) {
  const qd_device *device = gpu->device;
  return device->enter && device->enter(device->state) ? QD_DEVICE_FAILURE
                                                       : QD_OK;
}

static void gpu_leave(const qd_gpu *gpu) {
  if (gpu->device->leave)
    gpu->device->leave(gpu->device->state);
}

/* What lies on the device. */
static void free_device(qd_gpu *gpu) {
  const qd_device *device = gpu->device;
  const qd_info *info = &gpu->program->info;
  /* A failed run may have left work behind. */
  device->synchronize(device->state);
  qd_graphs_forget(&gpu->graphs);
  for (uint32_t i = 0; gpu->functions && i <= gpu->variant->num_kernels; ++i)
    if (gpu->functions[i].loaded)
      device->unload(device->state, gpu->functions[i].loaded);
  for (uint32_t i = 0; gpu->inputs && i < info->num_inputs; ++i)
    device->release(device->state, gpu->inputs[i].address);
  for (uint32_t i = 0; gpu->outputs && i < info->num_outputs; ++i)
    device->release(device->state, gpu->outputs[i].address);
  device->release(device->state, gpu->weights);
  device->release(device->state, gpu->sizes);
}

static void gpu_destroy(qd_gpu *gpu) {
  if (gpu_enter(gpu) == QD_OK) {
    free_device(gpu);
    gpu_leave(gpu);
  }
  qd_graphs_destroy(&gpu->graphs);
  free(gpu->functions);
  free((void *)gpu->handles);
  free(gpu->inputs);
  free(gpu->outputs);
  free(gpu->input_addresses);
  free(gpu->output_addresses);
  for (uint32_t i = 0; gpu->results && i < gpu->program->info.num_outputs; ++i)
    free(gpu->results[i]);
  free(gpu->results);
  if (gpu->opened)
    qd_cuda_close(gpu->opened);
  free(gpu);
}

/* A cubin runs on GPUs of the same major version that are not older; where it
 * is refused, the driver assembles the PTX. */
static int32_t load(qd_gpu *gpu, function *f) {
  const qd_device *device = gpu->device;
  const qd_gpu_kernel *kernel = f->kernel;
  int fits = gpu->variant->isa / 10 == (uint64_t)device->capability / 10;
  if (kernel->binary && device->binaries && fits &&
      !device->load(device->state, kernel->binary, kernel->symbol,
                    kernel->shared_bytes, &f->loaded))
    return 0;
  return device->load(device->state, kernel->code, kernel->symbol,
                      kernel->shared_bytes, &f->loaded);
}

static qd_status gpu_load(qd_gpu *gpu) {
  const qd_device *device = gpu->device;
  const qd_program *program = gpu->program;
  qd_kernel *handles = (qd_kernel *)gpu->handles;
  for (uint32_t i = 0; i <= gpu->variant->num_kernels; ++i) {
    function *f = &gpu->functions[i];
    f->kernel = &gpu->variant->gpu_kernels[i];
    if (load(gpu, f))
      return QD_DEVICE_FAILURE;
    handles[i] = (qd_kernel)(void *)f;
  }
  uint64_t bytes = program->info.weights_bytes;
  if (bytes && device->allocate(device->state, bytes, &gpu->weights))
    return QD_OUT_OF_MEMORY;
  if (bytes &&
      device->write(device->state, gpu->weights, program->weights, bytes))
    return QD_DEVICE_FAILURE;
  bytes = program->num_sizes * sizeof(int64_t);
  if (bytes && device->allocate(device->state, bytes, &gpu->sizes))
    return QD_OUT_OF_MEMORY;
  return QD_OK;
}

static void say(const qd_options *options, const char *error) {
  if (options->error && options->error_bytes)
    snprintf(options->error, options->error_bytes, "%s", error);
}

/* The best variant that the device runs, or the one asked for; num_variants
 * where there is none. */
static uint32_t choose_variant(const qd_program *program,
                               const qd_device *device, const char *wanted) {
  uint32_t chosen = 0;
  while (chosen < program->info.num_variants &&
         (program->variants[chosen].isa > (uint64_t)device->capability ||
          (wanted && strcmp(wanted, program->info.variants[chosen]))))
    ++chosen;
  return chosen;
}

/* Memory of the host, then what lies on the device. */
static qd_status gpu_prepare(qd_gpu *gpu, int profile) {
  const qd_info *info = &gpu->program->info;
  uint32_t kernels = gpu->variant->num_kernels + 1;
  gpu->functions = calloc(kernels, sizeof(function));
  gpu->handles = calloc(kernels, sizeof(qd_kernel));
  gpu->inputs = calloc(info->num_inputs + 1, sizeof(copy));
  gpu->outputs = calloc(info->num_outputs + 1, sizeof(copy));
  gpu->input_addresses = calloc(info->num_inputs + 1, sizeof(void *));
  gpu->output_addresses = calloc(info->num_outputs + 1, sizeof(void *));
  gpu->results = calloc(info->num_outputs + 1, sizeof(void *));
  if (!gpu->functions || !gpu->handles || !gpu->inputs || !gpu->outputs ||
      !gpu->input_addresses || !gpu->output_addresses || !gpu->results)
    return QD_OUT_OF_MEMORY;
  /* Steps that are timed have to end, each for itself. */
  qd_status status = qd_graphs_create(gpu->device, gpu->program->num_sizes,
                                      profile, &gpu->graphs);
  if (status == QD_OK)
    status = gpu_enter(gpu);
  if (status != QD_OK)
    return status;
  status = gpu_load(gpu);
  gpu_leave(gpu);
  return status;
}

static qd_status gpu_create(const qd_program *program,
                            const qd_options *options, const char *wanted,
                            qd_gpu **result, uint32_t *variant) {
  const qd_device *device = options->device;
  if (device && device->struct_size != sizeof(qd_device))
    return QD_INVALID_ARGUMENT;
  qd_device *opened = NULL;
  if (!device) {
    char error[kErrorBytes] = "";
    qd_status status = qd_cuda_open(&opened, error, sizeof(error));
    if (status != QD_OK) {
      say(options, error);
      return status;
    }
    device = opened;
  }
  *variant = choose_variant(program, device, wanted);
  qd_gpu *gpu = calloc(1, sizeof(qd_gpu));
  int runs = *variant < program->info.num_variants;
  if (!gpu || !runs) {
    if (!runs && options->error && options->error_bytes)
      snprintf(options->error, options->error_bytes,
               "the GPU has compute capability %d.%d", device->capability / 10,
               device->capability % 10);
    if (opened)
      qd_cuda_close(opened);
    free(gpu);
    return runs ? QD_OUT_OF_MEMORY : QD_UNSUPPORTED_DEVICE;
  }
  gpu->program = program;
  gpu->device = device;
  gpu->opened = opened;
  gpu->variant = &program->variants[*variant];
  qd_status status = gpu_prepare(gpu, options->profile);
  if (status != QD_OK) {
    say(options, device->error(device->state));
    gpu_destroy(gpu);
    return status;
  }
  *result = gpu;
  return QD_OK;
}

static const qd_kernel *gpu_kernels(const qd_gpu *gpu) { return gpu->handles; }

static qd_status gpu_allocate(qd_gpu *gpu, char **memory, uint64_t bytes) {
  uint64_t address = 0;
  if (qd_graphs_interrupt(&gpu->graphs))
    return QD_DEVICE_FAILURE;
  if (gpu->device->allocate(gpu->device->state, bytes, &address))
    return QD_OUT_OF_MEMORY;
  *memory = (char *)(uintptr_t)address;
  return QD_OK;
}

static void gpu_release(qd_gpu *gpu, char *memory) {
  qd_graphs_interrupt(&gpu->graphs);
  qd_graphs_forget(&gpu->graphs);
  gpu->device->release(gpu->device->state, (uintptr_t)memory);
}

static qd_status grow(qd_gpu *gpu, copy *c, uint64_t bytes) {
  if (bytes <= c->capacity)
    return QD_OK;
  qd_graphs_forget(&gpu->graphs);
  gpu->device->release(gpu->device->state, c->address);
  c->address = c->capacity = 0;
  if (gpu->device->allocate(gpu->device->state, bytes, &c->address))
    return QD_OUT_OF_MEMORY;
  c->capacity = bytes;
  return QD_OK;
}

static uint64_t width(int32_t dtype) {
  switch (dtype) {
  case QD_I1:
  case QD_I8:
  case QD_U8:
    return 1;
  case QD_I16:
  case QD_U16:
  case QD_F16:
  case QD_BF16:
    return 2;
  case QD_I32:
  case QD_U32:
  case QD_F32:
    return 4;
  default:
    return 8;
  }
}

/* `dims`: the qd_sizes of the tensor's dimensions, moved on behind them. */
static uint64_t tensor_bytes(const qd_tensor_info *tensor,
                             const uint32_t **dims, const qd_sizes *sizes) {
  if (!*dims)
    return tensor->bytes;
  uint64_t bytes = width(tensor->dtype);
  for (int32_t axis = 0; axis < tensor->rank; ++axis)
    bytes *= (uint64_t)sizes->values[*(*dims)++];
  return bytes;
}

static int is_owned(const qd_program *program, uint32_t output) {
  return program->output_buffers && program->output_buffers[output] >= 0;
}

static qd_status gpu_begin(qd_gpu *gpu, const qd_sizes *sizes,
                           const void *const *inputs,
                           const void *const **device_inputs,
                           void *const **device_outputs) {
  const qd_program *program = gpu->program;
  const qd_device *device = gpu->device;
  const uint32_t *dims = program->input_dims;
  for (uint32_t i = 0; i < program->info.num_inputs; ++i) {
    uint64_t bytes = tensor_bytes(&program->info.inputs[i], &dims, sizes);
    qd_status status = grow(gpu, &gpu->inputs[i], bytes);
    if (status != QD_OK)
      return status;
    gpu->input_addresses[i] = (void *)(uintptr_t)gpu->inputs[i].address;
    if (bytes &&
        device->write(device->state, gpu->inputs[i].address, inputs[i], bytes))
      return QD_DEVICE_FAILURE;
  }
  dims = program->output_dims;
  for (uint32_t i = 0; i < program->info.num_outputs; ++i) {
    uint64_t bytes = tensor_bytes(&program->info.outputs[i], &dims, sizes);
    qd_status status =
        is_owned(program, i) ? QD_OK : grow(gpu, &gpu->outputs[i], bytes);
    if (status != QD_OK)
      return status;
    gpu->output_addresses[i] = (void *)(uintptr_t)gpu->outputs[i].address;
  }
  *device_inputs = gpu->input_addresses;
  *device_outputs = gpu->output_addresses;
  return QD_OK;
}

static qd_status gpu_read(qd_gpu *gpu, void *target, const void *source,
                          uint64_t bytes) {
  return qd_graphs_interrupt(&gpu->graphs) ||
                 gpu->device->read(gpu->device->state, target,
                                   (uintptr_t)source, bytes)
             ? QD_DEVICE_FAILURE
             : QD_OK;
}

static qd_status gpu_end(qd_gpu *gpu, const qd_sizes *sizes,
                         void *const *outputs) {
  const qd_program *program = gpu->program;
  const uint32_t *dims = program->output_dims;
  for (uint32_t i = 0; i < program->info.num_outputs; ++i) {
    uint64_t bytes = tensor_bytes(&program->info.outputs[i], &dims, sizes);
    if (!bytes || is_owned(program, i))
      continue;
    qd_status status =
        gpu_read(gpu, outputs[i], gpu->output_addresses[i], bytes);
    if (status != QD_OK)
      return status;
  }
  return QD_OK;
}

static qd_status gpu_write_sizes(qd_gpu *gpu, const qd_sizes *sizes) {
  uint64_t bytes = gpu->program->num_sizes * sizeof(int64_t);
  return qd_graphs_interrupt(&gpu->graphs) ||
                 (bytes && gpu->device->write(gpu->device->state, gpu->sizes,
                                              sizes->values, bytes))
             ? QD_DEVICE_FAILURE
             : QD_OK;
}

static const int64_t *gpu_sizes(const qd_gpu *gpu) {
  return (const int64_t *)(uintptr_t)gpu->sizes;
}

static const char *gpu_weights(const qd_gpu *gpu) {
  return (const char *)(uintptr_t)gpu->weights;
}

static qd_status launch(qd_gpu *gpu, uint32_t step, const function *f,
                        int64_t blocks, int64_t repeats, const uint64_t *args,
                        uint32_t num_args) {
  const qd_device *device = gpu->device;
  const qd_gpu_kernel *kernel = f->kernel;
  return device->launch(device->state, f->loaded,
                        gpu->program->info.step_names[step], (uint64_t)blocks,
                        (uint32_t)repeats, kernel->threads,
                        kernel->shared_bytes, args, num_args)
             ? QD_DEVICE_FAILURE
             : QD_OK;
}

_Static_assert(sizeof(void *) == sizeof(uint64_t), "addresses have 64 bits");

static qd_status gpu_launch(qd_gpu *gpu, uint32_t step, qd_kernel handle,
                            void **args, int64_t num_tasks) {
  const function *f = (const function *)(const void *)handle;
  const qd_gpu_kernel *kernel = f->kernel;
  int64_t blocks = kernel->blocks;
  if (!blocks)
    blocks = (num_tasks + kernel->tasks - 1) / kernel->tasks;
  if (!blocks)
    return QD_OK;
  if (!kernel->num_strides)
    return launch(gpu, step, f, blocks, 1, (const uint64_t *)args,
                  kernel->num_args);
  uint64_t own[2 * QD_MOST_KERNEL_ARGS] = {0}; /* strides of 0 */
  memcpy(own, args, kernel->num_args * sizeof(uint64_t));
  return launch(gpu, step, f, blocks, 1, own,
                kernel->num_args + kernel->num_strides);
}

static qd_status gpu_repeat(qd_gpu *gpu, uint32_t step, qd_kernel handle,
                            void **args, const int64_t *offsets,
                            const int64_t *strides, int64_t num_blocks) {
  const function *f = (const function *)(const void *)handle;
  const qd_gpu_kernel *kernel = f->kernel;
  uint32_t num_args = kernel->num_args;
  uint64_t own[2 * QD_MOST_KERNEL_ARGS];
  qd_status status = QD_OK;
  for (int64_t first = 0; first < num_blocks && status == QD_OK;
       first += QD_MOST_REPEATS) {
    int64_t left = num_blocks - first;
    for (uint32_t i = 0; i < num_args; ++i)
      own[i] = (uint64_t)args[i] + (uint64_t)(offsets[i] + first * strides[i]);
    for (uint32_t i = 0; i < kernel->num_strides; ++i)
      own[num_args + i] = (uint64_t)strides[i];
    status = launch(gpu, step, f, kernel->blocks,
                    left < QD_MOST_REPEATS ? left : QD_MOST_REPEATS, own,
                    num_args + kernel->num_strides);
  }
  return status;
}

static qd_status gpu_copy(qd_gpu *gpu, uint32_t step, char *target,
                          const char *source, int64_t bytes, int32_t flip) {
  int64_t blocks = (bytes + kCopyThreads - 1) / kCopyThreads;
  const function *f = &gpu->functions[gpu->variant->num_kernels];
  uint64_t args[] = {(uintptr_t)target, (uintptr_t)source, (uint64_t)bytes,
                     (uint64_t)flip};
  if (blocks == 0)
    return QD_OK;
  return launch(gpu, step, f, blocks < kCopyBlocks ? blocks : kCopyBlocks, 1,
                args, f->kernel->num_args);
}

static const void *gpu_result(qd_gpu *gpu, uint32_t output, const void *source,
                              uint64_t bytes) {
  void *host = realloc(gpu->results[output], bytes ? bytes : 1);
  if (!host)
    return NULL;
  gpu->results[output] = host;
  return gpu_read(gpu, host, source, bytes) == QD_OK ? host : NULL;
}

static qd_status gpu_wait(qd_gpu *gpu) {
  return gpu->device->synchronize(gpu->device->state) ? QD_DEVICE_FAILURE
                                                      : QD_OK;
}

static int32_t gpu_replay(qd_gpu *gpu, const qd_sizes *sizes,
                          qd_status *status) {
  return qd_graphs_replay(&gpu->graphs, sizes->values, status);
}

static int32_t gpu_record(qd_gpu *gpu, const qd_sizes *sizes,
                          qd_status status) {
  return qd_graphs_record(&gpu->graphs, sizes->values, status);
}

static const char *gpu_error(const qd_gpu *gpu) {
  return gpu->device->error(gpu->device->state);
}

const qd_gpu_runtime qd_gpu_functions = {
    gpu_create,   gpu_destroy, gpu_enter,  gpu_leave,  gpu_kernels,
    gpu_allocate, gpu_release, gpu_begin,  gpu_end,    gpu_write_sizes,
    gpu_sizes,    gpu_weights, gpu_launch, gpu_repeat, gpu_copy,
    gpu_read,     gpu_result,  gpu_wait,   gpu_replay, gpu_record,
    gpu_error};

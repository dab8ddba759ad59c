/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The instance of a model: which variant it runs, its scratch memory, its
 * threads and its profile. The entry points of qdialect/model.h are emitted
 * beside each program and only pass the program on to the functions here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cpu.h"
#include "gpu.h"
#include "pool.h"
#include "program.h"
#include "sizes.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { kMaxThreads = 1024, kCopyChunk = 1 << 16, kHugePage = 2 << 20 };

/* Reading a few bytes beyond the end is allowed, as in the arenas that
 * qd_sizes_compute places. */
enum { kPadding = 64 };

/* What the program's main function hands back to qd_rt_parallel. */
struct qd_context {
  qd_pool *pool;
  const qd_gpu_runtime *gpu_runtime; /* NULL: the kernels run on the pool */
  qd_gpu *gpu;
  uint64_t *nanoseconds; /* NULL: no profile */
  qd_status status; /* of a size that the program computed, or of the GPU */
};

struct qd_model {
  qd_context context; /* first: qd_rt_size finds the rest behind it */
  const qd_program *program;
  const qd_kernel *kernels;
  const char *variant_name;
  char **arenas;         /* 1 + num_arenas of the program */
  uint64_t *arena_bytes; /* of each */
  qd_sizes sizes;        /* of programs with symbols */
  void **outputs;        /* of the last run */
  int has_result;        /* it gave QD_OK */
  uint64_t runs;
  atomic_flag busy;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Around a launch; behind a failure nothing more is launched, run() asks. */
static int begin_launch(const qd_context *context, uint64_t *start) {
  *start = context->nanoseconds ? now() : 0;
  return context->status == QD_OK;
}

static void end_launch(qd_context *context, uint32_t step, uint64_t start) {
  if (!context->nanoseconds)
    return;
  if (context->status == QD_OK)
    context->status = context->gpu_runtime->wait(context->gpu);
  context->nanoseconds[step] += now() - start;
}

static void launch(qd_context *context, uint32_t step, qd_kernel kernel,
                   void **args, int64_t num_tasks) {
  uint64_t start;
  if (!begin_launch(context, &start))
    return;
  context->status =
      context->gpu_runtime->launch(context->gpu, step, kernel, args, num_tasks);
  end_launch(context, step, start);
}

void qd_rt_parallel(qd_context *context, uint32_t step, qd_kernel kernel,
                    void **args, int64_t num_tasks) {
  if (context->gpu) {
    launch(context, step, kernel, args, num_tasks);
    return;
  }
  if (!context->nanoseconds) {
    qd_pool_run(context->pool, kernel, args, num_tasks);
    return;
  }
  uint64_t start = now();
  qd_pool_run(context->pool, kernel, args, num_tasks);
  context->nanoseconds[step] += now() - start;
}

void qd_rt_serial(qd_context *context, uint32_t step, qd_kernel kernel,
                  void **args, int64_t num_tasks) {
  if (context->gpu) {
    launch(context, step, kernel, args, num_tasks);
    return;
  }
  uint64_t start = context->nanoseconds ? now() : 0;
  if (num_tasks > 0)
    kernel(args, 0, num_tasks);
  if (context->nanoseconds)
    context->nanoseconds[step] += now() - start;
}

int32_t qd_rt_blocks_on_gpu(qd_context *context, uint32_t step,
                            qd_kernel kernel, void **args,
                            const int64_t *offsets, const int64_t *strides,
                            int64_t num_blocks) {
  uint64_t start;
  if (!context->gpu)
    return 0;
  if (num_blocks <= 0 || !begin_launch(context, &start))
    return 1;
  context->status = context->gpu_runtime->repeat(
      context->gpu, step, kernel, args, offsets, strides, num_blocks);
  end_launch(context, step, start);
  return 1;
}

/* args: target, source, &bytes, &flip; a task is kCopyChunk bytes. */
static void copy_kernel(void **args, int64_t begin, int64_t end) {
  char *target = args[0];
  const char *source = args[1];
  int64_t bytes = *(const int64_t *)args[2];
  char flip = (char)*(const int32_t *)args[3];
  int64_t last = end * kCopyChunk < bytes ? end * kCopyChunk : bytes;
  for (int64_t i = begin * kCopyChunk; i < last; ++i)
    target[i] = source[i] ^ flip;
}

void qd_rt_copy(qd_context *context, uint32_t step, char *target,
                const char *source, int64_t bytes, int32_t flip) {
  void *args[] = {target, (void *)source, &bytes, &flip};
  uint64_t start;
  if (context->gpu) {
    if (!begin_launch(context, &start))
      return;
    context->status = context->gpu_runtime->copy(context->gpu, step, target,
                                                 source, bytes, flip);
    end_launch(context, step, start);
    return;
  }
  qd_rt_parallel(context, step, copy_kernel, args,
                 (bytes + kCopyChunk - 1) / kCopyChunk);
}

/* The variant asked for by name, else the best that this machine runs. */
static qd_status choose_variant(const qd_program *program, const char *wanted,
                                uint32_t *variant) {
  if (!wanted)
    wanted = getenv("QDIALECT_CPU");
  int any = !wanted || !*wanted;
  for (uint32_t i = 0; i < program->info.num_variants; ++i)
    if ((any || !strcmp(wanted, program->info.variants[i])) &&
        qd_cpu_supports(program->variants[i].isa)) {
      *variant = i;
      return QD_OK;
    }
  return QD_UNSUPPORTED_CPU;
}

/* Around what a GPU is asked for; nothing on CPUs. */
static qd_status enter_device(const qd_model *model) {
  return model->context.gpu ? model->program->gpu->enter(model->context.gpu)
                            : QD_OK;
}

static void leave_device(const qd_model *model) {
  if (model->context.gpu)
    model->program->gpu->leave(model->context.gpu);
}

static void free_arena(qd_model *model, char *arena) {
  if (model->context.gpu && arena)
    model->program->gpu->release(model->context.gpu, arena);
  else
    free(arena);
}

/* Makes an arena at least `bytes` large; what it held is lost. */
static qd_status grow_arena(qd_model *model, uint32_t number, uint64_t bytes) {
  char **arena = &model->arenas[number];
  if (*arena && bytes <= model->arena_bytes[number])
    return QD_OK;
  free_arena(model, *arena);
  *arena = NULL;
  model->arena_bytes[number] = 0;
  if (model->context.gpu) {
    qd_status status = model->program->gpu->allocate(
        model->context.gpu, arena, bytes ? bytes : QD_ALIGNMENT);
    if (status == QD_OK)
      model->arena_bytes[number] = bytes;
    return status;
  }
  int huge = bytes >= kHugePage;
  /* A page fault for every 4 KiB of a large arena costs more than it saves. */
  if (posix_memalign((void **)arena, huge ? kHugePage : QD_ALIGNMENT,
                     bytes ? bytes : QD_ALIGNMENT)) {
    *arena = NULL;
    return QD_OUT_OF_MEMORY;
  }
  if (huge)
    madvise(*arena, bytes, MADV_HUGEPAGE);
  model->arena_bytes[number] = bytes;
  return QD_OK;
}

/* Copies what a kernel has left at `source`. */
static void fetch(qd_context *context, void *target, const void *source,
                  uint64_t bytes) {
  if (!context->gpu)
    memcpy(target, source, bytes);
  else if (context->status == QD_OK)
    context->status =
        context->gpu_runtime->read(context->gpu, target, source, bytes);
}

int32_t qd_rt_flag(qd_context *context, const char *flag) {
  char value = 0;
  fetch(context, &value, flag, 1);
  return value != 0;
}

int32_t qd_rt_size(qd_context *context, uint32_t step, uint32_t symbol,
                   int32_t limit, uint32_t arena, const int64_t *number) {
  qd_model *model = (qd_model *)context;
  uint64_t start = context->nanoseconds ? now() : 0;
  int64_t value = 0;
  fetch(context, &value, number, sizeof(value));
  if (context->status != QD_OK)
    return context->status;
  if (value < 0)
    value = 0;
  if (limit >= 0 && value > model->sizes.values[limit])
    value = model->sizes.values[limit];
  context->status =
      qd_sizes_compute(model->program, &model->sizes, symbol, arena, value);
  if (context->status == QD_OK)
    context->status = grow_arena(model, arena, model->sizes.arena_bytes[arena]);
  if (context->status == QD_OK && context->gpu)
    context->status =
        context->gpu_runtime->write_sizes(context->gpu, &model->sizes);
  if (context->nanoseconds)
    context->nanoseconds[step] += now() - start;
  return context->status;
}

/* What grows by a row each time is moved now and then, not each time. */
int32_t qd_rt_grow(qd_context *context, uint32_t arena, int64_t bytes) {
  qd_model *model = (qd_model *)context;
  if (context->status != QD_OK)
    return context->status;
  uint64_t wanted = (uint64_t)bytes + kPadding;
  if (wanted > model->arena_bytes[arena])
    context->status = grow_arena(model, arena, wanted + wanted / 2);
  return context->status;
}

int32_t qd_rt_check_count(qd_context *context, int32_t limit,
                          const int64_t *number, const char *what) {
  qd_sizes *sizes = &((qd_model *)context)->sizes;
  int64_t value = 0;
  fetch(context, &value, number, sizeof(value));
  if (context->status != QD_OK)
    return context->status;
  if (value < 0)
    context->status = qd_sizes_refuse(sizes, what, value, "at least ", 0);
  else if (limit >= 0 && value > sizes->values[limit])
    context->status =
        qd_sizes_refuse(sizes, what, value, "at most ", sizes->values[limit]);
  return context->status;
}

int32_t qd_rt_check_size(qd_context *context, uint32_t size, uint32_t expected,
                         const char *what) {
  qd_sizes *sizes = &((qd_model *)context)->sizes;
  int64_t found = sizes->values[size], wanted = sizes->values[expected];
  if (context->status == QD_OK && found != wanted)
    context->status = qd_sizes_refuse(sizes, what, found, "", wanted);
  return context->status;
}

/* Says why there is no instance, unless somebody who knows more has. */
static void explain(const qd_options *options, const char *why) {
  if (options->error && options->error_bytes && !*options->error)
    snprintf(options->error, options->error_bytes, "%s", why);
}

static qd_status create(const qd_program *program, const qd_options *options,
                        qd_model **result) {
  if (options->threads < 0 || options->threads > kMaxThreads)
    return QD_INVALID_ARGUMENT;
  qd_gpu *gpu = NULL;
  uint32_t variant = 0;
  qd_status chosen =
      program->gpu ? program->gpu->create(program, options, options->variant,
                                          &gpu, &variant)
                   : choose_variant(program, options->variant, &variant);
  if (chosen != QD_OK)
    return chosen;

  qd_model *model = calloc(1, sizeof(qd_model));
  if (!model) {
    if (gpu)
      program->gpu->destroy(gpu);
    return QD_OUT_OF_MEMORY;
  }
  model->program = program;
  model->context.gpu_runtime = program->gpu;
  model->context.gpu = gpu;
  model->kernels =
      gpu ? program->gpu->kernels(gpu) : program->variants[variant].kernels;
  model->variant_name = program->info.variants[variant];
  atomic_flag_clear(&model->busy);
  model->arenas = calloc(program->num_arenas + 1, sizeof(char *));
  model->arena_bytes = calloc(program->num_arenas + 1, sizeof(uint64_t));
  model->outputs = calloc(program->info.num_outputs + 1, sizeof(void *));
  qd_status status = QD_OUT_OF_MEMORY;
  if (model->arenas && model->arena_bytes && model->outputs)
    status = enter_device(model);
  if (status == QD_OK) {
    status = grow_arena(model, 0, program->info.scratch_bytes);
    leave_device(model);
  }
  if (status == QD_OK)
    status = qd_sizes_create(program, &model->sizes);
  if (status == QD_OK && options->profile) {
    /* One more: a program may have no step at all. */
    model->context.nanoseconds =
        calloc(program->info.num_steps + 1, sizeof(uint64_t));
    if (!model->context.nanoseconds)
      status = QD_OUT_OF_MEMORY;
  }
  if (status == QD_OK && !gpu)
    status =
        qd_pool_create(options->threads ? options->threads : qd_cpu_count(),
                       &model->context.pool);
  if (status != QD_OK) {
    if (gpu)
      explain(options, program->gpu->error(gpu));
    qd_rt_destroy(model);
    return status;
  }
  *result = model;
  return QD_OK;
}

qd_status qd_rt_create(const qd_program *program, const qd_options *options,
                       qd_model **result) {
  if (!result)
    return QD_INVALID_ARGUMENT;
  *result = NULL;
  qd_options defaults = {sizeof(qd_options), 0, 0, NULL, NULL, NULL, 0};
  if (!options || options->struct_size != sizeof(qd_options))
    return options ? QD_INVALID_ARGUMENT : create(program, &defaults, result);
  if (options->error && options->error_bytes)
    *options->error = 0;
  qd_status status = create(program, options, result);
  if (status != QD_OK)
    explain(options, qd_rt_status_string(status));
  return status;
}

/* Only a tensor without elements may have no address, or one that lies in the
 * model's memory (`owned`, by tensor). */
static int pointers_valid(const void *const *pointers,
                          const qd_tensor_info *tensors, uint32_t count,
                          const int32_t *owned) {
  for (uint32_t i = 0; i < count; ++i)
    if (!(owned && owned[i] >= 0) &&
        (tensors[i].bytes || tensors[i].dim_names) &&
        !(pointers && pointers[i]))
      return 0;
  return pointers || count == 0;
}

/* Whoever holds the instance. */
static int enter(qd_model *model) {
  return !atomic_flag_test_and_set_explicit(&model->busy, memory_order_acquire);
}

static void leave(qd_model *model) {
  atomic_flag_clear_explicit(&model->busy, memory_order_release);
}

static void run_on_gpu(qd_model *model, const void *const *inputs,
                       void *const *outputs) {
  const qd_program *program = model->program;
  const qd_gpu_runtime *runtime = program->gpu;
  qd_gpu *gpu = model->context.gpu;
  qd_status *status = &model->context.status;
  const void *const *device_inputs = NULL;
  void *const *device_outputs = NULL;
  *status = runtime->begin(gpu, &model->sizes, inputs, &device_inputs,
                           &device_outputs);
  if (*status == QD_OK)
    *status = runtime->write_sizes(gpu, &model->sizes);
  while (*status == QD_OK && !runtime->replay(gpu, &model->sizes, status)) {
    program->main(&model->context, model->arenas, model->kernels, device_inputs,
                  device_outputs, model->sizes.values, model->sizes.offsets,
                  runtime->weights(gpu), runtime->sizes(gpu));
    if (!runtime->record(gpu, &model->sizes, *status))
      break;
  }
  if (*status == QD_OK)
    *status = runtime->wait(gpu);
  if (*status == QD_OK)
    *status = runtime->end(gpu, &model->sizes, outputs);
}

static qd_status run(qd_model *model, const void *const *inputs,
                     const int64_t *const *input_dims, void *const *outputs) {
  const qd_program *program = model->program;
  model->has_result = 0;
  qd_status status = qd_sizes_bind(program, &model->sizes, input_dims);
  if (status == QD_OK)
    status =
        grow_arena(model, 0,
                   program->info.num_symbols ? model->sizes.arena_bytes[0]
                                             : program->info.scratch_bytes);
  if (status != QD_OK)
    return status;
  uint32_t state = qd_cpu_default_float();
  model->context.status = QD_OK;
  if (model->context.gpu)
    run_on_gpu(model, inputs, outputs);
  else
    program->main(&model->context, model->arenas, model->kernels, inputs,
                  outputs, model->sizes.values, model->sizes.offsets,
                  program->weights, model->sizes.values);
  qd_cpu_restore_float(state);
  if (model->context.status != QD_OK)
    return model->context.status;
  for (uint32_t i = 0; i < program->info.num_outputs; ++i)
    model->outputs[i] = outputs[i];
  model->has_result = 1;
  ++model->runs;
  return QD_OK;
}

qd_status qd_rt_run_dims(qd_model *model, const void *const *inputs,
                         const int64_t *const *input_dims,
                         void *const *outputs) {
  if (!model)
    return QD_INVALID_ARGUMENT;
  const qd_program *program = model->program;
  const qd_info *info = &program->info;
  if (!pointers_valid(inputs, info->inputs, info->num_inputs, NULL) ||
      !pointers_valid((const void *const *)outputs, info->outputs,
                      info->num_outputs, program->output_buffers))
    return QD_INVALID_ARGUMENT;
  if (!enter(model))
    return QD_BUSY;
  qd_status status = enter_device(model);
  if (status == QD_OK) {
    status = run(model, inputs, input_dims, outputs);
    leave_device(model);
  }
  if (model->context.gpu &&
      (status == QD_DEVICE_FAILURE || status == QD_OUT_OF_MEMORY))
    qd_sizes_say(&model->sizes, program->gpu->error(model->context.gpu));
  leave(model);
  return status;
}

qd_status qd_rt_run(qd_model *model, const void *const *inputs,
                    void *const *outputs) {
  return qd_rt_run_dims(model, inputs, NULL, outputs);
}

qd_status qd_rt_output_dims(qd_model *model, const int64_t *const *input_dims,
                            int64_t *const *output_dims) {
  if (!model || !output_dims)
    return QD_INVALID_ARGUMENT;
  if (!enter(model))
    return QD_BUSY;
  qd_status status = qd_sizes_bind(model->program, &model->sizes, input_dims);
  if (status == QD_OK)
    qd_sizes_outputs(model->program, &model->sizes, output_dims);
  leave(model);
  return status;
}

const void *qd_rt_result(const qd_model *model, uint32_t output,
                         int64_t *dims) {
  if (!model || !model->has_result ||
      output >= model->program->info.num_outputs)
    return NULL;
  const qd_program *program = model->program;
  const qd_tensor_info *outputs = program->info.outputs;
  const uint32_t *node = program->output_dims;
  for (uint32_t i = 0; node && i < output; ++i)
    node += outputs[i].rank;
  for (int32_t axis = 0; dims && axis < outputs[output].rank; ++axis)
    dims[axis] =
        node ? model->sizes.values[node[axis]] : outputs[output].dims[axis];
  int32_t buffer =
      program->output_buffers ? program->output_buffers[output] : -1;
  if (buffer < 0)
    return model->outputs[output];
  const char *place = model->arenas[program->buffers[buffer].arena] +
                      model->sizes.offsets[buffer];
  if (!model->context.gpu)
    return place;
  if (enter_device(model) != QD_OK)
    return NULL;
  uint32_t bytes = program->buffers[buffer].bytes;
  const void *copy = program->gpu->result(model->context.gpu, output, place,
                                          (uint64_t)model->sizes.values[bytes]);
  leave_device(model);
  return copy;
}

const char *qd_rt_error(const qd_model *model) {
  return model ? model->sizes.error : "";
}

void qd_rt_destroy(qd_model *model) {
  if (!model)
    return;
  qd_pool_destroy(model->context.pool);
  free(model->context.nanoseconds);
  if (enter_device(model) == QD_OK) {
    for (uint32_t i = 0; model->arenas && i <= model->program->num_arenas; ++i)
      free_arena(model, model->arenas[i]);
    leave_device(model);
  }
  free(model->arenas);
  free(model->arena_bytes);
  free(model->outputs);
  qd_sizes_destroy(&model->sizes);
  if (model->context.gpu)
    model->program->gpu->destroy(model->context.gpu);
  free(model);
}

const char *qd_rt_variant(const qd_model *model) {
  return model ? model->variant_name : "";
}

qd_status qd_rt_profile(const qd_model *model, qd_profile *profile) {
  if (!model || !profile || !model->context.nanoseconds)
    return QD_INVALID_ARGUMENT;
  profile->runs = model->runs;
  profile->num_steps = model->program->info.num_steps;
  profile->step_nanoseconds = model->context.nanoseconds;
  return QD_OK;
}

const char *qd_rt_status_string(qd_status status) {
  switch (status) {
  case QD_OK:
    return "success";
  case QD_INVALID_ARGUMENT:
    return "invalid argument";
  case QD_OUT_OF_MEMORY:
    return "out of memory";
  case QD_UNSUPPORTED_CPU:
    return "no code for this CPU, or the CPU variant asked for is missing in "
           "the library or not possible on this machine";
  case QD_THREAD_FAILURE:
    return "a thread could not be started";
  case QD_BUSY:
    return "the model instance is in use by another caller";
  case QD_SHAPE_MISMATCH:
    return "an input has a size that the model does not take";
  case QD_UNSUPPORTED_DEVICE:
    return "no GPU that the library has code for, no driver (libcuda.so.1), or "
           "the variant asked for is missing in the library";
  case QD_DEVICE_FAILURE:
    return "the GPU failed";
  }
  return "unknown status";
}

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
#include "pool.h"
#include "program.h"
#include "sizes.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { kMaxThreads = 1024, kCopyChunk = 1 << 16, kHugePage = 2 << 20 };

/* What the program's main function hands back to qd_rt_parallel. */
struct qd_context {
  qd_pool *pool;
  uint64_t *nanoseconds; /* NULL: no profile */
  qd_status status;      /* of a size that the program computed */
};

struct qd_model {
  qd_context context; /* first: qd_rt_size finds the rest behind it */
  const qd_program *program;
  const qd_variant *variant;
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

void qd_rt_parallel(qd_context *context, uint32_t step, qd_kernel kernel,
                    void **args, int64_t num_tasks) {
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
  uint64_t start = context->nanoseconds ? now() : 0;
  if (num_tasks > 0)
    kernel(args, 0, num_tasks);
  if (context->nanoseconds)
    context->nanoseconds[step] += now() - start;
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
  qd_rt_parallel(context, step, copy_kernel, args,
                 (bytes + kCopyChunk - 1) / kCopyChunk);
}

/* The variant asked for by name, else the best that this machine runs. */
static int choose_variant(const qd_program *program, const char *wanted) {
  if (!wanted)
    wanted = getenv("QDIALECT_CPU");
  int any = !wanted || !*wanted;
  for (uint32_t i = 0; i < program->info.num_variants; ++i)
    if ((any || !strcmp(wanted, program->info.variants[i])) &&
        qd_cpu_supports(program->variants[i].isa))
      return (int)i;
  return -1;
}

/* Makes an arena at least `bytes` large; what it held is lost. */
static qd_status grow_arena(qd_model *model, uint32_t number, uint64_t bytes) {
  char **arena = &model->arenas[number];
  if (*arena && bytes <= model->arena_bytes[number])
    return QD_OK;
  free(*arena);
  *arena = NULL;
  model->arena_bytes[number] = 0;
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

int32_t qd_rt_size(qd_context *context, uint32_t step, uint32_t symbol,
                   int32_t limit, uint32_t arena, const int64_t *number) {
  qd_model *model = (qd_model *)context;
  uint64_t start = context->nanoseconds ? now() : 0;
  int64_t value = *number > 0 ? *number : 0;
  if (limit >= 0 && value > model->sizes.values[limit])
    value = model->sizes.values[limit];
  context->status =
      qd_sizes_compute(model->program, &model->sizes, symbol, arena, value);
  if (context->status == QD_OK)
    context->status = grow_arena(model, arena, model->sizes.arena_bytes[arena]);
  if (context->nanoseconds)
    context->nanoseconds[step] += now() - start;
  return context->status;
}

int32_t qd_rt_check_count(qd_context *context, int32_t limit,
                          const int64_t *number, const char *what) {
  qd_sizes *sizes = &((qd_model *)context)->sizes;
  if (*number < 0)
    context->status = qd_sizes_refuse(sizes, what, *number, "at least ", 0);
  else if (limit >= 0 && *number > sizes->values[limit])
    context->status =
        qd_sizes_refuse(sizes, what, *number, "at most ", sizes->values[limit]);
  return context->status;
}

int32_t qd_rt_check_size(qd_context *context, uint32_t size, uint32_t expected,
                         const char *what) {
  qd_sizes *sizes = &((qd_model *)context)->sizes;
  int64_t found = sizes->values[size], wanted = sizes->values[expected];
  if (found != wanted)
    context->status = qd_sizes_refuse(sizes, what, found, "", wanted);
  return context->status;
}

qd_status qd_rt_create(const qd_program *program, const qd_options *options,
                       qd_model **result) {
  if (!result)
    return QD_INVALID_ARGUMENT;
  *result = NULL;
  qd_options defaults = {sizeof(qd_options), 0, 0, NULL};
  if (!options)
    options = &defaults;
  if (options->struct_size != sizeof(qd_options) || options->threads < 0 ||
      options->threads > kMaxThreads)
    return QD_INVALID_ARGUMENT;
  int variant = choose_variant(program, options->variant);
  if (variant < 0)
    return QD_UNSUPPORTED_CPU;

  qd_model *model = calloc(1, sizeof(qd_model));
  if (!model)
    return QD_OUT_OF_MEMORY;
  model->program = program;
  model->variant = &program->variants[variant];
  model->variant_name = program->info.variants[variant];
  atomic_flag_clear(&model->busy);
  model->arenas = calloc(program->num_arenas + 1, sizeof(char *));
  model->arena_bytes = calloc(program->num_arenas + 1, sizeof(uint64_t));
  model->outputs = calloc(program->info.num_outputs + 1, sizeof(void *));
  qd_status status = QD_OUT_OF_MEMORY;
  if (model->arenas && model->arena_bytes && model->outputs)
    status = grow_arena(model, 0, program->info.scratch_bytes);
  if (status == QD_OK)
    status = qd_sizes_create(program, &model->sizes);
  if (status == QD_OK && options->profile) {
    /* One more: a program may have no step at all. */
    model->context.nanoseconds =
        calloc(program->info.num_steps + 1, sizeof(uint64_t));
    if (!model->context.nanoseconds)
      status = QD_OUT_OF_MEMORY;
  }
  if (status == QD_OK)
    status =
        qd_pool_create(options->threads ? options->threads : qd_cpu_count(),
                       &model->context.pool);
  if (status != QD_OK) {
    qd_rt_destroy(model);
    return status;
  }
  *result = model;
  return QD_OK;
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
  program->main(&model->context, model->arenas, model->variant->kernels, inputs,
                outputs, model->sizes.values, model->sizes.offsets);
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
  qd_status status = run(model, inputs, input_dims, outputs);
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
  return model->arenas[program->buffers[buffer].arena] +
         model->sizes.offsets[buffer];
}

const char *qd_rt_error(const qd_model *model) {
  return model ? model->sizes.error : "";
}

void qd_rt_destroy(qd_model *model) {
  if (!model)
    return;
  qd_pool_destroy(model->context.pool);
  free(model->context.nanoseconds);
  for (uint32_t i = 0; model->arenas && i <= model->program->num_arenas; ++i)
    free(model->arenas[i]);
  free(model->arenas);
  free(model->arena_bytes);
  free(model->outputs);
  qd_sizes_destroy(&model->sizes);
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
  }
  return "unknown status";
}

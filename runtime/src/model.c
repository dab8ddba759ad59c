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
};

struct qd_model {
  qd_context context;
  const qd_program *program;
  const qd_variant *variant;
  const char *variant_name;
  char *arena;
  uint64_t arena_bytes;
  qd_sizes sizes; /* of programs with symbols */
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

/* Makes the arena at least `bytes` large; what it held is lost. */
static qd_status grow_arena(qd_model *model, uint64_t bytes) {
  if (model->arena && bytes <= model->arena_bytes)
    return QD_OK;
  free(model->arena);
  model->arena = NULL;
  model->arena_bytes = 0;
  int huge = bytes >= kHugePage;
  /* A page fault for every 4 KiB of a large arena costs more than it saves. */
  if (posix_memalign((void **)&model->arena, huge ? kHugePage : QD_ALIGNMENT,
                     bytes ? bytes : QD_ALIGNMENT))
    return QD_OUT_OF_MEMORY;
  if (huge)
    madvise(model->arena, bytes, MADV_HUGEPAGE);
  model->arena_bytes = bytes;
  return QD_OK;
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
  qd_status status = grow_arena(model, program->info.scratch_bytes);
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

/* Only a tensor without elements may have no address. */
static int pointers_valid(const void *const *pointers,
                          const qd_tensor_info *tensors, uint32_t count) {
  if (!pointers)
    return count == 0;
  for (uint32_t i = 0; i < count; ++i)
    if (!pointers[i] && (tensors[i].bytes || tensors[i].dim_names))
      return 0;
  return 1;
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
  qd_status status = qd_sizes_bind(program, &model->sizes, input_dims);
  if (status == QD_OK)
    status = grow_arena(model, model->sizes.arena_bytes
                                   ? model->sizes.arena_bytes
                                   : program->info.scratch_bytes);
  if (status != QD_OK)
    return status;
  uint32_t state = qd_cpu_default_float();
  program->main(&model->context, model->arena, model->variant->kernels, inputs,
                outputs, model->sizes.values, model->sizes.offsets);
  qd_cpu_restore_float(state);
  ++model->runs;
  return QD_OK;
}

qd_status qd_rt_run_dims(qd_model *model, const void *const *inputs,
                         const int64_t *const *input_dims,
                         void *const *outputs) {
  if (!model)
    return QD_INVALID_ARGUMENT;
  const qd_info *info = &model->program->info;
  if (!pointers_valid(inputs, info->inputs, info->num_inputs) ||
      !pointers_valid((const void *const *)outputs, info->outputs,
                      info->num_outputs))
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

const char *qd_rt_error(const qd_model *model) {
  return model ? model->sizes.error : "";
}

void qd_rt_destroy(qd_model *model) {
  if (!model)
    return;
  qd_pool_destroy(model->context.pool);
  free(model->context.nanoseconds);
  free(model->arena);
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

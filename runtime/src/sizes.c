/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Every value saturates at kLargest, and what would need an arena beyond it is
 * refused, so that no size wraps around.
 */
#include "sizes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in QDialect/CodeGen/Program/ArenaPlan.h. */
enum { kAlignment = 64, kPadding = 64 };
static const int64_t kLargest = (int64_t)1 << 46;

qd_status qd_sizes_create(const qd_program *program, qd_sizes *sizes) {
  memset(sizes, 0, sizeof(*sizes));
  uint32_t num_symbols = program->info.num_symbols;
  if (!num_symbols)
    return QD_OK;
  /* One more each: a program may need none. */
  sizes->values = calloc(program->num_sizes + 1, sizeof(int64_t));
  sizes->offsets = calloc(program->num_buffers + 1, sizeof(int64_t));
  sizes->symbols = calloc(num_symbols, sizeof(int64_t));
  sizes->wanted = calloc(num_symbols, sizeof(int64_t));
  sizes->order = calloc(program->num_buffers + 1, sizeof(uint32_t));
  sizes->arena_bytes = calloc(program->num_arenas + 1, sizeof(uint64_t));
  if (sizes->values && sizes->offsets && sizes->symbols && sizes->wanted &&
      sizes->order && sizes->arena_bytes)
    return QD_OK;
  return QD_OUT_OF_MEMORY; /* the caller destroys */
}

void qd_sizes_destroy(qd_sizes *sizes) {
  free(sizes->values);
  free(sizes->offsets);
  free(sizes->symbols);
  free(sizes->wanted);
  free(sizes->order);
  free(sizes->arena_bytes);
}

static qd_status mismatch(qd_sizes *sizes, const qd_tensor_info *input,
                          int axis, int64_t found, const char *wanted) {
  snprintf(sizes->error, kErrorBytes,
           "dimension %d of input '%.60s' is %lld, but must be %s", axis,
           input->name, (long long)found, wanted);
  return QD_SHAPE_MISMATCH;
}

qd_status qd_sizes_refuse(qd_sizes *sizes, const char *what, int64_t found,
                          const char *relation, int64_t wanted) {
  snprintf(sizes->error, kErrorBytes, "%.160s is %lld, but must be %s%lld",
           what, (long long)found, relation, (long long)wanted);
  return QD_SHAPE_MISMATCH;
}

void qd_sizes_say(qd_sizes *sizes, const char *error) {
  snprintf(sizes->error, kErrorBytes, "%s", error);
}

/* One dimension of an input against the program's. */
static qd_status bind_dim(const qd_program *program, qd_sizes *sizes,
                          const qd_tensor_info *input, int axis, int64_t found,
                          const qd_size *size) {
  char wanted[128];
  if (size->kind == QD_SIZE_NUMBER) {
    if (found == size->number)
      return QD_OK;
    snprintf(wanted, sizeof(wanted), "%lld", (long long)size->number);
    return mismatch(sizes, input, axis, found, wanted);
  }
  const qd_symbol *symbol = &program->info.symbols[size->lhs];
  int64_t *known = &sizes->wanted[size->lhs];
  if (*known >= 0 && *known != found) {
    snprintf(wanted, sizeof(wanted), "%lld like every '%.60s'",
             (long long)*known, symbol->name);
    return mismatch(sizes, input, axis, found, wanted);
  }
  if (found < symbol->low || found > symbol->high) {
    snprintf(wanted, sizeof(wanted), "from %lld to %lld ('%.60s')",
             (long long)symbol->low, (long long)symbol->high, symbol->name);
    return mismatch(sizes, input, axis, found, wanted);
  }
  if (found % symbol->step) {
    snprintf(wanted, sizeof(wanted), "a multiple of %lld ('%.60s')",
             (long long)symbol->step, symbol->name);
    return mismatch(sizes, input, axis, found, wanted);
  }
  *known = found;
  return QD_OK;
}

static int64_t saturate(__int128 value) {
  if (value > kLargest)
    return kLargest;
  return value < -kLargest ? -kLargest : (int64_t)value;
}

static int64_t evaluate(const qd_size *size, const int64_t *values,
                        const int64_t *symbols) {
  if (size->kind == QD_SIZE_NUMBER)
    return size->number;
  if (size->kind == QD_SIZE_SYMBOL)
    return symbols[size->lhs];
  int64_t a = values[size->lhs], b = values[size->rhs];
  switch (size->kind) {
  case QD_SIZE_ADD:
    return saturate((__int128)a + b);
  case QD_SIZE_MUL:
    return saturate((__int128)a * b);
  case QD_SIZE_FLOOR_DIV:
    if (b <= 0)
      return 0;
    return a / b - (a % b < 0);
  case QD_SIZE_MAX:
    return a > b ? a : b;
  case QD_SIZE_MIN:
    return a < b ? a : b;
  default:
    return a;
  }
}

static int64_t padded(int64_t bytes) {
  return (bytes + kPadding + kAlignment - 1) / kAlignment * kAlignment;
}

static int overlap_in_time(const qd_buffer *a, const qd_buffer *b) {
  return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* Each buffer of an arena, the largest first, at the lowest place that those of
 * overlapping lifetime leave. */
static void place(const qd_program *program, qd_sizes *sizes, uint32_t arena) {
  const qd_buffer *buffers = program->buffers;
  uint32_t count = 0, *order = sizes->order;
  for (uint32_t i = 0; i < program->num_buffers; ++i) {
    if (buffers[i].arena != arena)
      continue;
    uint32_t at = count++;
    for (; at > 0 && sizes->values[buffers[order[at - 1]].bytes] <
                         sizes->values[buffers[i].bytes];
         --at)
      order[at] = order[at - 1];
    order[at] = i;
  }
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const qd_buffer *buffer = &buffers[order[i]];
    int64_t size = padded(sizes->values[buffer->bytes]), start = 0;
    /* Past every buffer in the way, until none is. */
    for (int moved = 1; moved;) {
      moved = 0;
      for (uint32_t j = 0; j < i; ++j) {
        const qd_buffer *other = &buffers[order[j]];
        int64_t begin = sizes->offsets[order[j]];
        int64_t end = begin + padded(sizes->values[other->bytes]);
        if (overlap_in_time(buffer, other) && begin < start + size &&
            start < end) {
          start = end;
          moved = 1;
        }
      }
    }
    sizes->offsets[order[i]] = start;
    if ((uint64_t)(start + size) > total)
      total = (uint64_t)(start + size);
  }
  sizes->arena_bytes[arena] = total;
}

/* Evaluates every size for the symbols and places the buffers of one arena;
 * those of arenas whose symbols are not known yet come to nothing. */
static qd_status evaluate_all(const qd_program *program, qd_sizes *sizes,
                              uint32_t arena) {
  for (uint32_t i = 0; i < program->num_sizes; ++i)
    sizes->values[i] =
        evaluate(&program->sizes[i], sizes->values, sizes->symbols);
  int64_t sum = 0;
  for (uint32_t i = 0; i < program->num_buffers; ++i)
    if (program->buffers[i].arena == arena)
      sum = saturate((__int128)sum + sizes->values[program->buffers[i].bytes]);
  if (sum >= kLargest)
    return QD_OUT_OF_MEMORY;
  place(program, sizes, arena);
  return QD_OK;
}

qd_status qd_sizes_compute(const qd_program *program, qd_sizes *sizes,
                           uint32_t symbol, uint32_t arena, int64_t number) {
  sizes->symbols[symbol] = number > 0 ? number : 1;
  qd_status status = evaluate_all(program, sizes, arena);
  if (number > 0 || status != QD_OK)
    return status;
  sizes->symbols[symbol] = 0;
  for (uint32_t i = 0; i < program->num_sizes; ++i)
    sizes->values[i] =
        evaluate(&program->sizes[i], sizes->values, sizes->symbols);
  return QD_OK;
}

/* The symbols of inputs, which come first. */
static uint32_t num_given(const qd_info *info) {
  uint32_t count = 0;
  while (count < info->num_symbols && !info->symbols[count].computed)
    ++count;
  return count;
}

qd_status qd_sizes_bind(const qd_program *program, qd_sizes *sizes,
                        const int64_t *const *dims) {
  const qd_info *info = &program->info;
  uint32_t num_symbols = info->num_symbols, given = num_given(info);
  if (!dims && given) {
    snprintf(sizes->error, kErrorBytes,
             "the size '%.60s' is symbolic: call run_dims with the shapes",
             info->symbols[0].name);
    return QD_SHAPE_MISMATCH;
  }
  for (uint32_t i = 0; i < given; ++i)
    sizes->wanted[i] = -1;
  const uint32_t *node = program->input_dims;
  for (uint32_t i = 0; dims && i < info->num_inputs; ++i) {
    const qd_tensor_info *input = &info->inputs[i];
    if (!dims[i] && input->rank)
      return QD_INVALID_ARGUMENT;
    for (int32_t axis = 0; axis < input->rank; ++axis) {
      qd_size fixed = {QD_SIZE_NUMBER, 0, 0, input->dims[axis]};
      const qd_size *size = num_symbols ? &program->sizes[*node++] : &fixed;
      qd_status status =
          bind_dim(program, sizes, input, axis, dims[i][axis], size);
      if (status != QD_OK)
        return status;
    }
  }
  if (!num_symbols ||
      (sizes->bound && (!given || !memcmp(sizes->wanted, sizes->symbols,
                                          given * sizeof(int64_t)))))
    return QD_OK;
  if (given)
    memcpy(sizes->symbols, sizes->wanted, given * sizeof(int64_t));
  qd_status status = evaluate_all(program, sizes, 0);
  sizes->bound = status == QD_OK;
  return status;
}

/* Does a size mention a symbol that the program computes? */
static int is_computed(const qd_program *program, uint32_t node) {
  const qd_size *size = &program->sizes[node];
  switch (size->kind) {
  case QD_SIZE_NUMBER:
    return 0;
  case QD_SIZE_SYMBOL:
    return program->info.symbols[size->lhs].computed;
  case QD_SIZE_COPY:
    return is_computed(program, size->lhs);
  default:
    return is_computed(program, size->lhs) || is_computed(program, size->rhs);
  }
}

void qd_sizes_outputs(const qd_program *program, const qd_sizes *sizes,
                      int64_t *const *dims) {
  const qd_info *info = &program->info;
  const uint32_t *node = program->output_dims;
  for (uint32_t i = 0; i < info->num_outputs; ++i)
    for (int32_t axis = 0; axis < info->outputs[i].rank; ++axis) {
      dims[i][axis] = info->outputs[i].dims[axis];
      if (!info->num_symbols)
        continue;
      dims[i][axis] = is_computed(program, *node) ? -1 : sizes->values[*node];
      ++node;
    }
}

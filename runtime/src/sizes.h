/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The sizes of one instance of a program with symbols: bound to the shapes of
 * the inputs, evaluated, and the buffers of the arena placed for them.
 */
#ifndef QDIALECT_RUNTIME_SIZES_H
#define QDIALECT_RUNTIME_SIZES_H

#include "program.h"

enum { kErrorBytes = 256 };

typedef struct qd_sizes {
  int64_t *values;       /* by qd_size */
  int64_t *offsets;      /* by qd_buffer */
  int64_t *symbols;      /* the values bound last */
  int64_t *wanted;       /* those of the call */
  uint32_t *order;       /* scratch of the placement */
  uint64_t *arena_bytes; /* by arena */
  int bound;             /* values and offsets are those of `symbols` */
  char error[kErrorBytes];
} qd_sizes;

qd_status qd_sizes_create(const qd_program *program, qd_sizes *sizes);
void qd_sizes_destroy(qd_sizes *sizes);

/* Compares the shapes with the program's; if they are others than those bound
 * last, evaluates and places anew. `dims` may be NULL if all are numbers. */
qd_status qd_sizes_bind(const qd_program *program, qd_sizes *sizes,
                        const int64_t *const *dims);

/* A symbol that the program has computed, to the same effect for the buffers of
 * arena number `arena`. Those without elements have room for one row: a place
 * that was clamped to a tensor's first row is read there. */
qd_status qd_sizes_compute(const qd_program *program, qd_sizes *sizes,
                           uint32_t symbol, uint32_t arena, int64_t number);

/* A size that the program cannot go on with. */
qd_status qd_sizes_refuse(qd_sizes *sizes, const char *what, int64_t found,
                          const char *relation, int64_t wanted);

/* An error that is not about a size. */
void qd_sizes_say(qd_sizes *sizes, const char *error);

/* Those that the program computes are -1. */
void qd_sizes_outputs(const qd_program *program, const qd_sizes *sizes,
                      int64_t *const *dims);

#endif /* QDIALECT_RUNTIME_SIZES_H */

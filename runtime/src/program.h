/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What the compiler emits for one model and what the emitted code calls.
 * lib/CodeGen/Program/EmitProgram.cpp builds these structs field by field:
 * whoever changes one changes the other.
 */
#ifndef QDIALECT_RUNTIME_PROGRAM_H
#define QDIALECT_RUNTIME_PROGRAM_H

#include "qdialect/model.h"

/* Computes tasks [begin, end) of a dispatch. Tasks are independent. */
typedef void (*qd_kernel)(void **args, int64_t begin, int64_t end);

/* The order is the compiler's CpuTarget::Isa. */
typedef enum qd_isa {
  QD_ISA_SCALAR = 0,
  QD_ISA_AVX2 = 1,
  QD_ISA_AVX512VNNI = 2
} qd_isa;

typedef struct qd_context qd_context;

/* One CPU variant: its kernels in the order the program numbers them. */
typedef struct qd_variant {
  uint64_t isa;
  const qd_kernel *kernels;
} qd_variant;

typedef struct qd_program {
  qd_info info;
  const qd_variant *variants; /* info.num_variants, best first */
  void (*main)(qd_context *context, char *arena, const qd_kernel *kernels,
               const void *const *inputs, void *const *outputs);
} qd_program;

/* Called by the emitted main function: runs all tasks of one kernel on the
 * context's threads and returns when they are done. */
void qd_rt_parallel(qd_context *context, uint32_t step, qd_kernel kernel,
                    void **args, int64_t num_tasks);

/* The same on the calling thread alone, for steps too small to be shared. */
void qd_rt_serial(qd_context *context, uint32_t step, qd_kernel kernel,
                  void **args, int64_t num_tasks);

/* Copies bytes as one step of the program, each xor `flip` (0x80 turns plain i8
 * codes into the offset binary of the kernels and back; 0 copies). */
void qd_rt_copy(qd_context *context, uint32_t step, char *target,
                const char *source, int64_t bytes, int32_t flip);

/* Called by the emitted entry points <prefix>_create, <prefix>_run, ... */
qd_status qd_rt_create(const qd_program *program, const qd_options *options,
                       qd_model **model);
qd_status qd_rt_run(qd_model *model, const void *const *inputs,
                    void *const *outputs);
void qd_rt_destroy(qd_model *model);
const char *qd_rt_variant(const qd_model *model);
qd_status qd_rt_profile(const qd_model *model, qd_profile *profile);
const char *qd_rt_status_string(qd_status status);

#endif /* QDIALECT_RUNTIME_PROGRAM_H */

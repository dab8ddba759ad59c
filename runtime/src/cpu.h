/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What this processor and this process may use, and its floating-point state.
 */
#ifndef QDIALECT_RUNTIME_CPU_H
#define QDIALECT_RUNTIME_CPU_H

#include <stdint.h>

/* Not 0 if this machine runs code of the given qd_isa. */
int qd_cpu_supports(uint64_t isa);

/* The number of CPUs that this process may run on; at least 1. */
int qd_cpu_count(void);

/* Sets round to nearest even, no flush to zero, all exceptions masked; returns
 * the state before for qd_cpu_restore_float. */
uint32_t qd_cpu_default_float(void);
void qd_cpu_restore_float(uint32_t state);

/* Tells the processor that this is a spin loop. */
void qd_cpu_pause(void);

#endif /* QDIALECT_RUNTIME_CPU_H */

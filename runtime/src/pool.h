/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A pool of threads that one caller drives.
 *
 * The caller is thread 0 and computes too. n tasks are cut into P parts, part p
 * being the tasks [p*n/P, (p+1)*n/P): a pure function of n and the number of
 * threads. Each thread has its own parts and computes them in order; who is
 * done takes over parts that nobody has begun, so that a thread that wakes up
 * late or loses its CPU holds up one part and not the program. Kernels compute
 * each task the same way on any thread, so results do not depend on who it was.
 *
 * No nesting; two pools know nothing of each other.
 */
#ifndef QDIALECT_RUNTIME_POOL_H
#define QDIALECT_RUNTIME_POOL_H

#include "program.h"

typedef struct qd_pool qd_pool;

/* Starts threads - 1 workers. */
qd_status qd_pool_create(int threads, qd_pool **pool);

/* Runs kernel(args, begin, end) over [0, num_tasks); returns when all is done
 * and everything the workers wrote is visible. */
void qd_pool_run(qd_pool *pool, qd_kernel kernel, void **args,
                 int64_t num_tasks);

/* Stops and joins the workers; NULL is allowed. */
void qd_pool_destroy(qd_pool *pool);

/* The number of parts that tasks are cut into. */
int qd_pool_num_parts(int64_t num_tasks, int threads);

/* The first task of part `part`; that of `part + 1` is its end. */
int64_t qd_pool_first_task(int64_t num_tasks, int parts, int part);

#endif /* QDIALECT_RUNTIME_POOL_H */

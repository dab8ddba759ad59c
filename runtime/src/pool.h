/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A pool of threads that one caller drives.
 *
 * The caller is thread 0 and computes too. Thread t of T always gets the tasks
 * [t*n/T, (t+1)*n/T): a pure function of the number of tasks and threads, so a
 * program is as reproducible as its kernels. There is no work stealing, no
 * queue and no nesting; two pools know nothing of each other.
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

/* The first task of thread `index`; that of `index + 1` is its end. */
int64_t qd_pool_first_task(int64_t num_tasks, int threads, int index);

#endif /* QDIALECT_RUNTIME_POOL_H */

/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The caller publishes a job by raising `generation`; every worker takes its own
 * part and lowers `pending`. Both sides spin first (the next step of a program
 * follows within microseconds) and then sleep on the word itself by futex.
 *
 * A worker checks in for every job, even with an empty part: the job's fields
 * may only be overwritten when nobody can still be reading them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pool.h"
#include "cpu.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pause takes 40 to 140 cycles: about 0.1 ms, longer than any serial step. */
enum { kSpins = 4000, kCacheLine = 64 };

typedef struct qd_worker {
  pthread_t thread;
  qd_pool *pool;
  int index;
} qd_worker;

struct qd_pool {
  /* Written by the caller for each job. */
  _Alignas(kCacheLine) atomic_uint generation;
  atomic_uint sleepers; /* workers in futex wait on generation */
  qd_kernel kernel;     /* NULL: leave */
  void **args;
  int64_t num_tasks;
  /* Written by the workers. */
  _Alignas(kCacheLine) atomic_uint pending;
  atomic_uint caller_sleeps;
  /* Constant while the pool lives. */
  _Alignas(kCacheLine) int threads;
  unsigned spins;
  qd_worker *workers;
};

static void futex_wait(atomic_uint *word, unsigned value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

int64_t qd_pool_first_task(int64_t num_tasks, int threads, int index) {
  /* num_tasks * index could overflow only beyond 2^63 tasks x threads. */
  return num_tasks / threads * index + num_tasks % threads * index / threads;
}

static void run_part(const qd_pool *pool, qd_kernel kernel, int index) {
  int64_t begin = qd_pool_first_task(pool->num_tasks, pool->threads, index);
  int64_t end = qd_pool_first_task(pool->num_tasks, pool->threads, index + 1);
#if QDIALECT_MUTATE == 24
  if (index + 1 == pool->threads && index > 0)
    --end;
#endif
  if (begin < end)
    kernel(pool->args, begin, end);
}

static void wait_for_job(qd_pool *pool, unsigned seen) {
  for (unsigned spin = 0; spin < pool->spins; ++spin) {
    if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
      return;
    qd_cpu_pause();
  }
  /* Sequentially consistent with qd_pool_run: either the caller sees this
   * sleeper, or the futex (or the loop) sees the new generation. */
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->generation) == seen)
    futex_wait(&pool->generation, seen);
  atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *argument) {
  qd_worker *worker = argument;
  qd_pool *pool = worker->pool;
  qd_cpu_default_float(); /* a new thread inherits its creator's state */
  for (unsigned seen = 0;; ++seen) {
    wait_for_job(pool, seen);
    qd_kernel kernel = pool->kernel;
    if (!kernel)
      return NULL;
    run_part(pool, kernel, worker->index);
    if (atomic_fetch_sub(&pool->pending, 1) == 1 &&
        atomic_load(&pool->caller_sleeps))
      futex_wake_all(&pool->pending);
  }
}

static void publish(qd_pool *pool, qd_kernel kernel, void **args,
                    int64_t num_tasks) {
  pool->kernel = kernel;
  pool->args = args;
  pool->num_tasks = num_tasks;
  atomic_store(&pool->pending, (unsigned)pool->threads - 1);
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->sleepers))
    futex_wake_all(&pool->generation);
}

static void wait_for_workers(qd_pool *pool) {
  for (unsigned spin = 0; spin < pool->spins; ++spin) {
    if (!atomic_load_explicit(&pool->pending, memory_order_acquire))
      return;
    qd_cpu_pause();
  }
  atomic_store(&pool->caller_sleeps, 1);
  for (unsigned left; (left = atomic_load(&pool->pending)) != 0;)
    futex_wait(&pool->pending, left);
  atomic_store(&pool->caller_sleeps, 0);
}

void qd_pool_run(qd_pool *pool, qd_kernel kernel, void **args,
                 int64_t num_tasks) {
  /* One task is not worth waking anybody; it belongs to the caller. */
  if (pool->threads == 1 || num_tasks <= 1) {
    if (num_tasks > 0)
      kernel(args, 0, num_tasks);
    return;
  }
  publish(pool, kernel, args, num_tasks);
  run_part(pool, kernel, 0);
  wait_for_workers(pool);
}

qd_status qd_pool_create(int threads, qd_pool **result) {
  *result = NULL;
  qd_pool *pool = NULL;
  if (posix_memalign((void **)&pool, kCacheLine, sizeof(qd_pool)))
    return QD_OUT_OF_MEMORY;
  pool->workers = calloc((size_t)threads, sizeof(qd_worker));
  if (!pool->workers) {
    free(pool);
    return QD_OUT_OF_MEMORY;
  }
  atomic_init(&pool->generation, 0);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->pending, 0);
  atomic_init(&pool->caller_sleeps, 0);
  pool->threads = threads;
  /* More threads than CPUs: spinning would take the CPU from the one that is
   * waited for. */
  pool->spins = threads <= qd_cpu_count() ? kSpins : 0;
  for (int index = 1; index < threads; ++index) {
    qd_worker *worker = &pool->workers[index];
    worker->pool = pool;
    worker->index = index;
    if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
      pool->threads = index; /* those that run */
      qd_pool_destroy(pool);
      return QD_THREAD_FAILURE;
    }
  }
  *result = pool;
  return QD_OK;
}

void qd_pool_destroy(qd_pool *pool) {
  if (!pool)
    return;
  publish(pool, NULL, NULL, 0);
  for (int index = 1; index < pool->threads; ++index)
    pthread_join(pool->workers[index].thread, NULL);
  free(pool->workers);
  free(pool);
}

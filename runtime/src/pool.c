/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A job has a number, its generation. The caller opens the parts of job g
 * (claim = 2g), raises `generation` and computes; whoever turns a claim from 2g
 * into 2g + 1 computes that part and lowers `pending` after it. Both sides spin
 * first (the next step of a program follows within microseconds) and then sleep
 * on the word itself by futex.
 *
 * A thread that comes late knows an old g: all parts of that job are taken, so
 * its claims fail and it looks again. The fields of a job are read only after a
 * successful claim; until that part is done the caller writes no new ones.
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

enum {
  kStackBytes = 4 << 20, /* kernels keep tiles and gathered rows there */
  /* A pause takes 40 to 140 cycles: about 0.1 ms, longer than any serial step.
   */
  kSpins = 4000,
  kCacheLine = 64,
  /* What a delayed thread holds up is one part: 1/4 of its share. */
  kPartsPerThread = 4
};

typedef struct qd_worker {
  pthread_t thread;
  qd_pool *pool;
  int index;
} qd_worker;

typedef struct qd_claim {
  _Alignas(kCacheLine) atomic_uint state;
} qd_claim;

struct qd_pool {
  /* Written by the caller for each job. */
  _Alignas(kCacheLine) atomic_uint generation;
  atomic_uint sleepers; /* workers in futex wait on generation */
  atomic_int parts;
  atomic_int stop;
  qd_kernel kernel;
  void **args;
  int64_t num_tasks;
  /* Written by all. */
  _Alignas(kCacheLine) atomic_uint pending; /* parts not done */
  atomic_uint caller_sleeps;
  /* Constant while the pool lives. */
  _Alignas(kCacheLine) int threads;
  unsigned spins;
  qd_worker *workers;
  qd_claim *claims;
};

static void futex_wait(atomic_uint *word, unsigned value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

int qd_pool_num_parts(int64_t num_tasks, int threads) {
  int most = threads * kPartsPerThread;
  return num_tasks < most ? (int)num_tasks : most;
}

int64_t qd_pool_first_task(int64_t num_tasks, int parts, int part) {
  /* num_tasks * part / parts without its overflow. */
  return num_tasks / parts * part + num_tasks % parts * part / parts;
}

/* Computes a part if job `generation` is the present one and nobody has begun
 * the part. */
static void try_part(qd_pool *pool, unsigned generation, int parts, int part) {
  unsigned open = 2 * generation;
  if (!atomic_compare_exchange_strong(&pool->claims[part].state, &open,
                                      2 * generation + 1))
    return;
  int64_t begin = qd_pool_first_task(pool->num_tasks, parts, part);
  int64_t end = qd_pool_first_task(pool->num_tasks, parts, part + 1);
#if QDIALECT_MUTATE == 24
  if (part + 1 == parts)
    --end;
#endif
  if (begin < end)
    pool->kernel(pool->args, begin, end);
  if (atomic_fetch_sub(&pool->pending, 1) == 1 &&
      atomic_load(&pool->caller_sleeps))
    futex_wake_all(&pool->pending);
}

/* Own parts first, then those of the next threads. */
static void compute(qd_pool *pool, unsigned generation, int thread) {
  /* That of another job if this thread is late: then no claim succeeds. */
  int parts = atomic_load(&pool->parts);
  int first = (int)qd_pool_first_task(parts, pool->threads, thread);
  for (int part = first; part < parts; ++part)
    try_part(pool, generation, parts, part);
  for (int part = 0; part < first; ++part)
    try_part(pool, generation, parts, part);
}

/* Returns the number of a job that is not `seen`. */
static unsigned wait_for_job(qd_pool *pool, unsigned seen) {
  unsigned generation;
  for (unsigned spin = 0; spin < pool->spins; ++spin) {
    generation = atomic_load(&pool->generation);
    if (generation != seen)
      return generation;
    qd_cpu_pause();
  }
  /* Sequentially consistent with publish: either the caller sees this sleeper,
   * or the futex (or the loop) sees the new generation. */
  atomic_fetch_add(&pool->sleepers, 1);
  while ((generation = atomic_load(&pool->generation)) == seen)
    futex_wait(&pool->generation, seen);
  atomic_fetch_sub(&pool->sleepers, 1);
  return generation;
}

static void *worker_main(void *argument) {
  qd_worker *worker = argument;
  qd_pool *pool = worker->pool;
  qd_cpu_default_float(); /* a new thread inherits its creator's state */
  for (unsigned generation = 0;;) {
    generation = wait_for_job(pool, generation);
    if (atomic_load(&pool->stop))
      return NULL;
    compute(pool, generation, worker->index);
  }
}

/* Raises the generation and wakes who sleeps; returns the new one. */
static unsigned publish(qd_pool *pool) {
  unsigned generation = atomic_fetch_add(&pool->generation, 1) + 1;
  if (atomic_load(&pool->sleepers))
    futex_wake_all(&pool->generation);
  return generation;
}

static void wait_for_parts(qd_pool *pool) {
  for (unsigned spin = 0; spin < pool->spins; ++spin) {
    if (!atomic_load(&pool->pending))
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
  int parts = qd_pool_num_parts(num_tasks, pool->threads);
  unsigned next = atomic_load(&pool->generation) + 1;
  pool->kernel = kernel;
  pool->args = args;
  pool->num_tasks = num_tasks;
  atomic_store(&pool->parts, parts);
  atomic_store(&pool->pending, (unsigned)parts);
  for (int part = 0; part < parts; ++part)
    atomic_store_explicit(&pool->claims[part].state, 2 * next,
                          memory_order_release);
  publish(pool);
  compute(pool, next, 0);
  wait_for_parts(pool);
}

static qd_status allocate(int threads, qd_pool **result) {
  qd_pool *pool = NULL;
  if (posix_memalign((void **)&pool, kCacheLine, sizeof(qd_pool)))
    return QD_OUT_OF_MEMORY;
  atomic_init(&pool->generation, 0);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->parts, 0);
  atomic_init(&pool->stop, 0);
  atomic_init(&pool->pending, 0);
  atomic_init(&pool->caller_sleeps, 0);
  pool->threads = 1;
  /* More threads than CPUs: spinning would take the CPU from the one that is
   * waited for. */
  pool->spins = threads <= qd_cpu_count() ? kSpins : 0;
  pool->workers = calloc((size_t)threads, sizeof(qd_worker));
  pool->claims = NULL;
  int parts = threads * kPartsPerThread;
  if (!pool->workers || posix_memalign((void **)&pool->claims, kCacheLine,
                                       (size_t)parts * sizeof(qd_claim))) {
    qd_pool_destroy(pool);
    return QD_OUT_OF_MEMORY;
  }
  for (int part = 0; part < parts; ++part)
    atomic_init(&pool->claims[part].state, 0);
  *result = pool;
  return QD_OK;
}

qd_status qd_pool_create(int threads, qd_pool **result) {
  *result = NULL;
  qd_pool *pool = NULL;
  qd_status status = allocate(threads, &pool);
  if (status != QD_OK)
    return status;
  pool->threads = threads;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  int failed = 0;
  for (int index = 1; index < threads && !failed; ++index) {
    qd_worker *worker = &pool->workers[index];
    worker->pool = pool;
    worker->index = index;
    failed = pthread_create(&worker->thread, &attributes, worker_main, worker);
    if (failed)
      pool->threads = index; /* those that run, all of them still waiting */
  }
  pthread_attr_destroy(&attributes);
  if (failed) {
    qd_pool_destroy(pool);
    return QD_THREAD_FAILURE;
  }
  *result = pool;
  return QD_OK;
}

void qd_pool_destroy(qd_pool *pool) {
  if (!pool)
    return;
  atomic_store(&pool->stop, 1);
  publish(pool);
  for (int index = 1; index < pool->threads; ++index)
    pthread_join(pool->workers[index].thread, NULL);
  free(pool->claims);
  free(pool->workers);
  free(pool);
}

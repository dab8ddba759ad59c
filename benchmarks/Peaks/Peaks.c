/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Each loop is one asm block with as many independent accumulators as the
 * latency asks for: compilers spill an array of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "Peaks.h"
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#define REPEAT12(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define REPEAT24(X)                                                            \
  REPEAT12(X) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21)      \
  X(22) X(23)
/* clang-format on */
#define CLOBBERS12                                                             \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",      \
      "xmm9", "xmm10", "xmm11", "cc"
#define CLOBBERS24                                                             \
  "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8",      \
      "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16",   \
      "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "cc"
enum { kLoops = 50000, kWide = 24, kNarrow = 12, kTiles = 4 };

/* The sources are whatever is in the registers for codes, and zeros for floats,
 * of which denormal ones would be slow. */
#define WIDE(FUNCTION, INSTRUCTION, BEFORE)                                    \
  __attribute__((target("avx512f"))) static void FUNCTION(const char *data) {  \
    int64_t loops = kLoops;                                                    \
    (void)data;                                                                \
    __asm__ volatile(BEFORE "1:\n" REPEAT24(INSTRUCTION) "dec %0\n jnz 1b\n"   \
                     : "+r"(loops)                                             \
                     :                                                         \
                     : CLOBBERS24);                                            \
  }
#define NARROW(FUNCTION, INSTRUCTION, BEFORE)                                  \
  __attribute__((target("avx2"))) static void FUNCTION(const char *data) {     \
    int64_t loops = kLoops;                                                    \
    (void)data;                                                                \
    __asm__ volatile(BEFORE "1:\n" REPEAT12(INSTRUCTION) "dec %0\n jnz 1b\n"   \
                     : "+r"(loops)                                             \
                     :                                                         \
                     : CLOBBERS12, "xmm13", "xmm14", "xmm15");                 \
  }
#define ZERO_WIDE                                                              \
  "vpxord %%zmm30, %%zmm30, %%zmm30\n vmovdqa64 %%zmm30, %%zmm31\n"
#define ZERO_NARROW                                                            \
  "vpxor %%ymm14, %%ymm14, %%ymm14\n vpxor %%ymm15, %%ymm15, %%ymm15\n"

#define STEP(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n"
WIDE(run_vnni_zmm, STEP, "")
#undef STEP
#define STEP(n) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #n "\n"
WIDE(run_fma_zmm, STEP, ZERO_WIDE)
#undef STEP
#define STEP(n) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #n "\n"
NARROW(run_vnni_ymm, STEP, "")
#undef STEP
/* Exact byte products without VNNI: words multiplied, pairs added, and added.
 */
#define STEP(n)                                                                \
  "vpmaddwd %%ymm14, %%ymm15, %%ymm13\n vpaddd %%ymm13, %%ymm" #n ", %%ymm" #n \
  "\n"
NARROW(run_words_ymm, STEP, "")
#undef STEP
#define STEP(n) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #n "\n"
NARROW(run_fma_ymm, STEP, ZERO_NARROW)
#undef STEP

/* Four accumulator tiles of 16 x 16 sums, 64 products deep. */
static void run_tiles(const char *data) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t columns[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int tile = 0; tile < 8; ++tile) {
    config.columns[tile] = 64;
    config.rows[tile] = 16;
  }
  int64_t loops = kLoops;
  (void)data;
  __asm__ volatile("ldtilecfg %1\n"
                   "tilezero %%tmm4\n tilezero %%tmm5\n"
                   "1:\n"
                   "tdpbusd %%tmm5, %%tmm4, %%tmm0\n"
                   "tdpbusd %%tmm5, %%tmm4, %%tmm1\n"
                   "tdpbusd %%tmm5, %%tmm4, %%tmm2\n"
                   "tdpbusd %%tmm5, %%tmm4, %%tmm3\n"
                   "dec %0\n jnz 1b\n"
                   "tilerelease\n"
                   : "+r"(loops)
                   : "m"(config)
                   : "cc");
}

/* More than caches of today's desktops hold; servers may keep some of it. */
enum { kReadBytes = 128 << 20, kHugePage = 2 << 20 };

__attribute__((target("avx2"))) static void run_read(const char *data) {
  __m256i sums[4] = {0};
  for (int64_t i = 0; i < kReadBytes; i += 128)
    for (int part = 0; part < 4; ++part)
      sums[part] = _mm256_xor_si256(
          sums[part], _mm256_load_si256((const __m256i *)(data + i) + part));
  __asm__ volatile(""
                   :
                   : "x"(sums[0]), "x"(sums[1]), "x"(sums[2]), "x"(sums[3]));
}

static int has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static int has_fma(void) { return __builtin_cpu_supports("fma") && has_avx2(); }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f"); }
static int has_vnni(void) {
  return __builtin_cpu_supports("avx512vnni") && has_avx512();
}
static int has_avx_vnni(void) {
  unsigned eax, ebx, ecx, edx;
  return has_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) &&
         (eax >> 4 & 1);
}

/* Tiles need the kernel's leave, once a process. */
static int has_tiles(void) {
  enum { kRequestPermission = 0x1023, kTileData = 18 };
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 25 & 1) &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

static const struct {
  const char *name, *unit;
  double units; /* of 1e9, in one call */
  int (*is_here)(void);
  void (*run)(const char *data);
} kPeaks[] = {
    {"tdpbusd", "GMAC/s", kLoops * 1e-9 * kTiles * 16 * 16 * 64, has_tiles,
     run_tiles},
    {"vpdpbusd zmm", "GMAC/s", kLoops * 1e-9 * kWide * 64, has_vnni,
     run_vnni_zmm},
    {"vpdpbusd ymm", "GMAC/s", kLoops * 1e-9 * kNarrow * 32, has_avx_vnni,
     run_vnni_ymm},
    {"vpmaddwd ymm", "GMAC/s", kLoops * 1e-9 * kNarrow * 16, has_avx2,
     run_words_ymm},
    {"vfmadd231ps zmm", "GMAC/s", kLoops * 1e-9 * kWide * 16, has_avx512,
     run_fma_zmm},
    {"vfmadd231ps ymm", "GMAC/s", kLoops * 1e-9 * kNarrow * 8, has_fma,
     run_fma_ymm},
    {"memory read", "GB/s", kReadBytes * 1e-9, has_avx2, run_read},
};
enum { kNumPeaks = sizeof(kPeaks) / sizeof(kPeaks[0]), kMostThreads = 256 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
  int index;
  double end;
  pthread_barrier_t *barrier;
  double best; /* seconds of the slowest thread, in the fastest round */
  volatile double *finished;
  volatile int *is_over;
  int rank, threads;
} worker;

/* Rounds in step: a round's time is from the common start to the last end. */
static void *work(void *argument) {
  worker *w = argument;
  char *data = 0;
  if (kPeaks[w->index].run == run_read) {
    data = aligned_alloc(kHugePage, kReadBytes);
    if (data) {
      madvise(data, kReadBytes, MADV_HUGEPAGE);
      memset(data, 1, kReadBytes);
    }
  }
  w->best = 1e30;
  for (int round = 0;; ++round) {
    pthread_barrier_wait(w->barrier);
    double start = now();
    if (data || kPeaks[w->index].run != run_read)
      kPeaks[w->index].run(data);
    w->finished[w->rank] = now();
    pthread_barrier_wait(w->barrier);
    double last = start;
    for (int i = 0; i < w->threads; ++i)
      last = w->finished[i] > last ? w->finished[i] : last;
    if (last - start < w->best)
      w->best = last - start;
    if (w->rank == 0)
      *w->is_over = round >= 2 && now() > w->end;
    pthread_barrier_wait(w->barrier);
    if (*w->is_over)
      break;
  }
  int failed = kPeaks[w->index].run == run_read && !data;
  free(data);
  return failed ? w : 0;
}

const char *qd_peak_name(int index) {
  return index >= 0 && index < kNumPeaks ? kPeaks[index].name : 0;
}

const char *qd_peak_unit(int index) {
  return index >= 0 && index < kNumPeaks ? kPeaks[index].unit : 0;
}

double qd_peak_measure(int index, int threads, double seconds) {
  if (index < 0 || index >= kNumPeaks || threads < 1 ||
      threads > kMostThreads || !kPeaks[index].is_here())
    return 0;
  pthread_t handles[kMostThreads];
  worker workers[kMostThreads];
  volatile double finished[kMostThreads];
  volatile int is_over = 0;
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, 0, (unsigned)threads);
  for (int i = 0; i < threads; ++i)
    workers[i] = (worker){.index = index,
                          .end = now() + seconds,
                          .barrier = &barrier,
                          .finished = finished,
                          .is_over = &is_over,
                          .rank = i,
                          .threads = threads};
  for (int i = 1; i < threads; ++i)
    if (pthread_create(&handles[i], 0, work, &workers[i]))
      abort(); /* the others wait at the barrier */
  int failed = work(&workers[0]) != 0;
  for (int i = 1; i < threads; ++i) {
    void *result;
    pthread_join(handles[i], &result);
    failed |= result != 0;
  }
  pthread_barrier_destroy(&barrier);
  double best = 0;
  for (int i = 0; i < threads; ++i)
    best = workers[i].best > best ? workers[i].best : best;
  return failed ? 0 : threads * kPeaks[index].units / best;
}

double qd_peak(const char *name, int threads, double seconds) {
  for (int i = 0; i < kNumPeaks; ++i)
    if (!strcmp(kPeaks[i].name, name))
      return qd_peak_measure(i, threads, seconds);
  return 0;
}

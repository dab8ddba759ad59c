/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A vector extension counts only when the operating system saves its registers
 * (XCR0), so the feature bits of cpuid alone are never enough.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cpu.h"
#include "program.h"
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* XCR0: bits 1, 2 are the SSE and AVX state, 5..7 the AVX-512 state, 17 and 18
 * the configuration and the data of tiles. */
enum { kAvxState = 0x06, kAvx512State = 0xe6, kTileState = 0x60000 };

/* Tile data are saved only for processes that asked (one answer for all of a
 * process's threads); old kernels and tight sandboxes say no. */
static int may_use_tiles(void) {
  enum { kRequestPermission = 0x1023, kTileData = 18 };
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

static uint64_t enabled_state(void) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
    return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

/* vpdpbusd of 256 bits without AVX-512. */
static int has_avx_vnni(void) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & bit_AVXVNNI);
}

/* The bits asked for here are the features of CpuTarget in the compiler. */
int qd_cpu_supports(uint64_t isa) {
  if (isa == QD_ISA_SCALAR)
    return 1;
  unsigned eax, ebx, ecx, edx, one;
  if (!__get_cpuid(1, &eax, &ebx, &one, &edx) ||
      !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
    return 0;
  const unsigned in_one = bit_FMA | bit_F16C | bit_POPCNT;
  const unsigned in_ebx = bit_AVX2 | bit_BMI | bit_BMI2;
  const unsigned avx512 =
      bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ | bit_AVX512CD;
  uint64_t state = enabled_state();
  if ((one & in_one) != in_one || (ebx & in_ebx) != in_ebx ||
      (state & kAvxState) != kAvxState)
    return 0;
  if (isa == QD_ISA_AVX2)
    return 1;
  if (isa == QD_ISA_AVXVNNI)
    return has_avx_vnni();
  if ((state & kAvx512State) != kAvx512State || (ebx & avx512) != avx512)
    return 0;
  if (isa == QD_ISA_AVX512)
    return 1;
  if (!(ecx & bit_AVX512VNNI))
    return 0;
  if (isa == QD_ISA_AVX512VNNI)
    return 1;
  const unsigned amx = 1u << 24 | 1u << 25; /* amx-tile, amx-int8 */
  return isa == QD_ISA_AVX512AMX && (state & kTileState) == kTileState &&
         (edx & amx) == amx && may_use_tiles();
}

uint32_t qd_cpu_default_float(void) {
  uint32_t before = _mm_getcsr();
  _mm_setcsr(0x1f80); /* the state in which a process starts */
  return before;
}

void qd_cpu_restore_float(uint32_t state) { _mm_setcsr(state); }

void qd_cpu_pause(void) { _mm_pause(); }

#elif defined(__aarch64__)
#include <sys/auxv.h>

int qd_cpu_supports(uint64_t isa) {
  enum { kDotProduct = 1 << 20, kInt8Products = 1 << 13 };
  int dot = (getauxval(AT_HWCAP) & kDotProduct) != 0;
  int mixed = (getauxval(AT_HWCAP2) & kInt8Products) != 0;
  return isa == QD_ISA_NEON || (isa == QD_ISA_DOTPROD && dot) ||
         (isa == QD_ISA_I8MM && dot && mixed);
}

/* FPCR; 0 rounds to nearest even, keeps denormals and NaNs, and never traps. */
uint32_t qd_cpu_default_float(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return (uint32_t)before;
}

void qd_cpu_restore_float(uint32_t state) {
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)state));
}

void qd_cpu_pause(void) { __asm__ volatile("yield"); }

#else
#error "the runtime has no support for this processor yet"
#endif

int qd_cpu_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set))
    return 1;
  int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}

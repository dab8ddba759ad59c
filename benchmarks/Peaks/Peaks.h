/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What this machine can do at most, for shares of the peak: measured by the
 * process that measures the kernel, since clocks of shared machines drift.
 */
#ifndef QDIALECT_BENCHMARKS_PEAKS_H
#define QDIALECT_BENCHMARKS_PEAKS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The name of a peak ("vpdpbusd zmm", "memory read", ...), 0 past the last. */
const char *qd_peak_name(int index);

/* Its unit: "GMAC/s" or "GB/s". */
const char *qd_peak_unit(int index);

/* The best rate of `threads` threads together over about `seconds`, in units a
 * second; 0 where this machine lacks the instruction or the memory. */
double qd_peak_measure(int index, int threads, double seconds);

/* The same by name; 0 for an unknown name, too. */
double qd_peak(const char *name, int threads, double seconds);

#ifdef __cplusplus
}
#endif

#endif /* QDIALECT_BENCHMARKS_PEAKS_H */

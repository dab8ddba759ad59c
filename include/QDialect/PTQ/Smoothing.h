// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant (Xiao et al., arXiv 2211.10438): channel c of an activation is
// divided by f[c] and what multiplies it is multiplied by f[c],
//
//   f[c] = max |x[c]|^alpha / max |w[c]|^(1 - alpha)
//
// so that the ranges of channels come closer on both sides. alpha 0 evens the
// weights alone, 1 the activation alone. A channel without values or weights
// keeps its factor of 1; factors stay within 2^-16 and 2^16.
//
// Other choices of f, by the largest magnitude a[c] of each channel:
//
//   log         a / log2(2 + a), so that 50 becomes 5.7 (FPTQ's logarithmic
//               equalization, arXiv 2308.15987), for values that exceed 15;
//               beyond 150 a scale for each token at run time serves better
//   percentile  max(1, a / base) with base the n-th largest a, n = 0.005 C
//   + 1.5
//               (DGQ, arXiv 2310.04836): the few largest channels alone change
//   awq         rms[c]^r / sqrt(largest * smallest) with the r of 0, 0.05, ...
//               0.95 that rounds the weights with the least error in their
//               outputs (AWQ, arXiv 2306.00978; it takes mean |x| for rms and
//               the errors on data): for weights of few bits

#ifndef QDIALECT_PTQ_SMOOTHING_H
#define QDIALECT_PTQ_SMOOTHING_H

#include "QDialect/PTQ/Statistics.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <vector>

namespace qdialect {

/// The factors for the largest magnitudes by channel.
std::vector<float> smoothingFactors(const std::vector<float> &activations,
                                    const std::vector<float> &weights,
                                    double alpha);

/// FPTQ's: at which largest magnitude of a tensor equalization begins, and at
/// which it gives way to scales chosen at run time.
inline constexpr double kLogFrom = 15, kLogTo = 150;

/// a / log2(2 + a), at least 1e-5; 1 for channels without values.
std::vector<float> logFactors(const std::vector<float> &activations);

/// DGQ's: 1 but for channels above the n-th largest.
std::vector<float> percentileFactors(const std::vector<float> &activations);

/// The best of AWQ's candidates for channels of these mean squares by `error`,
/// which rates factors.
std::vector<float> activationAwareFactors(
    const std::vector<double> &meanSquares,
    llvm::function_ref<double(const std::vector<float> &)> error);

/// The largest magnitude of each channel; empty where they are not known.
std::vector<float> channelMagnitudes(const ValueStatistics &statistics);

/// The statistics of the value whose channels are divided by `factors`: its
/// extremes and sums. Its histogram is not known.
ValueStatistics dividedChannels(const ValueStatistics &statistics,
                                const std::vector<float> &factors);

} // namespace qdialect

#endif // QDIALECT_PTQ_SMOOTHING_H

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

#ifndef QDIALECT_PTQ_SMOOTHING_H
#define QDIALECT_PTQ_SMOOTHING_H

#include "QDialect/PTQ/Statistics.h"
#include <vector>

namespace qdialect {

/// The factors for the largest magnitudes by channel.
std::vector<float> smoothingFactors(const std::vector<float> &activations,
                                    const std::vector<float> &weights,
                                    double alpha);

/// The largest magnitude of each channel; empty where they are not known.
std::vector<float> channelMagnitudes(const ValueStatistics &statistics);

/// The statistics of the value whose channels are divided by `factors`: its
/// extremes and sums. What only the values themselves would tell is left out;
/// the histogram is that of the channels' extremes.
ValueStatistics dividedChannels(const ValueStatistics &statistics,
                                const std::vector<float> &factors);

} // namespace qdialect

#endif // QDIALECT_PTQ_SMOOTHING_H

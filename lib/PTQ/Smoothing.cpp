// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant's factors (Smoothing.h).

#include "QDialect/PTQ/Smoothing.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cassert>
#include <cmath>

namespace qdialect {

std::vector<float> smoothingFactors(const std::vector<float> &activations,
                                    const std::vector<float> &weights,
                                    double alpha) {
  assert(activations.size() == weights.size() && "one magnitude a channel");
  std::vector<float> factors;
  for (auto [x, w] : llvm::zip_equal(activations, weights)) {
    double factor = 1;
    if (x > 0 && w > 0)
      factor = std::pow(static_cast<double>(x), alpha) /
               std::pow(static_cast<double>(w), 1 - alpha);
    factors.push_back(static_cast<float>(std::clamp(factor, 0x1p-16, 0x1p16)));
  }
  return factors;
}

std::vector<float> channelMagnitudes(const ValueStatistics &statistics) {
  std::vector<float> magnitudes;
  for (size_t c = 0; c < statistics.channelMax.size(); ++c)
    magnitudes.push_back(
        std::max(-statistics.channelMin[c], statistics.channelMax[c]));
  return magnitudes;
}

ValueStatistics dividedChannels(const ValueStatistics &statistics,
                                const std::vector<float> &factors) {
  assert(factors.size() == statistics.channelMax.size() && "one a channel");
  ValueStatistics result;
  result.count = statistics.count;
  for (size_t c = 0; c < factors.size(); ++c) {
    result.channelMin.push_back(statistics.channelMin[c] / factors[c]);
    result.channelMax.push_back(statistics.channelMax[c] / factors[c]);
    result.channelSum.push_back(statistics.channelSum[c] / factors[c]);
    double factor = factors[c];
    result.channelSumOfSquares.push_back(statistics.channelSumOfSquares[c] /
                                         (factor * factor));
    result.sum += result.channelSum.back();
    result.sumOfSquares += result.channelSumOfSquares.back();
  }
  float low = *llvm::min_element(result.channelMin),
        high = *llvm::max_element(result.channelMax);
  result.min = low;
  result.max = high;
  std::vector<float> ends = result.channelMin;
  ends.insert(ends.end(), result.channelMax.begin(), result.channelMax.end());
  result.histogram.add(ends.data(), static_cast<int64_t>(ends.size()),
                       result.absMax());
  return result;
}

} // namespace qdialect

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

std::vector<float> logFactors(const std::vector<float> &activations) {
  std::vector<float> factors;
  for (float a : activations)
    factors.push_back(a > 0 ? std::max(a / std::log2(2 + a), 1e-5f) : 1.0f);
  return factors;
}

std::vector<float> percentileFactors(const std::vector<float> &activations) {
  std::vector<float> sorted = activations;
  llvm::sort(sorted, std::greater<>());
  auto rank = static_cast<size_t>(0.005 * sorted.size() + 1.5);
  float base = rank <= sorted.size() ? sorted[rank - 1] : 0;
  std::vector<float> factors(activations.size(), 1);
  if (base < 1e-4f)
    return factors;
  for (auto [factor, a] : llvm::zip_equal(factors, activations))
    factor = std::max(1.0f, a / base);
  return factors;
}

std::vector<float> activationAwareFactors(
    const std::vector<double> &meanSquares,
    llvm::function_ref<double(const std::vector<float> &)> error) {
  std::vector<float> best(meanSquares.size(), 1);
  double least = error(best);
  for (int step = 1; step < 20; ++step) {
    std::vector<double> powers;
    for (double square : meanSquares)
      powers.push_back(
          std::max(std::pow(std::sqrt(square), 0.05 * step), 1e-4));
    auto [low, high] = std::minmax_element(powers.begin(), powers.end());
    double middle = std::sqrt(*low * *high);
    std::vector<float> factors;
    for (double power : powers)
      factors.push_back(static_cast<float>(power / middle));
    double found = error(factors);
    if (found < least) {
      least = found;
      best = std::move(factors);
    }
  }
  return best;
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
  }
  result.totalChannels();
  return result;
}

} // namespace qdialect

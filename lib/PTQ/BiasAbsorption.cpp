// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shifts of channels (BiasAbsorption.h).

#include "QDialect/PTQ/BiasAbsorption.h"
#include "llvm/ADT/STLExtras.h"
#include <cassert>
#include <cmath>

namespace qdialect {

static double widthWithZero(const ValueStatistics &statistics) {
  return std::max(statistics.max, 0.0) - std::min(statistics.min, 0.0);
}

std::vector<float> channelShifts(const ValueStatistics &statistics,
                                 bool rectified, double sigmas) {
  std::vector<float> shifts;
  for (size_t c = 0; c < statistics.channelSum.size(); ++c) {
    double low = statistics.channelMin[c], high = statistics.channelMax[c];
    double shift = (low + high) / 2;
    if (rectified && sigmas > 0)
      shift = statistics.channelMean(c) -
              sigmas * std::sqrt(statistics.channelVariance(c));
    else if (rectified)
      shift = low;
    shifts.push_back(
        static_cast<float>(rectified ? std::max(shift, 0.0) : shift));
  }
  if (shifts.empty() ||
      !(widthWithZero(shiftedChannels(statistics, shifts, rectified)) <
        widthWithZero(statistics)))
    return {};
  return shifts;
}

ValueStatistics shiftedChannels(const ValueStatistics &statistics,
                                const std::vector<float> &shifts,
                                bool rectified) {
  assert(shifts.size() == statistics.channelMax.size() && "one a channel");
  ValueStatistics result;
  result.count = statistics.count;
  double perChannel = static_cast<double>(statistics.count) /
                      static_cast<double>(shifts.size());
  for (auto [c, shift] : llvm::enumerate(shifts)) {
    float low = statistics.channelMin[c] - shift;
    float high = statistics.channelMax[c] - shift;
    result.channelMin.push_back(rectified ? std::max(low, 0.0f) : low);
    result.channelMax.push_back(rectified ? std::max(high, 0.0f) : high);
    double by = shift;
    double sum = statistics.channelSum[c];
    result.channelSum.push_back(sum - perChannel * by);
    result.channelSumOfSquares.push_back(statistics.channelSumOfSquares[c] -
                                         2 * by * sum + perChannel * by * by);
  }
  result.totalChannels();
  return result;
}

} // namespace qdialect

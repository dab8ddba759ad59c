// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Channels beyond a threshold (OutlierChannels.h).

#include "QDialect/PTQ/OutlierChannels.h"
#include <algorithm>
#include <cmath>

using namespace qdialect;

std::vector<int64_t>
qdialect::findOutlierChannels(const ValueStatistics &statistics,
                              double threshold, int64_t channels) {
  if (static_cast<int64_t>(statistics.channelMax.size()) != channels)
    return {};
  auto magnitude = [&](int64_t channel) {
    return std::max(-statistics.channelMin[channel],
                    statistics.channelMax[channel]);
  };
  std::vector<int64_t> found;
  for (int64_t channel = 0; channel < channels; ++channel)
    // Seeded fault 204: only positive values count.
    if ((QDIALECT_MUTATE == 204 ? statistics.channelMax[channel]
                                : magnitude(channel)) >= threshold)
      found.push_back(channel);
  if (static_cast<int64_t>(found.size()) > kMostOutlierChannels) {
    std::stable_sort(found.begin(), found.end(), [&](int64_t a, int64_t b) {
      return magnitude(a) > magnitude(b);
    });
    found.resize(kMostOutlierChannels);
    std::sort(found.begin(), found.end());
  }
  return found;
}

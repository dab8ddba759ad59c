// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The channels that LLM.int8() (Dettmers et al., 2022) keeps in floats: those
// few whose magnitude reaches a threshold would make the steps of all others
// coarse. The paper looks for them in each batch; here they are those seen in
// calibration, because their weights have to be floats, too. So what a row
// gives does not depend on its neighbours, and a channel that grows above the
// threshold later is rounded, with the scale of its row, which covers it.

#ifndef QDIALECT_PTQ_OUTLIERCHANNELS_H
#define QDIALECT_PTQ_OUTLIERCHANNELS_H

#include "QDialect/PTQ/Statistics.h"
#include <cstdint>
#include <vector>

namespace qdialect {

/// Channels of a layer that stay float at most: each costs every result a
/// multiplication and an addition.
constexpr int64_t kMostOutlierChannels = 32;

/// The channels whose magnitude reaches `threshold`, in order; of more than
/// kMostOutlierChannels the largest, the first of equal ones. Empty where the
/// statistics have other than `channels` channels.
std::vector<int64_t> findOutlierChannels(const ValueStatistics &statistics,
                                         double threshold, int64_t channels);

} // namespace qdialect

#endif // QDIALECT_PTQ_OUTLIERCHANNELS_H

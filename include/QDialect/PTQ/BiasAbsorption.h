// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// High-bias absorption (Nagel et al., "Data-Free Quantization Through Weight
// Equalization and Bias Correction", ICCV 2019, section 4.1.3): a channel that
// is never small wastes the codes between 0 and its least value, and where it
// is the largest one its whole tensor does. What is subtracted from it goes
// into the biases of the layers that read it.
//
//   channels [0, 4] and [10, 13], one scale for both:  [0, 13] -> [0, 4]
//
// The paper takes mean - 3 sigma of the channel before its relu, by the batch
// normalization; here mean and deviation are those that calibration saw behind
// it, which are the same where hardly anything is cut off, or the least value
// that it saw.

#ifndef QDIALECT_PTQ_BIASABSORPTION_H
#define QDIALECT_PTQ_BIASABSORPTION_H

#include "QDialect/PTQ/Statistics.h"
#include <vector>

namespace qdialect {

/// What to subtract from each channel: behind a relu (`rectified`) its mean
/// less `sigmas` deviations, or its least value if that is 0, and nothing
/// negative; elsewhere the middle of its range. Empty where the range of the
/// tensor, 0 included, would not become smaller, or the channels are not known.
std::vector<float> channelShifts(const ValueStatistics &statistics,
                                 bool rectified, double sigmas);

/// The statistics of the value less `shifts`: extremes and sums of its
/// channels. Its histogram is not known. What falls below 0 behind a relu is 0.
ValueStatistics shiftedChannels(const ValueStatistics &statistics,
                                const std::vector<float> &shifts,
                                bool rectified);

} // namespace qdialect

#endif // QDIALECT_PTQ_BIASABSORPTION_H

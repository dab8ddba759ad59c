// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sum's side of the algebra of channel scales (ChannelGroup.h). Something
// may be subtracted from each channel of a value if its readers add what that
// takes from their results:
//
//   W (y - c) + W c = W y
//
//   takes a shift over   a contraction with constant weights along its input
//                        channels, whose results then lack W c
//   lets shifts pass     max and min pools, reshapes, transposes, slices, pads
//                        by infinity
//   blocks shifts        everything else; pads by zeros too, which would be
//                        pads by -c of the shifted value

#ifndef QDIALECT_ANALYSIS_CHANNELSHIFT_H
#define QDIALECT_ANALYSIS_CHANNELSHIFT_H

#include "QDialect/Analysis/ChannelGroup.h"

namespace qdialect {

/// The weights of the contractions that read `value`, with the channels that
/// they sum over; nothing if anything else reads it.
std::optional<llvm::SmallVector<ChannelConstant, 2>>
findShiftReaders(mlir::Value value, const ChannelDims &channels);

/// Calls `visit(element, channel, output)` for each weight of a reader: the
/// channel that it multiplies and the output channel that the product adds to.
void forEachProduct(const ChannelConstant &reader,
                    llvm::function_ref<void(int64_t, int64_t, int64_t)> visit);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CHANNELSHIFT_H

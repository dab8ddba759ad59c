// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the channels of one side of an op lie on its other side.

#ifndef QDIALECT_ANALYSIS_CHANNELFLOW_H
#define QDIALECT_ANALYSIS_CHANNELFLOW_H

#include "QDialect/Analysis/ChannelGroup.h"

namespace qdialect {

/// Channels that lie in dimensions of one operand (read by `from`), in another
/// (read by `to`); nothing unless all are there.
std::optional<ChannelDims> follow(const ChannelDims &channels,
                                  mlir::AffineMap from, mlir::AffineMap to);

/// The channels on the other side of an op that moves the elements of its first
/// operand or combines those of one channel, forwards or backwards.
std::optional<ChannelDims>
followMove(mlir::Operation *op, const ChannelDims &channels, bool forwards);

/// A constant f32 operand that has the channels in `channels`.
std::optional<ChannelConstant> channelConstant(mlir::OpOperand &operand,
                                               const ChannelDims &channels);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CHANNELFLOW_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of channel scales. A value's channel c may be multiplied by any
// factor f[c] > 0 without changing what the program computes if what makes the
// value multiplies it, what reads it divides by it, and what lies between lets
// factors pass:
//
//   y = conv(x, W1) + b;  z = conv(maxpool(relu(y)), W2)
//
//   makers {W1 by output channel, b}   readers {W2 by input channel}
//   values {conv(x, W1), y, relu(y), maxpool(...)}
//
// Equalization, smoothing and scale searches are choices of f; this analysis
// says where f can be chosen and what it changes.
//
//   absorbs f (maker)     weights of a contraction along its output channels,
//                         gain and offset of a layer norm, constants that are
//                         added
//   absorbs 1/f (reader)  weights of a contraction along its input channels
//   lets f pass           relu, leaky relu, PRelu (positively homogeneous
//                         functions), one factor of a product (the linear side
//                         of a gated unit), the values of attention, pools,
//                         pads by zero, transposes, reshapes, slices; a sum of
//                         two values if both are multiplied: a residual ties
//                         the channels of all the layers around it
//   blocks f              everything else: inputs and results of the program,
//                         gelu, sigmoid, clips, softmax, concatenations

#ifndef QDIALECT_ANALYSIS_CHANNELGROUP_H
#define QDIALECT_ANALYSIS_CHANNELGROUP_H

#include "QDialect/Analysis/ChannelDims.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>

namespace qdialect {

/// A constant f32 operand, and the channel that each of its elements is in.
struct ChannelConstant {
  mlir::OpOperand *operand;
  /// By dimension of the constant: how far a step moves the channel's number.
  llvm::SmallVector<int64_t, 4> strides;

  /// Calls `visit(element, channel)` for each element, row-major.
  void forEach(llvm::function_ref<void(int64_t, int64_t)> visit) const;
};

struct ChannelGroup {
  int64_t channels = 0;
  /// What is multiplied by f: factors of products, and constants added to them.
  llvm::SmallVector<ChannelConstant, 2> makers, addends;
  /// What is multiplied by 1/f.
  llvm::SmallVector<ChannelConstant, 2> readers;
  /// The values whose channels are multiplied, and where they are.
  llvm::MapVector<mlir::Value, ChannelDims> values;
};

/// The group of `value`'s channels. Nothing if something blocks their factors;
/// `why` then says what, for remarks.
std::optional<ChannelGroup> findChannelGroup(mlir::Value value,
                                             const ChannelDims &channels,
                                             std::string *why = nullptr);

/// The same without what makes `value`, whose factors somebody else takes care
/// of: the readers of its channels.
std::optional<ChannelGroup> findChannelReaders(mlir::Value value,
                                               const ChannelDims &channels,
                                               std::string *why = nullptr);

/// Multiplies makers and addends by `factors` and readers by their inverses, in
/// f64, rounded once. Every operand gets a constant of its own.
void scaleChannels(const ChannelGroup &group, llvm::ArrayRef<double> factors);

/// Makes `operand` a constant of its own with these elements; the old constant
/// goes if nobody else reads it.
void replaceConstant(mlir::OpOperand &operand, llvm::ArrayRef<double> values);

/// Replaces a constant by its elements, each multiplied by the factor of its
/// channel.
void scaleConstant(const ChannelConstant &constant,
                   llvm::ArrayRef<double> factors);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CHANNELGROUP_H

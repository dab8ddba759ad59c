// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the output channels of a contraction lie: in its result, in values
// after reshapes, in its weight, in constants that are broadcast against it.
// One numbering of the channels ties them together: row-major over the channel
// dimensions of the result (groups first for a grouped convolution).

#ifndef QDIALECT_TRANSFORMS_OUTPUTCHANNELS_H
#define QDIALECT_TRANSFORMS_OUTPUTCHANNELS_H

#include "QDialect/Analysis/WeightChannels.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace qdialect {

/// The dimensions, ascending, of some value that carry the output channels.
struct OutputChannels {
  llvm::SmallVector<int64_t, 2> dims;
  llvm::SmallVector<int64_t, 2> sizes;

  int64_t count() const;

  /// The offset of channel `channel` in a tensor that is indexed by
  /// `positions` (dimensions of the value) and has `shape`. Nothing when the
  /// tensor varies along a dimension that carries no channels.
  std::optional<llvm::SmallVector<int64_t>>
  offsets(llvm::ArrayRef<int64_t> positions,
          llvm::ArrayRef<int64_t> shape) const;
};

/// The output channels in the result of a contraction; nothing if one of their
/// sizes is symbolic.
std::optional<OutputChannels> getOutputChannels(const ContractionStructure &s);

/// The output channels after a collapse_shape or expand_shape, as long as they
/// are not mixed with other dimensions.
std::optional<OutputChannels> followReshape(const OutputChannels &channels,
                                            mlir::Operation *reshape);

/// `x + constant` with one f32 value of `values` a channel; `channels` are
/// those of `x`.
mlir::linalg::GenericOp addPerChannel(mlir::OpBuilder &builder,
                                      mlir::Location loc, mlir::Value x,
                                      const OutputChannels &channels,
                                      llvm::ArrayRef<float> values);

/// The map that reads a constant of one value a channel.
mlir::AffineMap channelMap(mlir::MLIRContext *context, int64_t rank,
                           const OutputChannels &channels);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_OUTPUTCHANNELS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where channels lie: in the result of a contraction, in values after reshapes,
// in weights, in constants that are broadcast against a value. One numbering of
// the channels ties them together: row-major over the dimensions that carry
// them (groups first for a grouped convolution).

#ifndef QDIALECT_ANALYSIS_CHANNELDIMS_H
#define QDIALECT_ANALYSIS_CHANNELDIMS_H

#include "QDialect/Analysis/WeightChannels.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace qdialect {

/// The dimensions of some value that carry its channels, in the order of the
/// numbering.
struct ChannelDims {
  llvm::SmallVector<int64_t, 2> dims;
  llvm::SmallVector<int64_t, 2> sizes;

  bool operator==(const ChannelDims &other) const {
    return dims == other.dims && sizes == other.sizes;
  }
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
std::optional<ChannelDims> getOutputChannels(const ContractionStructure &s);

/// The channels after a collapse_shape or expand_shape, as long as they are not
/// mixed with other dimensions.
std::optional<ChannelDims> followReshape(const ChannelDims &channels,
                                         mlir::Operation *reshape);
/// The channels before it.
std::optional<ChannelDims> followReshapeBack(const ChannelDims &channels,
                                             mlir::Operation *reshape);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CHANNELDIMS_H

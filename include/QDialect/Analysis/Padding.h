// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tensor.pad surrounds its source with: one constant, or a constant for
// each index of one dimension (the zero points of channels):
//
//   ^bb0(%n: index, %h: index, %w: index, %c: index):
//     %v = tensor.extract %constant[%c] : tensor<32xi8>
//     tensor.yield %v : i8

#ifndef QDIALECT_ANALYSIS_PADDING_H
#define QDIALECT_ANALYSIS_PADDING_H

#include "QDialect/Support/ConstantView.h"
#include <optional>

namespace qdialect {

struct Padding {
  /// The same everywhere; null if it varies.
  mlir::Attribute value;
  /// Else one for each index of dimension `dim`.
  std::optional<ConstantView> values;
  unsigned dim = 0;

  bool isUniform() const { return static_cast<bool>(value); }
  /// The bits of the element at `index` of `dim`.
  uint64_t bits(int64_t index) const;
};

/// Nothing for an op that is no tensor.pad, and for one that pads with anything
/// else.
std::optional<Padding> getPadding(mlir::Operation *pad);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_PADDING_H

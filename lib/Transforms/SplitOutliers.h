// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of which some channels stay floats (LLM.int8()):
//
//   %y = linalg.matmul ins(%x, %w)
//   ->
//   %s = linalg.matmul ins(%x, %w with zeros in rows 3 and 7)  ; to be
//   quantized %y = linalg.generic %s, %x[., 3], %w[3, .], %x[., 7], %w[7, .]
//          { s + x3 * w3 + x7 * w7 }                           ; f32, in order
//
// Whatever %x is in these channels, it does not count in %s; scales are chosen
// without them (hideChannels).

#ifndef QDIALECT_LIB_TRANSFORMS_SPLITOUTLIERS_H
#define QDIALECT_LIB_TRANSFORMS_SPLITOUTLIERS_H

#include "QuantizableUnits.h"

namespace qdialect {

/// Can channels of the product's activation, its innermost dimension, stay
/// floats?
bool canSplitOutliers(const QuantizableUnit &unit);

/// The operand that holds the activation of such a unit.
mlir::OpOperand &activationOf(const QuantizableUnit &unit);

/// Moves the products of these channels, one at least, behind the contraction.
void splitOutliers(const QuantizableUnit &unit,
                   llvm::ArrayRef<int64_t> channels);

/// `x` with what no scale is chosen by in these channels of its innermost
/// dimension: zeros, or no number.
mlir::Value hideChannels(mlir::Value x, llvm::ArrayRef<int64_t> channels);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_SPLITOUTLIERS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The patterns behind the passes of the normalize phase
// (docs/PhaseContract.md section 3).

#ifndef QDIALECT_TRANSFORMS_NORMALIZEPATTERNS_H
#define QDIALECT_TRANSFORMS_NORMALIZEPATTERNS_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace qdialect {

/// contraction(x, W) * a + b  ->  contraction(x, W * a) + b.
void populateFoldChannelAffinePatterns(mlir::RewritePatternSet &patterns);

/// Convolutions and pools with channels before the image -> channels last,
/// between transposes.
void populateConvertToChannelLastPatterns(mlir::RewritePatternSet &patterns);

/// op(transpose(x)) -> transpose(op(x)), and transposes that cancel.
void populateSinkTransposesPatterns(mlir::RewritePatternSet &patterns);

/// transpose(op(x)) -> op(transpose(x)) where no transpose is added.
void populateHoistTransposesPatterns(mlir::RewritePatternSet &patterns);

/// transpose(transpose(x)), transposes of constants and fills.
void populateCancelTransposesPatterns(mlir::RewritePatternSet &patterns);

/// matmul(collapse(transpose(x)), W) -> matmul(collapse(x), permuted W).
void populatePermuteFlattenedWeightsPatterns(mlir::RewritePatternSet &patterns);

/// Transposes that only move dimensions of size 1 -> reshapes, and reshapes of
/// reshapes composed.
void populateUnitTransposesToReshapesPatterns(
    mlir::RewritePatternSet &patterns);

/// f(expand_shape(x)) -> expand_shape(f(x)), and reshapes that cancel.
void populateSinkReshapesPatterns(mlir::RewritePatternSet &patterns);

/// x * min(max(x + 3, 0), 6) and the like -> one op that reads x.
void populateFuseUnaryFunctionsPatterns(mlir::RewritePatternSet &patterns);

/// Transposes and batch reshapes around a product of two activations -> its
/// indexing maps.
void populateFoldLayoutIntoProductsPatterns(mlir::RewritePatternSet &patterns);

/// Weights whose groups are scattered along the sum, as blocks.
void populateSortWeightGroupsPatterns(mlir::RewritePatternSet &patterns);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_NORMALIZEPATTERNS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops that compute the same whatever the order of their dimensions, and how to
// build them in another order. What sinking and hoisting transposes share.

#ifndef QDIALECT_TRANSFORMS_LAYOUTOPS_H
#define QDIALECT_TRANSFORMS_LAYOUTOPS_H

#include "Permutations.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace qdialect {

/// True for element-wise generics, windowed generics over one tensor, pads,
/// concatenations, slices and the unary qd ops: one result, whose dimensions
/// may be permuted if those of the operands are.
bool isLayoutAgnostic(mlir::Operation *op);

/// The operands of a layout-agnostic op that have the dimensions of its result
/// and must be permuted with it. Broadcast operands and parameters (scales) are
/// not among them.
llvm::SmallVector<mlir::Value> layoutOperands(mlir::Operation *op);

/// A copy of layout-agnostic `op` whose result is `op`'s transposed by
/// `permutation`; operands are permuted with permuteValue. Discardable
/// attributes are kept.
mlir::Value buildPermuted(mlir::RewriterBase &rewriter, mlir::Operation *op,
                          llvm::ArrayRef<int64_t> permutation);

/// True when `value` transposed by `permutation` is free: a constant, a fill,
/// or the result of the inverse transpose.
bool isFreeToPermute(mlir::Value value, llvm::ArrayRef<int64_t> permutation);

/// The groups of a reshape between `narrow` and `wide` (more dimensions), with
/// dimensions of size 1 in the group before them. A reshape is free to put them
/// either way, but [g, 1, h, w] is g groups of one channel, not 1 x h rows.
llvm::SmallVector<mlir::ReassociationIndices>
unitsLast(llvm::ArrayRef<int64_t> narrow, llvm::ArrayRef<int64_t> wide);

/// One walk over `function` that sinks transposes through layout-agnostic ops
/// whose other operands are transposed alike, or are transposed elsewhere so
/// that their transpose exists already. Returns how many ops it rebuilt.
int64_t sinkMixedTransposes(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_LAYOUTOPS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes of tensors as operands. A pass that rebuilds an op needs a
// tensor.empty of the same sizes; asking the op's result by tensor.dim would
// make the new op depend on the old one, so sizes are followed to where they
// come from: the inits, the slices, the function's arguments.

#ifndef QDIALECT_ANALYSIS_TENSORSIZES_H
#define QDIALECT_ANALYSIS_TENSORSIZES_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace qdialect {

/// The sizes of a ranked tensor; numbers where its type is static. May create
/// tensor.dim and index arithmetic at the builder's insertion point.
llvm::SmallVector<mlir::OpFoldResult>
sizesOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor);

/// A tensor.empty of the sizes of `like`.
mlir::Value makeEmptyLike(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value like, mlir::Type elementType);
/// The same with the dimensions in another order: result dimension i is
/// `permutation[i]` of `like`.
mlir::Value makePermutedEmpty(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value like,
                              llvm::ArrayRef<int64_t> permutation);
/// A tensor.empty of `type` for an element-wise op that reads `inputs` by
/// `maps`, projected permutations that mention every dynamic dimension.
mlir::Value makeEmptyFor(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::RankedTensorType type, mlir::ValueRange inputs,
                         llvm::ArrayRef<mlir::AffineMap> maps);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_TENSORSIZES_H

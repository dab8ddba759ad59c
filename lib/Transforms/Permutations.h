// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Permuting values: constants are permuted in memory, fills are filled again,
// the rest gets a linalg.transpose.
//
// A permutation reads as in linalg.transpose: result dimension i is source
// dimension permutation[i].

#ifndef QDIALECT_TRANSFORMS_PERMUTATIONS_H
#define QDIALECT_TRANSFORMS_PERMUTATIONS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace qdialect {

using Permutation = llvm::SmallVector<int64_t, 6>;

/// inverse[permutation[i]] == i: transposing by both, in either order, changes
/// nothing.
Permutation invertPermutation(llvm::ArrayRef<int64_t> permutation);

/// Transposing by `first`, then by `second`, in one step.
Permutation composePermutations(llvm::ArrayRef<int64_t> first,
                                llvm::ArrayRef<int64_t> second);

/// values[permutation[i]] for each i.
template <class T>
llvm::SmallVector<T> permuted(llvm::ArrayRef<T> values,
                              llvm::ArrayRef<int64_t> permutation) {
  llvm::SmallVector<T> result;
  for (int64_t source : permutation)
    result.push_back(values[source]);
  return result;
}

mlir::RankedTensorType permuteType(mlir::RankedTensorType type,
                                   llvm::ArrayRef<int64_t> permutation);

/// True when permuteConstant would succeed.
bool isPermutableConstant(mlir::Value value);

/// The transposed constant: an arith.constant, or a qd.dequantize of constant
/// codes, whose per-axis scales and zero points are permuted along. Null for
/// anything else.
mlir::Value permuteConstant(mlir::OpBuilder &builder, mlir::Value value,
                            llvm::ArrayRef<int64_t> permutation);

/// `value` transposed, by the cheapest of: nothing, what another transpose was
/// made from, a permuted constant, the same fill of another shape,
/// linalg.transpose.
mlir::Value permuteValue(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value,
                         llvm::ArrayRef<int64_t> permutation);

/// A constant of `type` (as many elements) with the bytes of constant `value`;
/// null when `value` is no constant.
mlir::Value reshapeConstant(mlir::OpBuilder &builder, mlir::Value value,
                            mlir::RankedTensorType type);

/// Gives `to` what passes and importers noted on `from`: names, receipts. Not
/// what linalg keeps there for itself (the maps of a named op).
void copyAnnotations(mlir::Operation *from, mlir::Operation *to);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_PERMUTATIONS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits linalg.generic ops on static tensors, element-wise ones and the row
// reductions whose order Numerics/Reductions.h fixes.

#ifndef QDIALECT_LIB_TRANSFORMS_LINALGEMITTER_H
#define QDIALECT_LIB_TRANSFORMS_LINALGEMITTER_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace qdialect {

/// An input of an element-wise op: the tensor and the loops its dimensions run
/// over.
struct MappedTensor {
  mlir::Value value;
  mlir::AffineMap map;
};

class LinalgEmitter {
public:
  using Payload = llvm::function_ref<mlir::Value(
      mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

  LinalgEmitter(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  /// A parallel linalg.generic of static shape `type`; the payload gets one
  /// scalar for each input.
  mlir::Value elementwise(mlir::RankedTensorType type,
                          llvm::ArrayRef<MappedTensor> inputs, Payload payload);

  /// The map of a whole tensor, and of one that lacks dimension `axis`.
  mlir::AffineMap identity(unsigned rank);
  mlir::AffineMap without(unsigned rank, unsigned axis);

  /// Numerics' rowSum and rowMax along `axis`, which disappears.
  mlir::Value rowSum(mlir::Value x, unsigned axis);
  /// The number of groups of lanes that `size` elements fill.
  mlir::OpFoldResult blocksOf(mlir::Value size);
  mlir::Value rowMax(mlir::Value x, unsigned axis);

private:
  mlir::Value reduce(mlir::Value x, unsigned axis, double init,
                     Payload combine);
  /// The elements [offset, offset + size) of dimension `axis`.
  mlir::Value slice(mlir::Value x, unsigned axis, int64_t offset, int64_t size);
  /// `x` with +0 appended along `axis` until its size is a multiple.
  mlir::Value padToMultiple(mlir::Value x, unsigned axis, int64_t multiple);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// {0}, {1}, ..., {axis, ..., rank - 1}
llvm::SmallVector<mlir::ReassociationIndices> trailingGroups(int64_t rank,
                                                             int64_t axis);
/// The tensor with the dimensions from `axis` on as one.
mlir::Value mergeTrailing(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value x, unsigned axis);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_LINALGEMITTER_H

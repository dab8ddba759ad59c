// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes of every tensor of a program as expressions over the symbols of the
// function's arguments (the attribute qd.dims) and of those that the program
// computes (qd.data_size). Equal expressions are equal numbers in the table,
// wherever they were computed.

#ifndef QDIALECT_ANALYSIS_SYMBOLICSHAPES_H
#define QDIALECT_ANALYSIS_SYMBOLICSHAPES_H

#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace qdialect {

class SymbolicShapes {
public:
  using Shape = llvm::SmallVector<int64_t>;

  /// Names and bounds come from the attributes qd.dims and qd.dim_bounds; a
  /// dynamic dimension without a name is a symbol "<input>:<axis>".
  explicit SymbolicShapes(mlir::func::FuncOp function);

  SymbolicSizes sizes;

  /// The sizes of a ranked tensor; an unknown one is kDynamic.
  Shape shapeOf(mlir::Value tensor);
  /// The value of an index; kDynamic if it is computed from anything but sizes.
  int64_t sizeOf(mlir::Value index);
  int64_t sizeOf(mlir::OpFoldResult size);

private:
  Shape computeShape(mlir::Value tensor);
  int64_t computeSize(mlir::Value index);
  Shape sizesOf(llvm::ArrayRef<mlir::OpFoldResult> list);

  llvm::DenseMap<mlir::Value, Shape> shapes;
  llvm::DenseMap<mlir::Value, int64_t> indices;
};

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_SYMBOLICSHAPES_H

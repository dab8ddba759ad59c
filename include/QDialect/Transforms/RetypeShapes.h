// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of programs and of dispatches with other sizes: a whole program for
// given input shapes, which makes every type static, or a dispatch for a block
// of rows.

#ifndef QDIALECT_TRANSFORMS_RETYPESHAPES_H
#define QDIALECT_TRANSFORMS_RETYPESHAPES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// What copied values look like.
struct ShapeOracle {
  /// The type of the copy of a ranked tensor.
  std::function<mlir::RankedTensorType(mlir::Value)> typeOf;
  /// The number that an index is in the copy, if it is one.
  std::function<std::optional<int64_t>(mlir::Value)> numberOf;
};

/// Copies `op` with the oracle's types; sizes that it states follow them.
/// Operands are mapped by `map`, which learns the results. Dispatches lose
/// operands that became numbers.
void cloneRetyped(mlir::OpBuilder &builder, mlir::Operation *op,
                  mlir::IRMapping &map, const ShapeOracle &oracle);

/// A module with a copy of `function` in which the arguments have these shapes
/// and nothing is dynamic but what depends on data. The error names the input,
/// the dimension and both sizes that disagree.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
specializeShapes(mlir::func::FuncOp function,
                 llvm::ArrayRef<std::vector<int64_t>> shapes);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_RETYPESHAPES_H

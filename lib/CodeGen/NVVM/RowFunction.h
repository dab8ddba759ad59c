// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a row op does with a row: some passes that say something about all of
// it, then one that gives the elements of the result.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_ROWFUNCTION_H
#define QDIALECT_LIB_CODEGEN_NVVM_ROWFUNCTION_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "RowWalk.h"

namespace qdialect::gpu {

/// What the passes are written with.
struct RowBuilder {
  WarpEmitter &e;
  RowWalk &walk;
  /// The element of an operand: of one with rows in the thread's row, of one
  /// without (gamma, beta) at the column.
  std::function<mlir::Value(mlir::Value operand, const RowColumn &)> element;
  /// The RowFunction's own constants.
  llvm::SmallVector<mlir::Value> constants;
};

class RowFunction {
public:
  using Value = mlir::Value;

  virtual ~RowFunction();

  /// The dimensions of the op's result from `axis` on are the row.
  virtual int64_t axis() const = 0;
  virtual RowShape shape(int64_t rows, int64_t length) const = 0;
  /// Whether rows may have a symbolic length (a mean divides by it).
  virtual bool takesSymbolicLength() const { return false; }
  /// Tables beside the dispatch's constants.
  virtual std::vector<ConstantBlob> tables() const { return {}; }

  /// Emits the passes over the row, then gives what makes an element of the
  /// result.
  virtual std::function<Value(const RowColumn &)>
  emit(const RowBuilder &builder) const = 0;
};

/// Softmax, layer norm and RMS norm of floats; null for other ops.
std::unique_ptr<RowFunction> floatRowFunction(mlir::Operation *op);
/// The same of codes.
std::unique_ptr<RowFunction> integerRowFunction(mlir::Operation *op);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_ROWFUNCTION_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of scalar ops compiled to a list of column functions.

#ifndef QDIALECT_LIB_INTERPRETER_PAYLOAD_H
#define QDIALECT_LIB_INTERPRETER_PAYLOAD_H

#include "Registry.h"
#include "mlir/IR/Block.h"
#include "llvm/ADT/DenseMap.h"

namespace qdialect::interp {

class Payload {
public:
  /// Compiles the block without its terminator; ops in `skip` are left out.
  /// Values captured from above are read through the context and must be
  /// scalars (or tensors for tensor.extract, qd.lookup).
  static llvm::Expected<Payload>
  compile(mlir::Block &block, const Context &context,
          llvm::ArrayRef<mlir::Operation *> skip = {});

  /// The column of a block argument or of any value computed in the block.
  Column &column(mlir::Value value) { return *columnOf.lookup(value); }
  /// One linalg.index op: the dimension and the column to fill before run.
  struct Index {
    unsigned dim;
    Column *column;
  };
  llvm::ArrayRef<Index> indices() const { return indexColumns; }

  /// Evaluates n elements; `first` as in Columns.
  llvm::Error run(int64_t n, uint64_t first);

private:
  struct Step {
    mlir::Operation *op;
    ColumnFunction function;
    llvm::SmallVector<Column *, 4> in;
    llvm::SmallVector<Column *, 1> out;
  };
  llvm::Expected<Column *> addColumn(mlir::Operation *user, mlir::Value value,
                                     const Context &context);
  llvm::Error addCaptured(mlir::Operation *user, mlir::Value value,
                          const Context &context);

  std::vector<std::unique_ptr<Column>> columns;
  llvm::DenseMap<mlir::Value, Column *> columnOf;
  std::vector<Step> steps;
  llvm::SmallVector<Index, 2> indexColumns;
};

} // namespace qdialect::interp

#endif // QDIALECT_LIB_INTERPRETER_PAYLOAD_H

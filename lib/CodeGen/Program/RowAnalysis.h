// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values of a dispatch have rows is decided from the result backwards:
// the yielded value has them; an op whose result has them must hand the same
// dimensions on from those operands that mention them. One op may instead read
// an input in windows around each row: a convolution, a pool or a pad whose
// rows are the pixels of an image.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_ROWANALYSIS_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_ROWANALYSIS_H

#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseSet.h"
#include <optional>

namespace qdialect {

/// What is read around row r of one dimension: from r * stride - low on, and
/// `reach` further.
struct WindowAxis {
  int64_t stride = 1, reach = 0;
  int64_t low = 0; ///< may be symbolic
};

struct RowWindow {
  mlir::BlockArgument image;
  mlir::tensor::PadOp pad; ///< between the image and its reader, or null
  llvm::SmallVector<WindowAxis> axes; ///< by dimension of the rows

  /// Whether the window of a row has the image's own row in it, at `low`: then
  /// ops beside the reader may take the image row by row (a residual).
  bool containsRows() const;
};

class RowAnalysis {
public:
  /// Rows are the first `dims` dimensions of the result.
  RowAnalysis(qd::DispatchOp dispatch, SymbolicShapes &shapes, int64_t dims,
              bool takesWindow = false);

  bool run();
  /// After run(): whether a value has rows.
  bool hasRows(mlir::Value value) const { return withRows.contains(value); }
  const std::optional<RowWindow> &window() const { return found; }

private:
  bool require(mlir::Value value);
  bool requireNone(mlir::Value value);
  bool visit(mlir::Operation *op);
  bool visitLinalg(mlir::linalg::LinalgOp op);
  bool padsRowsAlike(mlir::tensor::PadOp pad) const;
  bool visitPad(mlir::tensor::PadOp pad);
  bool isRows(mlir::AffineMap map, llvm::ArrayRef<unsigned> loops) const;
  bool takeWindow(mlir::Value value, llvm::SmallVector<WindowAxis> axes);
  bool readsWindow(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                   llvm::ArrayRef<unsigned> loops);
  bool keepsGroups(llvm::ArrayRef<mlir::ReassociationIndices> groups) const;

  qd::DispatchOp dispatch;
  SymbolicShapes &shapes;
  int64_t dims;
  bool takesWindow;
  SymbolicShapes::Shape rows;
  llvm::DenseSet<mlir::Value> withRows, withoutRows;
  std::optional<RowWindow> found;
};

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_ROWANALYSIS_H

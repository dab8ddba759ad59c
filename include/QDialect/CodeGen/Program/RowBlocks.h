// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches of dynamic size by blocks of rows. Where the leading dimensions of
// the result are parallel and every tensor either has them too or does not
// depend on them, the rows of the result (the product of those dimensions) are
// independent and lie one after the other, in the inputs as well. A copy of the
// dispatch for R rows is then a kernel for all of them, moved along by the size
// of a row:
//
//   ins(%x: tensor<?x?x384xf32>) -> tensor<?x?x384xf32>
//     = for each 16 rows: ins(tensor<16x1x384xf32>) -> tensor<16x1x384xf32>
//
// If the sizes behind the rows are static, the copy is too, and every kernel
// family takes it as if the model had been compiled for that size.

#ifndef QDIALECT_CODEGEN_PROGRAM_ROWBLOCKS_H
#define QDIALECT_CODEGEN_PROGRAM_ROWBLOCKS_H

#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/IR/QDDialect.h"
#include <optional>

namespace qdialect {

struct RowBlocks {
  /// Leading dimensions of the result that are rows.
  int64_t numDims = 0;
  /// By input: whether it has rows, or is the same for all of them.
  llvm::SmallVector<bool> inputHasRows;
  /// True if nothing behind the rows is dynamic.
  bool isStatic = false;
  /// Elements of a row of the result; 0 if that is not static.
  int64_t rowElements = 0;
  /// Multiply-accumulates of a row.
  double rowMacs = 0;

  /// The most leading dimensions that are rows, if there are any.
  static std::optional<RowBlocks> analyze(qd::DispatchOp dispatch,
                                          SymbolicShapes &shapes);

  /// The block heights to make kernels for, in falling order and ending in 1:
  /// few rows are not worth the code of a large one. `tall`: of products for a
  /// machine that computes thousands of rows at once.
  llvm::SmallVector<int64_t> heights(bool tall = false) const;

  /// The dispatch for `rows` rows, built in a function of its own in `module`.
  /// Sizes that it needs no more are no inputs; `inputs` are the numbers of
  /// those that are left.
  qd::DispatchOp build(qd::DispatchOp dispatch, SymbolicShapes &shapes,
                       int64_t rows, mlir::ModuleOp module,
                       llvm::SmallVectorImpl<unsigned> &inputs) const;
};

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_ROWBLOCKS_H

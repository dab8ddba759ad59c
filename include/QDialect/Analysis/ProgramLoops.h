// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control flow of a program: loops and branches whose bodies are cut into
// kernels, quantized and planned like the program around them, as against those
// that are themselves one kernel (a running sum).
//
// A program loop is an scf.for (a recurrent layer over time):
//
//   %end:2 = scf.for %t = %c0 to %c9 step %c1
//              iter_args(%h = %first, %all = %empty) {
//     %x = tensor.extract_slice %inputs[%t, 0, 0] [1, 1, 64] [1, 1, 1]
//     %next = ...
//     %rows = tensor.insert_slice %next into %all[%t, 0, 0] [1, 1, 16] ...
//     scf.yield %next, %rows
//   }
//
// The counter chooses rows of tensors and nothing else: what is read is a view,
// what is written is a row of a carried tensor.
//
// A program while is an scf.while that goes on by a bool that it carries:
//
//   %y:2 = scf.while (%go = %begin, %x = %start) : ... {
//     %c = tensor.extract %go[] : tensor<i1>
//     scf.condition(%c) %go, %x : ...
//   } do { ... }
//
// A program branch is an scf.if that gives tensors:
//
//   %y = scf.if %loud -> (tensor<1x8xf32>) {
//     ...
//     scf.yield %a
//   } else { scf.yield %b }

#ifndef QDIALECT_ANALYSIS_PROGRAMLOOPS_H
#define QDIALECT_ANALYSIS_PROGRAMLOOPS_H

#include "QDialect/Analysis/SymbolicShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <optional>

namespace qdialect {

/// A loop of step one from a constant to a size, over tensors whose sizes are
/// known before the program runs or computed by it (SymbolicShapes), that
/// stands in the function or in another op of its control flow. Constant bounds
/// mean at least one iteration; a symbolic one may be none.
bool isProgramLoop(mlir::Operation *op);

/// An scf.if with both regions that gives tensors and stands in the function or
/// in another op of its control flow.
bool isProgramBranch(mlir::Operation *op);

/// An scf.while over tensors that stands in the function or in another op of
/// its control flow and does nothing but test a bool that it carries before an
/// iteration.
bool isProgramWhile(mlir::Operation *op);

/// The tensor that a program while goes on by.
mlir::Value getGoesOn(mlir::scf::WhileOp programWhile);

/// Are the sizes of a tensor left open: by a qd.any_size, or because control
/// flow carries or gives such a tensor?
bool isLeftOpen(mlir::Value tensor);

/// A program loop, while or branch.
bool isProgramRegion(mlir::Operation *op);

/// The innermost program branch around `op`; null if it always runs.
mlir::scf::IfOp branchAround(mlir::Operation *op);

/// Does a program while run `op`, only the run knows how often?
bool isInWhile(mlir::Operation *op);

/// The body of a function and those of its program loops, whiles and branches,
/// outer ones first; none of a declaration.
llvm::SmallVector<mlir::Block *> programBlocks(mlir::func::FuncOp function);
/// The same, inner ones first: what is erased takes nothing along that is still
/// to come.
llvm::SmallVector<mlir::Block *>
programBlocksInnerFirst(mlir::func::FuncOp function);

/// The constant that the counter of a program loop starts with.
int64_t getFirst(mlir::scf::ForOp programLoop);

/// How often the program runs `op`: the iterations of the loops around it,
/// symbolic numbers counted as one.
int64_t timesRun(mlir::Operation *op);

/// Row `factor * counter + offset` of a tensor's first dimension.
struct LoopRow {
  mlir::Value counter; ///< null for a row that is always the same
  int64_t factor = 0;
  int64_t offset = 0; ///< a size
};

/// The row that a slice reads or writes whole; nothing for other slices.
/// `shapes` are those of the function.
std::optional<LoopRow> getLoopRow(mlir::OffsetSizeAndStrideOpInterface slice,
                                  SymbolicShapes &shapes);

/// Is `op` a view of a row that the counter of a program loop chooses?
bool isLoopRowView(mlir::Operation *op);

/// The write of a row that result `index` of a loop's body is; null if it is
/// anything else.
mlir::tensor::InsertSliceOp getRowWrite(mlir::scf::ForOp loop, unsigned index);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_PROGRAMLOOPS_H

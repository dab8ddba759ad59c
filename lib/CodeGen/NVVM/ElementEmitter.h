// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of a tensor of a dispatch, computed where they are asked for: the
// ops between them and memory are followed backwards, index by index. Elements
// that are asked for together are reduced in the same loops, so that their
// loads can be joined. Payloads stay scalar qd, arith and math ops, which the
// kernel pipeline expands as the interpreter computes them.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H
#define QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H

#include "Emitter.h"
#include "KernelRegion.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace qdialect::gpu {

/// Whether `op` of a dispatch is one that elements are followed through.
bool isFollowed(mlir::Operation &op);

/// A dispatch and the sizes of its tensors, root and steps unset; nothing where
/// one does not follow from what a kernel knows.
std::optional<cpu::KernelRegion> sizedRegion(qd::DispatchOp dispatch);

/// What counts the tasks of a kernel of symbolic sizes: the product of the
/// result's first `dims` dimensions, divided by `divisor`.
std::function<int64_t(SymbolicShapes &)>
tasksOfDims(qd::DispatchOp dispatch, size_t dims, int64_t divisor);

/// An operand that has a loop of `op` as a dimension, and which.
std::optional<std::pair<mlir::Value, unsigned>>
loopTensor(mlir::linalg::LinalgOp op, unsigned loop);

/// Whether the elements of a dispatch's result can be computed one by one
/// without computing anything often: at most one reduction, and that one with
/// as many results as the dispatch.
bool isElementByElement(const cpu::KernelRegion &region);

/// Whether the elements of `value` stand where those of `root` do that they are
/// made of.
bool keepsPlaces(mlir::Value value, mlir::Operation *root);

/// Whether the dispatch is `root` with steps behind it that elements are
/// followed through to the same place of the root's result.
bool isFollowedTo(qd::DispatchOp dispatch, mlir::Operation *root);

/// The constants that elements are loaded from (those of one value are not),
/// in the order of the kernel's parameters; where there is a `root`, those that
/// the steps behind it need.
llvm::SmallVector<mlir::Value> loadedConstants(qd::DispatchOp dispatch,
                                               mlir::Operation *root = nullptr);

class ElementEmitter {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  /// Indices (of type index) of an element each.
  using Places = llvm::SmallVector<Values>;

  /// `pointers`: inputs, output, loaded constants. Where there is a `root` its
  /// results are defined, not computed.
  ElementEmitter(mlir::ImplicitLocOpBuilder &builder, qd::DispatchOp dispatch,
                 mlir::ValueRange pointers, mlir::Operation *root = nullptr);
  /// Symbolic sizes of `region` are read at the insertion point; their address
  /// is the last of `pointers`.
  ElementEmitter(mlir::ImplicitLocOpBuilder &builder,
                 const cpu::KernelRegion &region, mlir::ValueRange pointers);

  /// The elements of `tensor` at some places.
  Values at(Value tensor, const Places &places);
  Value at(Value tensor, mlir::ValueRange indices) {
    return at(tensor, Places{Values(indices)}).front();
  }
  /// Says what `tensor` holds at the places that will lead to it, one element
  /// each, until something else is said; forgets what was computed before.
  void define(Value tensor, Values elements);
  /// Stores an element of the result; `position` counts elements.
  void store(Value element, Value position);
  /// The indices of element number `position` of a shape.
  Values indicesOf(Value position, llvm::ArrayRef<int64_t> shape);
  /// Says that `indices` are those of element number `position` of a shape, so
  /// that nobody has to compute it.
  void identify(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape,
                Value position);

  /// A number or a symbolic size.
  Value index(int64_t number);
  Value mul(Value a, int64_t b);

private:
  llvm::SmallVector<int64_t> shapeOf(Value tensor) const;
  Value add(Value a, Value b);
  Value linear(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape);
  Value address(Value pointer, Value position, mlir::Type element);
  Value load(Value pointer, Value position, mlir::Type element);
  Values compute(Value tensor, const Places &places);
  Values linalgElements(mlir::linalg::LinalgOp op, const Places &places);
  Values padElements(mlir::tensor::PadOp op, const Places &places);
  /// The innermost values of the reduction loops from the first of
  /// `reductions` on; `loops` of an element each.
  Values reduce(mlir::linalg::LinalgOp op, Places &loops,
                llvm::ArrayRef<unsigned> reductions, Values accumulators);
  Values payload(mlir::linalg::LinalgOp op, const Places &loops,
                 const Values &accumulators);
  Value scalar(Value value, mlir::IRMapping &mapping);

  mlir::ImplicitLocOpBuilder &b;
  qd::DispatchOp dispatch;
  Values pointers, constants;
  std::shared_ptr<SymbolicShapes> shapes; ///< null: all sizes are numbers
  std::optional<cpu::Emitter> sizes;      ///< what is known of them
  llvm::SmallDenseMap<Value, Values> defined;
  /// By indices, of which shape they number which element. What computes the
  /// indices has the number at hand, so it dominates all uses.
  std::map<std::vector<void *>, std::pair<std::vector<int64_t>, Value>> numbers;
  /// What was computed in this block or around it.
  std::map<std::pair<void *, std::vector<void *>>, Value> known;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H

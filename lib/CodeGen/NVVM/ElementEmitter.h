// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One element of a tensor of a dispatch, computed where it is asked for: the
// ops between it and memory are followed backwards, index by index. Payloads
// stay scalar qd, arith and math ops, which the kernel pipeline expands as the
// interpreter computes them.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H
#define QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace qdialect::gpu {

/// Whether `op` of a dispatch is one that elements are followed through.
bool isFollowed(mlir::Operation &op);

/// Whether the elements of a dispatch's result can be computed one by one
/// without computing anything often: static shapes, at most one reduction, and
/// that one with as many results as the dispatch.
bool isElementByElement(qd::DispatchOp dispatch);

/// The constants that elements are loaded from (those of one value are not),
/// in the order of the kernel's parameters.
llvm::SmallVector<mlir::Value> loadedConstants(qd::DispatchOp dispatch);

class ElementEmitter {
public:
  using Value = mlir::Value;

  /// `pointers`: inputs, output, loaded constants.
  ElementEmitter(mlir::ImplicitLocOpBuilder &builder, qd::DispatchOp dispatch,
                 mlir::ValueRange pointers);

  /// The element of `tensor` at `indices` (of type index).
  Value at(Value tensor, mlir::ValueRange indices);
  /// Says what `tensor` holds at the indices that will lead to it, until
  /// something else is said; forgets what was computed before.
  void define(Value tensor, Value element);
  /// Stores an element of the result; `position` counts elements.
  void store(Value element, Value position);
  /// The indices of element number `position` of a shape.
  llvm::SmallVector<Value> indicesOf(Value position,
                                     llvm::ArrayRef<int64_t> shape);

private:
  Value index(int64_t number);
  Value add(Value a, Value b);
  Value mul(Value a, int64_t b);
  Value linear(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape);
  Value address(Value pointer, Value position, mlir::Type element);
  Value load(Value pointer, Value position, mlir::Type element);
  Value compute(Value tensor, mlir::ValueRange indices);
  Value linalgElement(mlir::linalg::LinalgOp op, mlir::ValueRange indices);
  Value padElement(mlir::tensor::PadOp op, mlir::ValueRange indices);
  /// The innermost value of the reduction loops from `next` on.
  Value reduce(mlir::linalg::LinalgOp op, llvm::MutableArrayRef<Value> loops,
               llvm::ArrayRef<unsigned> reductions, Value accumulator);
  Value payload(mlir::linalg::LinalgOp op, llvm::ArrayRef<Value> loops,
                Value accumulator);
  Value scalar(Value value, mlir::IRMapping &mapping);

  mlir::ImplicitLocOpBuilder &b;
  qd::DispatchOp dispatch;
  llvm::SmallVector<Value> pointers;
  llvm::SmallVector<Value> constants;
  llvm::SmallDenseMap<Value, Value> defined;
  /// What was computed in this block or around it.
  std::map<std::pair<void *, std::vector<void *>>, Value> known;
};

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_ELEMENTEMITTER_H

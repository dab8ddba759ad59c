// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A linalg op with its loops counted and its operands addressed: what the three
// ways to evaluate one (contraction kernel, reduction, map) share.

#ifndef QDIALECT_LIB_INTERPRETER_STRUCTURED_H
#define QDIALECT_LIB_INTERPRETER_STRUCTURED_H

#include "Payload.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qdialect::interp {

struct Structured {
  mutable mlir::linalg::LinalgOp op; ///< its accessors are not const
  /// Inputs first, then inits, as in the op.
  llvm::ArrayRef<HostTensor> operands;
  llvm::SmallVector<int64_t> sizes; ///< of each loop
  llvm::SmallVector<bool> reduces;  ///< of each loop
  /// One an operand: where its map is linear, base and stride of each loop.
  struct Address {
    mlir::AffineMap map;
    bool linear = false;
    int64_t base = 0;
    llvm::SmallVector<int64_t> strides;
  };
  llvm::SmallVector<Address> addresses;
  llvm::SmallVector<Element> elements; ///< one an operand

  static llvm::Expected<Structured> create(mlir::linalg::LinalgOp op,
                                           llvm::ArrayRef<HostTensor> operands,
                                           const Context &context);

  int64_t numLoops() const { return int64_t(sizes.size()); }
  size_t numInputs() const { return op.getNumDpsInputs(); }
  size_t numInits() const { return op.getNumDpsInits(); }
  bool hasReduction() const { return llvm::is_contained(reduces, true); }
  /// The operand's cursor over all loops in order.
  Cursor cursor(size_t operand) const;
};

/// Runs a contraction (a sum of products over linear maps) through Numerics'
/// reference kernels. std::nullopt if the op is none.
std::optional<HostTensor> runContraction(const Structured &structured);

} // namespace qdialect::interp

#endif // QDIALECT_LIB_INTERPRETER_STRUCTURED_H

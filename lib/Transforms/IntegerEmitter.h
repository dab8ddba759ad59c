// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operation set of Numerics/IntegerSequences.h that emits: one arith op for
// each step, in the shape of an ElementBuilder. Whoever runs the emitted ops
// gets the numbers that ScalarIntegers computes.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGEREMITTER_H
#define QDIALECT_LIB_TRANSFORMS_INTEGEREMITTER_H

#include "ElementBuilder.h"
#include "QDialect/Numerics/IntegerSequences.h"

namespace qdialect {

struct IntegerEmitter {
  using Value = mlir::Value;

  ElementBuilder &b;
  /// Element `index` (i32) of a table, as i32.
  llvm::function_ref<Value(const std::vector<int32_t> &, Value index)> read;

  Value narrow(Value x) { return b.resize(x, 32, /*isSigned=*/true); }
  Value wide(Value x) { return b.resize(x, 64, /*isSigned=*/true); }
  Value number(Value x, int64_t n) {
    return b.constant(mlir::getElementTypeOrSelf(x), n);
  }
  Value add(Value x, Value y) { return b.make<mlir::arith::AddIOp>(x, y); }
  Value sub(Value x, Value y) { return b.make<mlir::arith::SubIOp>(x, y); }
  Value mul(Value x, Value y) { return b.make<mlir::arith::MulIOp>(x, y); }
  Value min(Value x, Value y) { return b.make<mlir::arith::MinSIOp>(x, y); }
  Value max(Value x, Value y) { return b.make<mlir::arith::MaxSIOp>(x, y); }
  Value div(Value x, Value y) { return b.make<mlir::arith::DivUIOp>(x, y); }
  Value shl(Value x, Value n) { return b.make<mlir::arith::ShLIOp>(x, n); }
  Value shr(Value x, Value n) { return b.make<mlir::arith::ShRSIOp>(x, n); }
  Value upper(Value x, int64_t n) { return narrow(shr(x, number(x, n))); }
  Value low(Value x) { return x; }
  Value within(Value x, int64_t, int64_t) { return x; }
  Value table(const std::vector<int32_t> &numbers, Value index) {
    auto last = static_cast<int64_t>(numbers.size()) - 1;
    return read(numbers,
                b.make<mlir::arith::AndIOp>(index, number(index, last)));
  }
  Value bitLength(Value x) {
    int64_t width = mlir::getElementTypeOrSelf(x).getIntOrFloatBitWidth();
    return sub(number(x, width), b.make<mlir::math::CountLeadingZerosOp>(x));
  }
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGEREMITTER_H

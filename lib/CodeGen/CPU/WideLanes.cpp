// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 64-bit integers on 16 lanes (WideLanes.h).

#include "WideLanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {

static constexpr int64_t kHalf = Emitter::kLanes / 2;

static VectorType halfType(Emitter &e) {
  return Emitter::vector(e.i64(), kHalf);
}

Halves Halves::constant(Emitter &e, int64_t number) {
  Value both = e.constantInt(halfType(e), number);
  return {both, both};
}

Halves Halves::of(Emitter &e, Value lanes) {
  if (getElementTypeOrSelf(lanes).isInteger(32)) {
    Value pairs = e.bitcast(lanes, halfType(e));
    Value odd =
        arith::ShRSIOp::create(e, pairs, e.constantInt(halfType(e), 32));
    return Halves{Halves{pairs, pairs}.narrow(e).even, odd};
  }
  auto every = [&](int64_t from) -> Value {
    SmallVector<int64_t> order;
    for (int64_t i = from; i < Emitter::kLanes; i += 2)
      order.push_back(i);
    return vector::ShuffleOp::create(e, lanes, lanes, order);
  };
  return {every(0), every(1)};
}

Halves Halves::narrow(Emitter &e) const {
  Halves bits = constant(e, 32);
  return make<arith::ShRSIOp>(e, make<arith::ShLIOp>(e, *this, bits), bits);
}

Value Halves::words(Emitter &e, int64_t first) const {
  auto type = Emitter::vector(e.i32());
  SmallVector<int64_t> order;
  for (int64_t i = first; i < Emitter::kLanes; i += 2)
    llvm::append_values(order, i, Emitter::kLanes + i);
  return vector::ShuffleOp::create(e, e.bitcast(even, type),
                                   e.bitcast(odd, type), order);
}

Value Halves::joined(Emitter &e) const {
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < kHalf; ++i)
    llvm::append_values(order, i, kHalf + i);
  return vector::ShuffleOp::create(e, even, odd, order);
}

} // namespace qdialect::cpu

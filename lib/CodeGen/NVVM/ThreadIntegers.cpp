// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer sequences of a thread (ThreadIntegers.h).

#include "ThreadIntegers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::gpu {

Value ThreadIntegers::narrow(Value x) {
  if (x.getType().isInteger(32))
    return x;
  return arith::TruncIOp::create(e, e.getI32Type(), x);
}

Value ThreadIntegers::wide(Value x) {
  if (x.getType().isInteger(64))
    return x;
  return arith::ExtSIOp::create(e, e.getI64Type(), x);
}

Value ThreadIntegers::div(Value x, Value y) {
  return arith::DivUIOp::create(e, x, y);
}

Value ThreadIntegers::shr(Value x, Value n) {
  return arith::ShRSIOp::create(e, x, n);
}

Value ThreadIntegers::table(const std::vector<int32_t> &numbers, Value index) {
  auto last = static_cast<int64_t>(numbers.size()) - 1;
  Value place = e.toI64(e.mul(e.andBits(index, last), 4));
  return e.load(e.getI32Type(), e.at(tables.at(numbers.data()), place), 4);
}

Value ThreadIntegers::bitLength(Value x) {
  return e.sub(e.constantOf(x.getType(), 64),
               math::CountLeadingZerosOp::create(e, x));
}

} // namespace qdialect::gpu

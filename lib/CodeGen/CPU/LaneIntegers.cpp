// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer sequences on lanes (LaneIntegers.h). 64-bit lanes whose numbers fit
// 32 bits stay 32-bit lanes until something else is done with them than a
// product.

#include "LaneIntegers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::cpu {

Value lookUpRegisters(Emitter &e, ArrayRef<Value> registers, Value index) {
  auto type = Emitter::vector(e.i32());
  auto pair = [&](size_t first) {
    return e.intrinsic("llvm.x86.avx512.vpermi2var.d.512", type,
                       {registers[first], index, registers[first + 1]});
  };
  assert((registers.size() == 2 || registers.size() == 4) &&
         "32 or 64 numbers");
  if (registers.size() == 2)
    return pair(0);
  Value bit = arith::AndIOp::create(e, index, e.constantInt(type, 32));
  Value isLower = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, bit,
                                        e.constantInt(type, 0));
  return arith::SelectOp::create(e, isLower, pair(0), pair(2));
}

void LaneIntegers::addTable(const std::vector<int32_t> &numbers,
                            Value pointer) {
  Table &table = tables[numbers.data()];
  table.pointer = pointer;
  bool isSmall = numbers.size() == 32 || numbers.size() == 64;
  if (!isSmall || !e.target.hasAvx512())
    return;
  for (size_t i = 0; i < numbers.size(); i += Emitter::kLanes)
    table.registers.push_back(e.load(Emitter::vector(e.i32()),
                                     e.at(pointer, static_cast<int64_t>(4 * i)),
                                     4));
}

LaneNumber LaneIntegers::ofRow(Value scalar, bool fitsWord) {
  if (fitsWord) {
    Value word = arith::TruncIOp::create(e, e.i32(), scalar);
    return {e.broadcast(word, Emitter::vector(e.i32())), {}, /*isWide=*/true};
  }
  Value half =
      e.broadcast(scalar, Emitter::vector(e.i64(), Emitter::kLanes / 2));
  return {{}, {half, half}, /*isWide=*/true};
}

Halves LaneIntegers::halvesOf(LaneNumber x) {
  return x.halves ? x.halves : Halves::of(e, x.value);
}

template <class Op>
LaneNumber LaneIntegers::make(LaneNumber x, LaneNumber y) {
  if (!x.isWide)
    return {Op::create(e, x.value, y.value)};
  return {{}, Halves::make<Op>(e, halvesOf(x), halvesOf(y)), /*isWide=*/true};
}

LaneNumber LaneIntegers::narrow(LaneNumber x) {
  if (x.halves)
    return {x.halves.lower(e)};
  if (x.isVector() || x.value.getType().isInteger(32))
    return {x.value};
  return {arith::TruncIOp::create(e, e.i32(), x.value)};
}

LaneNumber LaneIntegers::wide(LaneNumber x) {
  if (x.isVector())
    return {x.value, x.halves, /*isWide=*/true};
  if (x.value.getType().isInteger(64))
    return x;
  return {arith::ExtSIOp::create(e, e.i64(), x.value)};
}

LaneNumber LaneIntegers::number(LaneNumber x, int64_t n) {
  if (!x.isWide)
    return {e.constantInt(x.value.getType(), n)};
  return {{}, Halves::constant(e, n), /*isWide=*/true};
}

LaneNumber LaneIntegers::add(LaneNumber x, LaneNumber y) {
  return make<arith::AddIOp>(x, y);
}
LaneNumber LaneIntegers::sub(LaneNumber x, LaneNumber y) {
  return make<arith::SubIOp>(x, y);
}
LaneNumber LaneIntegers::mul(LaneNumber x, LaneNumber y) {
  return make<arith::MulIOp>(x, y);
}
LaneNumber LaneIntegers::min(LaneNumber x, LaneNumber y) {
  return make<arith::MinSIOp>(x, y);
}
LaneNumber LaneIntegers::max(LaneNumber x, LaneNumber y) {
  return make<arith::MaxSIOp>(x, y);
}
LaneNumber LaneIntegers::div(LaneNumber x, LaneNumber y) {
  return make<arith::DivUIOp>(x, y);
}
LaneNumber LaneIntegers::shl(LaneNumber x, LaneNumber n) {
  return make<arith::ShLIOp>(x, n);
}
LaneNumber LaneIntegers::shr(LaneNumber x, LaneNumber n) {
  return make<arith::ShRSIOp>(x, n);
}

LaneNumber LaneIntegers::upper(LaneNumber x, int64_t n) {
  if (!x.isWide)
    return narrow(shr(x, number(x, n)));
  Value words = halvesOf(x).upper(e);
  return {
      arith::ShRSIOp::create(e, words, e.constantInt(words.getType(), n - 32))};
}

LaneNumber LaneIntegers::low(LaneNumber x) {
  if (!x.halves)
    return x;
  return {{}, x.halves.narrow(e), /*isWide=*/true};
}

LaneNumber LaneIntegers::table(const std::vector<int32_t> &numbers,
                               LaneNumber index) {
  const Table &table = tables.find(numbers.data())->second;
  if (!table.registers.empty())
    return {lookUpRegisters(e, table.registers, index.value)};
  auto type = Emitter::vector(e.i32());
  auto last = static_cast<int64_t>(numbers.size()) - 1;
  Value place =
      arith::AndIOp::create(e, index.value, e.constantInt(type, last));
  Value addresses = LLVM::GEPOp::create(
      e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i32(), table.pointer,
      ArrayRef<LLVM::GEPArg>{place}, LLVM::GEPNoWrapFlags::inbounds);
  return {LLVM::masked_gather::create(
      e, type, addresses, e.prefixMask(Emitter::kLanes),
      ValueRange{e.constantInt(type, 0)}, e.getI32IntegerAttr(4))};
}

LaneNumber LaneIntegers::bitLength(LaneNumber x) {
  Value zeros = math::CountLeadingZerosOp::create(e, x.value);
  return sub(number(x, 64), {zeros});
}

} // namespace qdialect::cpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 64-bit integers on lanes, and the dyadic rescaling that they are for:
//
//   q = z + round_half_even(x * multiplier / 2^shift)
//
// Machines multiply the even 32-bit lanes of a register into 64 bits, so i64
// values live as two registers, of the even lanes and of the odd ones, and need
// no widening move; the upper halves of both are one shuffle away from the
// lanes of the result. Where the bounds of a layer prove that no product lies
// half way between two codes and every shift is at least 33, the lower halves
// matter to nobody:
//
//   q = z + ((upper(x * multiplier) >> (shift - 33)) + 1) >> 1

#include "Payload.h"
#include "PayloadFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

static VectorType halfType(Emitter &e) {
  return Emitter::vector(e.i64(), Emitter::kLanes / 2);
}

/// The 32-bit lanes `from`, `from` + 2, ... of both halves, in order.
static Value joined(Emitter &e, const Lanes &halves, int64_t from) {
  auto type = Emitter::vector(e.i32());
  SmallVector<int64_t> lanes;
  for (int64_t i = from; i < Emitter::kLanes; i += 2)
    llvm::append_values(lanes, i, Emitter::kLanes + i);
  return vector::ShuffleOp::create(e, e.bitcast(halves.even, type),
                                   e.bitcast(halves.odd, type), lanes);
}

Value PayloadEmitter::words(Lanes &lanes) {
  auto type = Emitter::vector(e.i32());
  if (lanes.words)
    return lanes.words;
  if (lanes.known && llvm::isInt<32>(*lanes.known))
    return lanes.words = e.constantInt(type, *lanes.known);
  if (lanes.offset)
    return lanes.words = arith::SubIOp::create(e, offset(lanes),
                                               e.constantInt(type, 128));
  auto element =
      lanes.plain ? dyn_cast<IntegerType>(getElementTypeOrSelf(lanes.plain))
                  : IntegerType();
  if (!element || element.getWidth() > 32)
    return {};
  if (element.getWidth() == 32)
    return lanes.words = lanes.plain;
  return lanes.words = arith::ExtSIOp::create(e, type, lanes.plain);
}

void PayloadEmitter::makeHalves(Lanes &lanes) {
  if (lanes.even)
    return;
  VectorType type = halfType(e);
  if (lanes.known) {
    lanes.even = lanes.odd = e.constantInt(type, *lanes.known);
    return;
  }
  if (Value narrow = words(lanes)) {
    Value pairs = e.bitcast(narrow, type), bits = e.constantInt(type, 32);
    lanes.even = arith::ShRSIOp::create(
        e, arith::ShLIOp::create(e, pairs, bits), bits);
    lanes.odd = arith::ShRSIOp::create(e, pairs, bits);
    return;
  }
  auto every = [&](int64_t from) -> Value {
    SmallVector<int64_t> order;
    for (int64_t i = from; i < Emitter::kLanes; i += 2)
      order.push_back(i);
    return vector::ShuffleOp::create(e, lanes.plain, lanes.plain, order);
  };
  lanes.even = every(0);
  lanes.odd = every(1);
}

/// i16 or i64 lanes as their scalar type has them.
Value PayloadEmitter::plainOfWide(Lanes &lanes) {
  if (lanes.even) {
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < Emitter::kLanes / 2; ++i)
      llvm::append_values(order, i, Emitter::kLanes / 2 + i);
    return vector::ShuffleOp::create(e, lanes.even, lanes.odd, order);
  }
  auto type = Emitter::vector(IntegerType::get(e.getContext(), lanes.bits));
  if (lanes.bits < 32)
    return arith::TruncIOp::create(e, type, lanes.words);
  return arith::ExtSIOp::create(e, type, lanes.words);
}

Value PayloadEmitter::roundingShift(const Lanes &halves, Value shift,
                                    Value zero, const Epilogue::Shift &facts) {
  auto type = Emitter::vector(e.i32());
  auto number = [&](int64_t n) { return e.constantInt(type, n); };
  Value one = number(1);
  if (facts.isHigh && facts.neverTies) {
    // The floor of halves of a step, rounded up with the zero point in it.
    Value upper = joined(e, halves, 1);
    Value rest = arith::SubIOp::create(e, shift, number(33));
    Value steps = arith::ShRSIOp::create(e, upper, rest);
    Value twice = arith::AddIOp::create(
        e, arith::ShLIOp::create(e, zero, one), one);
    return arith::ShRSIOp::create(e, arith::AddIOp::create(e, steps, twice),
                                  one);
  }
  Lanes counts = Lanes::ofWords(shift, 64);
  makeHalves(counts);
  bool fromAbove = facts.neverTies || facts.isLow;
  Lanes sums;
  auto shifted = [&](Value half, Value count, Value &sum) -> Value {
    Value unit = e.constantInt(half.getType(), 1);
    Value middle = arith::ShLIOp::create(
        e, unit, arith::SubIOp::create(e, count, unit));
    if (!fromAbove) {
      // One less, and one more where the floor is odd.
      Value floor = arith::ShRSIOp::create(e, half, count);
      middle = arith::AddIOp::create(e, arith::SubIOp::create(e, middle, unit),
                                     arith::AndIOp::create(e, floor, unit));
    }
    sum = arith::AddIOp::create(e, half, middle);
    return arith::ShRSIOp::create(e, sum, count);
  };
  Lanes quotients = Lanes::halves({}, {});
  quotients.even = shifted(halves.even, counts.even, sums.even);
  quotients.odd = shifted(halves.odd, counts.odd, sums.odd);
  Value rounded = joined(e, quotients, 0);
  if (!facts.neverTies && facts.isLow) {
    // Rounded up from the middle: an odd number goes back down.
    Value places = arith::SubIOp::create(e, number(32), shift);
    Value mask = arith::ShRUIOp::create(e, number(-1), places);
    Value rest = arith::AndIOp::create(e, joined(e, sums, 0), mask);
    Value tie = arith::CmpIOp::create(e, arith::CmpIPredicate::eq, rest,
                                      number(0));
    Value even = arith::AndIOp::create(e, rounded, number(-2));
    rounded = arith::SelectOp::create(e, tie, even, rounded);
  }
  return arith::AddIOp::create(e, rounded, zero);
}

std::optional<Lanes> PayloadEmitter::rescale(Frame &frame, qd::RescaleOp op) {
  Type alphabet = op.getType();
  if (!(alphabet.isInteger(8) || alphabet.isInteger(16)) ||
      op.getRounding() != qd::Rounding::HalfEven ||
      op.getOverflow() != qd::Overflow::Saturate)
    return std::nullopt;
  std::optional<Epilogue::Shift> facts = epilogue.shiftOf(op);
  if (!facts || (op.getZeroPoint() &&
                 !Epilogue::isSafeZeroPoint(epilogue.rangeOf(op.getZeroPoint()))))
    return std::nullopt;
  Lanes input = frame.scalar(*this, op.getInput());
  Lanes multiplier = frame.scalar(*this, op.getMultiplier());
  Lanes product = input;
  if (multiplier.known == 1) {
    makeHalves(product);
  } else {
    if (!words(input) || !words(multiplier))
      return std::nullopt;
    product = wideProduct(input, multiplier);
  }
  auto type = Emitter::vector(e.i32());
  int64_t offset = isOffsetBinary(alphabet) ? 128 : 0;
  Value zero = e.constantInt(type, offset);
  if (op.getZeroPoint()) {
    Lanes &lanes = frame.scalar(*this, op.getZeroPoint());
    zero = lanes.known ? e.constantInt(type, *lanes.known + offset)
                       : Value(arith::AddIOp::create(e, words(lanes), zero));
  }
  Value codes = roundingShift(product, words(frame.scalar(*this, op.getShift())),
                              zero, *facts);
  if (isOffsetBinary(alphabet)) {
    Lanes lanes = Lanes::codes(codes);
    lanes.pending = true;
    return lanes;
  }
  codes = arith::MaxSIOp::create(e, codes, e.constantInt(type, INT16_MIN));
  codes = arith::MinSIOp::create(e, codes, e.constantInt(type, INT16_MAX));
  return Lanes::ofWords(codes, 16);
}

Lanes PayloadEmitter::wideProduct(Lanes &a, Lanes &b) {
  makeHalves(a);
  makeHalves(b);
  return Lanes::halves(arith::MulIOp::create(e, a.even, b.even),
                       arith::MulIOp::create(e, a.odd, b.odd));
}

std::optional<Lanes> PayloadEmitter::wideOp(Frame &frame, Operation *op) {
  if (auto rescaleOp = dyn_cast<qd::RescaleOp>(op))
    return rescale(frame, rescaleOp);
  if (auto ext = dyn_cast<arith::ExtSIOp>(op)) {
    Value narrow = words(frame.scalar(*this, ext.getIn()));
    if (!narrow || ext.getIn().getType().isInteger(1))
      return std::nullopt;
    if (ext.getType().isInteger(32))
      return Lanes::of(narrow);
    if (ext.getType().isInteger(64))
      return Lanes::ofWords(narrow, 64);
    return std::nullopt;
  }
  if (!isa<arith::MulIOp, arith::AddIOp, arith::SubIOp>(op) ||
      !op->getResult(0).getType().isInteger(64))
    return std::nullopt;
  Lanes &a = frame.scalar(*this, op->getOperand(0)),
        &b = frame.scalar(*this, op->getOperand(1));
  if (isa<arith::MulIOp>(op)) {
    if (!words(a) || !words(b))
      return std::nullopt;
    return wideProduct(a, b);
  }
  if (!a.even && !b.even)
    return std::nullopt;
  makeHalves(a);
  makeHalves(b);
  auto both = [&](auto combine) {
    return Lanes::halves(combine(a.even, b.even), combine(a.odd, b.odd));
  };
  if (isa<arith::AddIOp>(op))
    return both([&](Value x, Value y) -> Value {
      return arith::AddIOp::create(e, x, y);
    });
  return both([&](Value x, Value y) -> Value {
    return arith::SubIOp::create(e, x, y);
  });
}

} // namespace qdialect::cpu

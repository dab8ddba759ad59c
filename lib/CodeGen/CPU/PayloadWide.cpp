// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 64-bit integers of payloads (WideLanes.h), and the dyadic rescaling that they
// are for:
//
//   q = z + round_half_even(x * multiplier / 2^shift)
//
// Where the bounds of a layer prove that no product lies half way between two
// codes and every shift is at least 33, the lower words of the products matter
// to nobody:
//
//   q = ((upper(x * multiplier) >> (shift - 33)) + 1 + 2 z) >> 1

#include "Payload.h"
#include "PayloadFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

Value PayloadEmitter::words(Lanes &lanes) {
  auto type = Emitter::vector(e.i32());
  if (lanes.words)
    return lanes.words;
  if (lanes.known && llvm::isInt<32>(*lanes.known))
    return lanes.words = e.constantInt(type, *lanes.known);
  if (lanes.offset || lanes.steps)
    return lanes.words = arith::SubIOp::create(e, offset(lanes),
                                               e.constantInt(type, 128));
  auto element = lanes.plain
                     ? dyn_cast<IntegerType>(getElementTypeOrSelf(lanes.plain))
                     : IntegerType();
  if (!element || element.getWidth() > 32)
    return {};
  if (element.getWidth() == 32)
    return lanes.words = lanes.plain;
  return lanes.words = arith::ExtSIOp::create(e, type, lanes.plain);
}

Halves PayloadEmitter::halves(Lanes &lanes) {
  if (!lanes.wide) {
    if (lanes.known)
      lanes.wide = Halves::constant(e, *lanes.known);
    else if (Value narrow = words(lanes))
      lanes.wide = Halves::of(e, narrow);
    else
      lanes.wide = Halves::of(e, lanes.plain);
  }
  return lanes.wide;
}

/// i16 or i64 lanes as their scalar type has them.
Value PayloadEmitter::plainOfWide(Lanes &lanes) {
  if (lanes.wide)
    return lanes.wide.joined(e);
  auto type = Emitter::vector(IntegerType::get(e.getContext(), lanes.bits));
  if (lanes.bits < 32)
    return arith::TruncIOp::create(e, type, lanes.words);
  return arith::ExtSIOp::create(e, type, lanes.words);
}

Value PayloadEmitter::roundingShift(Halves product, Value shift, Value zero,
                                    const Epilogue::Shift &facts) {
  auto number = [&](int64_t n) {
    return e.constantInt(Emitter::vector(e.i32()), n);
  };
  Halves counts = Halves::of(e, shift), unit = Halves::constant(e, 1);
  // 2^(shift - 1), from above: SSE2 has no left shift of a count a lane, LLVM
  // makes one of a float's exponent there.
  Halves half = Halves::make<arith::ShRUIOp>(
      e, Halves::constant(e, int64_t{1} << 62),
      Halves::make<arith::SubIOp>(e, Halves::constant(e, 63), counts));
  if (!facts.neverTies && !facts.isLow) {
    // One less, and one more where the floor is odd.
    Halves floor = Halves::make<arith::ShRSIOp>(e, product, counts);
    half = Halves::make<arith::AddIOp>(
        e, Halves::make<arith::SubIOp>(e, half, unit),
        Halves::make<arith::AndIOp>(e, floor, unit));
  }
  Halves sum = Halves::make<arith::AddIOp>(e, product, half);
  Value rounded = Halves::make<arith::ShRSIOp>(e, sum, counts).lower(e);
  if (!facts.neverTies && facts.isLow) {
    // Rounded up from the middle, an odd number goes back down.
    Value mask = arith::ShRUIOp::create(
        e, number(-1), arith::SubIOp::create(e, number(32), shift));
    Value rest = arith::AndIOp::create(e, sum.lower(e), mask);
    Value tie =
        arith::CmpIOp::create(e, arith::CmpIPredicate::eq, rest, number(0));
    Value even = arith::AndIOp::create(e, rounded, number(-2));
    rounded = arith::SelectOp::create(e, tie, even, rounded);
  }
  return arith::AddIOp::create(e, rounded, zero);
}

Value PayloadEmitter::roundingShift(Value number, Value shift, Value zero,
                                    const Epilogue::Shift &facts) {
  auto constant = [&](int64_t n) {
    return e.constantInt(Emitter::vector(e.i32()), n);
  };
  Value half = arith::ShRUIOp::create(
      e, constant(1 << 30), arith::SubIOp::create(e, constant(31), shift));
  if (!facts.neverTies) {
    // One less, and one more where the floor is odd.
    Value floor = arith::ShRSIOp::create(e, number, shift);
    Value odd = arith::AndIOp::create(e, floor, constant(1));
    half = arith::AddIOp::create(e, half, constant(-1));
    number = arith::AddIOp::create(e, number, odd);
  }
  Value sum = arith::AddIOp::create(e, number, half);
  return arith::AddIOp::create(e, arith::ShRSIOp::create(e, sum, shift), zero);
}

std::optional<Lanes> PayloadEmitter::rescale(Frame &frame, qd::RescaleOp op) {
  Type alphabet = op.getType();
  if (!(alphabet.isInteger(8) || alphabet.isInteger(16)) ||
      op.getRounding() != qd::Rounding::HalfEven ||
      op.getOverflow() != qd::Overflow::Saturate)
    return std::nullopt;
  std::optional<Epilogue::Shift> facts = epilogue.shiftOf(op);
  if (!facts || (op.getZeroPoint() && !Epilogue::isSafeZeroPoint(
                                          epilogue.rangeOf(op.getZeroPoint()))))
    return std::nullopt;
  Lanes input = frame.scalar(*this, op.getInput());
  Lanes multiplier = frame.scalar(*this, op.getMultiplier());
  auto type = Emitter::vector(e.i32());
  int64_t offset = isOffsetBinary(alphabet) ? 128 : 0;
  Value zero = e.constantInt(type, offset);
  if (op.getZeroPoint()) {
    Lanes &lanes = frame.scalar(*this, op.getZeroPoint());
    zero = lanes.known ? e.constantInt(type, *lanes.known + offset)
                       : Value(arith::AddIOp::create(e, words(lanes), zero));
  }
  Value shift = words(frame.scalar(*this, op.getShift()));
  Value codes;
  if (facts->isNarrow) {
    codes = roundingShift(words(input), shift, zero, *facts);
  } else {
    Halves product = halves(input);
    if (multiplier.known != 1) {
      if (!words(input) || !words(multiplier))
        return std::nullopt;
      product = Halves::make<arith::MulIOp>(e, product, halves(multiplier));
    }
    if (facts->isHigh && facts->neverTies) {
      // The floor of halves of a step, rounded up with the zero point in it.
      Value rest = arith::SubIOp::create(e, shift, e.constantInt(type, 33));
      Value steps = arith::ShRSIOp::create(e, product.upper(e), rest);
      Value one = e.constantInt(type, 1);
      Value twice = arith::ShLIOp::create(e, zero, one);
      twice = arith::AddIOp::create(e, twice, one);
      if (isOffsetBinary(alphabet))
        return Lanes::doubled(steps, twice);
      Value doubled = arith::AddIOp::create(e, steps, twice);
      codes = arith::ShRSIOp::create(e, doubled, one);
    } else {
      codes = roundingShift(product, shift, zero, *facts);
    }
  }
  if (isOffsetBinary(alphabet)) {
    Lanes lanes = Lanes::codes(codes);
    lanes.pending = true;
    return lanes;
  }
  codes = arith::MaxSIOp::create(e, codes, e.constantInt(type, INT16_MIN));
  codes = arith::MinSIOp::create(e, codes, e.constantInt(type, INT16_MAX));
  return Lanes::ofWords(codes, 16);
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
    return Lanes::ofHalves(
        Halves::make<arith::MulIOp>(e, halves(a), halves(b)));
  }
  if (!a.wide && !b.wide)
    return std::nullopt;
  return Lanes::ofHalves(
      isa<arith::AddIOp>(op)
          ? Halves::make<arith::AddIOp>(e, halves(a), halves(b))
          : Halves::make<arith::SubIOp>(e, halves(a), halves(b)));
}

} // namespace qdialect::cpu

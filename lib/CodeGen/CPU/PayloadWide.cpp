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
//   q = z + (upper(x * multiplier) + 2^(digits - 1)) >> digits
//
// where shift - 32 = digits. More than seven digits are cut off first: then the
// number fits the words of packed stores as far as it can be a code.

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
  if (lanes.offset || lanes.fixed)
    return lanes.words = arith::SubIOp::create(e, offset(lanes),
                                               e.constantInt(type, 128));
  if (lanes.mantissa)
    plain(lanes);
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

Value PayloadEmitter::shifted(Halves product, Value shift, Value digits,
                              const Epilogue::Shift &facts) {
  if (!facts.neverTies) {
    // A little less, unless the floor is odd: a tie goes to the even side.
    Halves counts = Halves::of(e, shift), unit = Halves::constant(e, 1);
    Halves floor = Halves::make<arith::ShRSIOp>(e, product, counts);
    Halves odd = Halves::make<arith::AndIOp>(e, floor, unit);
    product = Halves::make<arith::AddIOp>(
        e, product, Halves::make<arith::SubIOp>(e, odd, unit));
  }
  Value rest = arith::SubIOp::create(e, shift, digits);
  if (!facts.isHigh)
    return Halves::make<arith::ShRSIOp>(e, product, Halves::of(e, rest))
        .lower(e);
  if (facts.isWord)
    return product.upper(e);
  return arith::ShRSIOp::create(
      e, product.upper(e),
      arith::SubIOp::create(e, rest, e.constantInt(rest.getType(), 32)));
}

Value PayloadEmitter::shifted(Value number, Value shift, Value digits,
                              const Epilogue::Shift &facts) {
  if (!facts.neverTies) {
    Value one = e.constantInt(Emitter::vector(e.i32()), 1);
    Value floor = arith::ShRSIOp::create(e, number, shift);
    Value odd = arith::AndIOp::create(e, floor, one);
    number =
        arith::AddIOp::create(e, number, arith::SubIOp::create(e, odd, one));
  }
  return arith::ShRSIOp::create(e, number,
                                arith::SubIOp::create(e, shift, digits));
}

Value PayloadEmitter::rounded(const Lanes::FixedPoint &fixed) {
  auto number = [&](int64_t n) {
    return e.constantInt(Emitter::vector(e.i32()), n);
  };
  // Half a code and the zero point, which depend on the channel alone. (A left
  // shift of a count a lane would be made of floats on SSE2.)
  constexpr unsigned most = Epilogue::kMostDigits;
  Value half = arith::ShRUIOp::create(
      e, number(1 << (most - 1)),
      arith::SubIOp::create(e, number(most), fixed.digits));
  Value halves = arith::AddIOp::create(
      e, arith::AddIOp::create(e, fixed.zero, fixed.zero), number(1));
  Value sum = arith::AddIOp::create(e, fixed.number,
                                    arith::MulIOp::create(e, half, halves));
  return arith::ShRSIOp::create(e, sum, fixed.digits);
}

Value PayloadEmitter::roundLow(Halves product, Value shift) {
  auto number = [&](int64_t n) {
    return e.constantInt(Emitter::vector(e.i32()), n);
  };
  Halves counts = Halves::of(e, shift), unit = Halves::constant(e, 1);
  Halves half = Halves::make<arith::ShLIOp>(
      e, unit, Halves::make<arith::SubIOp>(e, counts, unit));
  Halves sum = Halves::make<arith::AddIOp>(e, product, half);
  Value rounded = Halves::make<arith::ShRSIOp>(e, sum, counts).lower(e);
  // Rounded up from the middle, an odd number goes back down.
  Value mask = arith::ShRUIOp::create(
      e, number(-1), arith::SubIOp::create(e, number(32), shift));
  Value rest = arith::AndIOp::create(e, sum.lower(e), mask);
  Value tie =
      arith::CmpIOp::create(e, arith::CmpIPredicate::eq, rest, number(0));
  Value even = arith::AndIOp::create(e, rounded, number(-2));
  return arith::SelectOp::create(e, tie, even, rounded);
}

std::optional<Lanes> PayloadEmitter::rescale(Frame &frame, qd::RescaleOp op) {
  Type alphabet = op.getType();
  if (!(alphabet.isInteger(8) || alphabet.isInteger(16)) ||
      (op.getRounding() != qd::Rounding::HalfEven &&
       op.getRounding() != qd::Rounding::HalfUp) ||
      op.getOverflow() != qd::Overflow::Saturate)
    return std::nullopt;
  std::optional<Epilogue::Shift> facts = epilogue.shiftOf(op);
  if (!facts || (op.getZeroPoint() && !Epilogue::isSafeZeroPoint(
                                          epilogue.rangeOf(op.getZeroPoint()))))
    return std::nullopt;
  if (op.getRounding() == qd::Rounding::HalfUp)
    facts->neverTies = true; // ties need no care
  Lanes input = frame.scalar(*this, op.getInput());
  Lanes multiplier = frame.scalar(*this, op.getMultiplier());
  auto type = Emitter::vector(e.i32());
  int64_t binary = isOffsetBinary(alphabet) ? 128 : 0;
  Value zero = e.constantInt(type, binary);
  if (op.getZeroPoint()) {
    Lanes &lanes = frame.scalar(*this, op.getZeroPoint());
    zero = lanes.known ? e.constantInt(type, *lanes.known + binary)
                       : Value(arith::AddIOp::create(e, words(lanes), zero));
  }
  Value shift = words(frame.scalar(*this, op.getShift()));
  Value digits = e.constantInt(type, facts->digits);
  if (facts->isHigh) // no more than the upper words have
    digits = arith::MinSIOp::create(
        e, digits, arith::SubIOp::create(e, shift, e.constantInt(type, 32)));
  Lanes codes;
  if (facts->isNarrow) {
    codes = Lanes::fixedPoint(
        {shifted(words(input), shift, digits, *facts), digits, zero});
  } else {
    Halves product = halves(input);
    if (multiplier.known != 1) {
      if (!words(input) || !words(multiplier))
        return std::nullopt;
      product = Halves::make<arith::MulIOp>(e, product, halves(multiplier));
    }
    // SSE2 has no left shifts of a count a lane, LLVM makes some of floats.
    if (facts->isLow && !facts->neverTies && e.target.isa != CpuTarget::Scalar)
      codes.offset = arith::AddIOp::create(e, roundLow(product, shift), zero);
    else
      codes = Lanes::fixedPoint(
          {shifted(product, shift, digits, *facts), digits, zero});
  }
  codes.pending = isOffsetBinary(alphabet);
  if (codes.pending) {
    if (codes.fixed && !facts->hasCodeAsZero) {
      codes.offset = rounded(*codes.fixed);
      codes.fixed.reset();
    }
    return codes;
  }
  Value clamped = offset(codes);
  clamped = arith::MaxSIOp::create(e, clamped, e.constantInt(type, INT16_MIN));
  clamped = arith::MinSIOp::create(e, clamped, e.constantInt(type, INT16_MAX));
  return Lanes::ofWords(clamped, 16);
}

std::optional<Lanes> PayloadEmitter::wideOp(Frame &frame, Operation *op) {
  if (auto rescaleOp = dyn_cast<qd::RescaleOp>(op))
    return rescale(frame, rescaleOp);
  if (auto sum = dyn_cast<arith::AddIOp>(op))
    if (std::optional<Lanes> dot = dotOp(frame, sum))
      return dot;
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

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Casts of i8 codes on lanes, and the narrowing stores of their results. The
// arithmetic is that of docs/Numerics.md: q = z + rne(clamp(x, qmin - z, qmax -
// z)), NaN gives z. Since the bounds are integers the clamp may follow the
// rounding, as long as the rounding itself cannot leave the range of i32.

#include "Payload.h"
#include "PayloadFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include <numeric>

using namespace mlir;

namespace qdialect::cpu {

/// Far beyond the codes, near enough that the rounded value stays in i32.
static constexpr double kClampMagnitude = 1 << 24;

Lanes PayloadEmitter::toCodes(Type alphabet, Value real, Value zeroPoint,
                              std::optional<int64_t> knownZeroPoint,
                              std::optional<Interval> range) {
  auto type = Emitter::vector(e.i32());
  auto realType = Emitter::vector(e.f32());
  Value unclamped = real;
  if (!Epilogue::isSafe(range)) {
    // Any bounds beyond the codes do: the exact clamp follows.
    auto bound = [&](double limit, arith::CmpFPredicate keep) {
      Value limits = e.constant(realType, limit);
      Value inside = arith::CmpFOp::create(e, keep, real, limits);
      real = arith::SelectOp::create(e, inside, real, limits);
    };
    bound(kClampMagnitude, arith::CmpFPredicate::OLT);
    bound(-kClampMagnitude, arith::CmpFPredicate::OGT);
  }
  bool addsToRound = isAmongTiles && Epilogue::isNear(range);
  Value rounded;
  if (addsToRound) {
    Value sum = arith::AddFOp::create(
        e, real, e.bitcast(e.constantInt(type, kBits), realType));
    rounded = arith::SubIOp::create(e, e.bitcast(sum, type),
                                    e.constantInt(type, kBits));
  } else {
    rounded = LLVM::LrintOp::create(e, type, real);
  }
  if (!range) {
    Value ordered = arith::CmpFOp::create(e, arith::CmpFPredicate::ORD,
                                          unclamped, unclamped);
    rounded =
        arith::SelectOp::create(e, ordered, rounded, e.constantInt(type, 0));
  }
  bool isOffset = isOffsetBinary(alphabet);
  int64_t shift = isOffset ? 128 : 0;
  Value zero;
  if (knownZeroPoint)
    zero = e.constantInt(type, *knownZeroPoint + shift);
  else // the sum of what does not depend on the place first
    zero = isOffset ? Value(arith::AddIOp::create(e, zeroPoint,
                                                  e.constantInt(type, shift)))
                    : zeroPoint;
  Value codes = arith::AddIOp::create(e, rounded, zero);
  if (isOffset) {
    Lanes lanes = Lanes::codes(codes);
    lanes.rounded = rounded;
    lanes.zero = zero;
    lanes.pending = true;
    return lanes;
  }
  codes = arith::MaxSIOp::create(e, codes, e.constantInt(type, INT16_MIN));
  codes = arith::MinSIOp::create(e, codes, e.constantInt(type, INT16_MAX));
  return Lanes::of(
      arith::TruncIOp::create(e, Emitter::vector(alphabet), codes));
}

/// clamp(x, low, high) followed by max or min with `bound` is one clamp.
static Lanes clampAgain(Lanes lanes, bool isMax, int64_t bound) {
  lanes.pending = true;
  lanes.plain = {};
  lanes.low = isMax ? std::max(lanes.low, bound) : std::min(lanes.low, bound);
  lanes.high =
      isMax ? std::max(lanes.high, bound) : std::min(lanes.high, bound);
  return lanes;
}

Lanes PayloadEmitter::centred(Lanes &lanes, int64_t zeroPoint) {
  auto type = Emitter::vector(e.i32());
  auto number = [&](int64_t n) { return e.constantInt(type, n); };
  auto sum = [&](Value a, Value b) -> Value {
    return arith::AddIOp::create(e, a, b);
  };
  Value code, addend;
  if (lanes.rounded && lanes.pending) {
    // The bounds are the same everywhere, and what is left to add is nothing
    // where the zero point is that of the rounding.
    int64_t shift = isAmongTiles ? kBits : 0;
    auto bound = [&](int64_t limit) -> Value {
      return arith::SubIOp::create(e, number(limit + shift), lanes.zero);
    };
    code = sum(lanes.rounded, number(shift));
    code = arith::MaxSIOp::create(e, code, bound(lanes.low));
    code = arith::MinSIOp::create(e, code, bound(lanes.high));
    addend = arith::SubIOp::create(e, lanes.zero, number(128 + zeroPoint));
  } else {
    code = offset(lanes);
    if (isAmongTiles)
      code = sum(code, number(kBits));
    addend = number(-128 - zeroPoint);
  }
  if (!isAmongTiles)
    return Lanes::of(sum(code, addend));
  return Lanes::ofMantissa(code, addend);
}

Value PayloadEmitter::real(Lanes &lanes) {
  auto type = Emitter::vector(e.i32());
  auto realType = Emitter::vector(e.f32());
  if (!lanes.mantissa)
    return arith::SIToFPOp::create(e, realType, plain(lanes));
  Value base =
      arith::SubIOp::create(e, e.constantInt(type, kBits), lanes.addend);
  return arith::SubFOp::create(e, e.bitcast(lanes.mantissa, realType),
                               e.bitcast(base, realType));
}

static bool isI8(Value value) { return value.getType().isInteger(8); }

/// The codes that `toCodes` makes.
static bool isRounded(Value value) {
  return value.getType().isInteger(8) || value.getType().isInteger(16);
}

/// The rounding and overflow that the short sequence implements.
template <class Op>
static bool isPlainCast(Op op) {
  return op.getRounding() == qd::Rounding::HalfEven &&
         op.getOverflow() == qd::Overflow::Saturate;
}

std::optional<Lanes> PayloadEmitter::codeOp(Frame &frame, Operation *op) {
  auto type = Emitter::vector(e.i32());
  auto realType = Emitter::vector(e.f32());
  auto lanesOf = [&](Value value) -> Lanes & {
    return frame.scalar(*this, value);
  };
  /// A zero point we accept: absent, or small enough not to wrap.
  struct ZeroPoint {
    bool accepted;
    std::optional<int64_t> known;
    Value lanes;
  };
  auto zeroPointOf = [&](Value value) -> ZeroPoint {
    if (!value)
      return {true, 0, {}};
    if (!value.getType().isInteger(32))
      return {false, {}, {}};
    Lanes &lanes = lanesOf(value);
    std::optional<Interval> range = epilogue.rangeOf(value);
    if (lanes.known)
      return {Epilogue::isSafeZeroPoint(range), lanes.known, {}};
    return {Epilogue::isSafeZeroPoint(range), {}, plain(lanes)};
  };

  if (auto ext = dyn_cast<arith::ExtSIOp>(op)) {
    if (!isI8(ext.getIn()) || !ext.getType().isInteger(32))
      return std::nullopt;
    return centred(lanesOf(ext.getIn()), 0);
  }
  if (auto difference = dyn_cast<arith::SubIOp>(op)) {
    // A zero point is subtracted.
    Lanes number = lanesOf(difference.getLhs());
    Value rhs = difference.getRhs();
    if (!number.mantissa ||
        !difference.getLhs().getDefiningOp<arith::ExtSIOp>() ||
        !Epilogue::isSafeZeroPoint(epilogue.rangeOf(rhs)) ||
        !(lanesOf(rhs).known || epilogue.parameters.contains(rhs)))
      return std::nullopt;
    return Lanes::ofMantissa(
        number.mantissa,
        arith::SubIOp::create(e, number.addend, plain(lanesOf(rhs))));
  }
  if (auto convert = dyn_cast<arith::SIToFPOp>(op)) {
    if (!convert.getType().isF32())
      return std::nullopt;
    Lanes number = lanesOf(convert.getIn());
    if (isI8(convert.getIn()))
      number = centred(number, 0);
    else if (!number.mantissa)
      return std::nullopt;
    return Lanes::of(real(number));
  }
  if (isa<arith::MaxSIOp, arith::MinSIOp>(op)) {
    if (!isI8(op->getResult(0)))
      return std::nullopt;
    bool isMax = isa<arith::MaxSIOp>(op);
    Lanes a = lanesOf(op->getOperand(0)), b = lanesOf(op->getOperand(1));
    if (a.known && !b.known)
      std::swap(a, b);
    if (b.known) {
      if (!a.offset && !a.fixed)
        offset(a);
      if (!a.pending) {
        a.low = 0;
        a.high = 255;
      }
      return clampAgain(a, isMax, *b.known + 128);
    }
    Value x = offset(a), y = offset(b);
    return Lanes::codes(isMax ? Value(arith::MaxSIOp::create(e, x, y))
                              : Value(arith::MinSIOp::create(e, x, y)));
  }
  if (auto quantize = dyn_cast<qd::QuantizeOp>(op)) {
    if (!isRounded(quantize.getResult()) ||
        !quantize.getInput().getType().isF32() || !isPlainCast(quantize) ||
        quantize.getScales().size() != 1 || quantize.getGroupIndex() ||
        quantize.getZeroPointDomain() != qd::ZeroPointDomain::Code ||
        !quantize.getScales()[0].getType().isF32())
      return std::nullopt;
    ZeroPoint zero = zeroPointOf(quantize.getZeroPoint());
    if (!zero.accepted)
      return std::nullopt;
    Value scale = quantize.getScales()[0];
    Value real = plain(lanesOf(quantize.getInput()));
    if (!epilogue.isOne(scale))
      real = arith::DivFOp::create(e, real, plain(lanesOf(scale)));
    return toCodes(quantize.getType(), real, zero.lanes, zero.known,
                   epilogue.roundedRange(op));
  }
  if (auto requantize = dyn_cast<qd::RequantizeOp>(op)) {
    if (!isRounded(requantize.getResult()) ||
        !requantize.getInput().getType().isInteger(32) ||
        !isPlainCast(requantize) || !requantize.getScale().getType().isF32())
      return std::nullopt;
    ZeroPoint zero = zeroPointOf(requantize.getZeroPoint());
    if (!zero.accepted)
      return std::nullopt;
    Value real = arith::SIToFPOp::create(e, realType,
                                         plain(lanesOf(requantize.getInput())));
    real =
        arith::MulFOp::create(e, real, plain(lanesOf(requantize.getScale())));
    return toCodes(requantize.getType(), real, zero.lanes, zero.known,
                   epilogue.roundedRange(op));
  }
  if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
    if (!isI8(dequantize.getInput()) || !dequantize.getType().isF32() ||
        dequantize.getScales().size() != 1 || dequantize.getGroupIndex() ||
        dequantize.getZeroPointDomain() != qd::ZeroPointDomain::Code ||
        !dequantize.getScales()[0].getType().isF32())
      return std::nullopt;
    ZeroPoint zero = zeroPointOf(dequantize.getZeroPoint());
    if (!zero.accepted)
      return std::nullopt;
    Lanes number =
        centred(lanesOf(dequantize.getInput()), zero.known.value_or(0));
    if (zero.lanes && number.mantissa)
      number.addend = arith::SubIOp::create(e, number.addend, zero.lanes);
    else if (zero.lanes)
      number.plain = arith::SubIOp::create(e, number.plain, zero.lanes);
    return Lanes::of(arith::MulFOp::create(
        e, real(number), plain(lanesOf(dequantize.getScales()[0]))));
  }
  return std::nullopt;
}

/// The vector that is written to memory.
Value PayloadEmitter::narrowed(Lanes lanes) {
  Type element = epilogue.region->resultType().getElementType();
  if (isOffsetBinary(element))
    return arith::TruncIOp::create(e, Emitter::vector(e.i8()), offset(lanes));
  Value value = plain(lanes);
  if (auto integer = dyn_cast<IntegerType>(element)) {
    auto bytes = Emitter::vector(e.i8());
    if (integer.getWidth() == 1)
      return arith::ExtUIOp::create(e, bytes, value);
    if (integer.getWidth() < 8)
      return arith::ExtSIOp::create(e, bytes, value);
    return value;
  }
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() >= 16)
    return value;
  return qd::StorageCastOp::create(
      e, Emitter::vector(qd::getStorageType(element)), value);
}

Value PayloadEmitter::packedWords(const Lanes &low, const Lanes &high) {
  auto words = Emitter::vector(e.getI16Type(), 32);
  auto pack = [&](Value low, Value high) {
    return e.intrinsic("llvm.x86.avx512.packssdw.512", words, {low, high});
  };
  if (!low.fixed)
    return pack(low.offset, high.offset);
  // What saturates at 2^15 is rounded to 256 at least, beyond the codes on the
  // same side. (x * 2^(15 - digits) + 2^14) >> 15 rounds half up.
  auto factor = [&](const Lanes &lanes) -> Value {
    auto number = [&](int64_t n) {
      return e.constantInt(Emitter::vector(e.i32()), n);
    };
    return arith::ShRUIOp::create(
        e, number(1 << 14),
        arith::SubIOp::create(e, lanes.fixed->digits, number(1)));
  };
  Value steps = e.intrinsic("llvm.x86.avx512.pmul.hr.sw.512", words,
                            {pack(low.fixed->number, high.fixed->number),
                             pack(factor(low), factor(high))});
  return arith::AddIOp::create(e, steps,
                               pack(low.fixed->zero, high.fixed->zero));
}

bool PayloadEmitter::storePacked(ArrayRef<Lanes> parts, Value pointer,
                                 Value mask) {
  // 64 codes in one store: packs saturate, so a clamp to [0, 255] is free and a
  // narrower one costs a byte min and max for all of them.
  if (!e.target.hasAvx512() || parts.size() != 4 || mask ||
      !isOffsetBinary(epilogue.region->resultType().getElementType()))
    return false;
  bool isFixed = parts[0].fixed && !parts[0].offset;
  for (const Lanes &part : parts)
    if ((isFixed ? part.offset || !part.fixed : !part.offset) || part.known ||
        part.pending != parts[0].pending || part.low != parts[0].low ||
        part.high != parts[0].high)
      return false;
  auto bytes = Emitter::vector(e.i8(), 64);
  auto doubles = Emitter::vector(e.i32());
  Value packed = e.intrinsic(
      "llvm.x86.avx512.packuswb.512", bytes,
      {packedWords(parts[0], parts[1]), packedWords(parts[2], parts[3])});
  // Packs work within 128 bits: dword 4 * l + p belongs to lanes 4 * l of part
  // p.
  SmallVector<int64_t> order;
  for (int64_t part = 0; part < 4; ++part)
    for (int64_t lane = 0; lane < 4; ++lane)
      order.push_back(4 * lane + part);
  Value asDoubles = e.bitcast(packed, doubles);
  Value sorted = vector::ShuffleOp::create(e, asDoubles, asDoubles, order);
  Value result = e.bitcast(sorted, bytes);
  if (parts[0].pending && parts[0].low > 0)
    result =
        arith::MaxUIOp::create(e, result, e.constantInt(bytes, parts[0].low));
  if (parts[0].pending && parts[0].high < 255)
    result =
        arith::MinUIOp::create(e, result, e.constantInt(bytes, parts[0].high));
  e.store(result, pointer);
  return true;
}

void PayloadEmitter::store(ArrayRef<Lanes> parts, const Position &position) {
  Type element = epilogue.region->resultType().getElementType();
  Value pointer =
      address(epilogue.region->numInputs(), element, epilogue.output, position);
  if (storePacked(parts, pointer, position.mask))
    return;
  int64_t step = Emitter::kLanes * elementBytes(element);
  unsigned alignment = static_cast<unsigned>(
      std::gcd<int64_t>(alignmentOf(element, epilogue.output, position),
                        parts.size() > 1 ? step : 0));
  for (auto [i, part] : llvm::enumerate(parts)) {
    Value value = narrowed(part);
    Value to = e.at(pointer, static_cast<int64_t>(i) * step);
    if (position.mask && i + 1 == parts.size())
      e.maskedStore(value, to, position.mask);
    else
      e.store(value, to, alignment);
  }
}

} // namespace qdialect::cpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes to operands. A bf16 of 128 + c is the byte c below 0x43: one operation
// picks the bits of two codes of 4 bits and sets those of 128, one more
// subtracts 128 and the zero point. Codes of 8 bits go the same way through
// f32, whose 2^23 + c is the byte c below 0x4b0000. Minifloats move to the
// place that exponent and mantissa have in an f16 or a bf16, which lacks a
// power of two then: that of an f16 is part of the scale, a bf16 would be too
// small for a product and is multiplied. All of it is exact.

#include "BlockMma.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::gpu {

static constexpr int64_t kBfloat128 = 0x4300, kBfloatMinus128 = 0xc300;
static constexpr int64_t kBfloatOne = 0x3f80;
static constexpr int64_t kHalf1024 = 0x6400, kHalfMinus64 = 0xd400;
static constexpr int64_t kHalfSixteenth = 0x2c00;
/// 2^23, whose last bit counts 1.
static constexpr int64_t kFloatOfByte = 0x4b000000;
/// The table of (a & b) | c.
static constexpr int64_t kAndOr = 0xea;
static constexpr int64_t kBothHalves = 0x00010001, kAllBytes = 0x01010101;

/// Codes of odd fragments lie four bits higher, where operands are f16 of them.
static bool isHigh(int64_t fragment) { return fragment % 2 == 1; }

/// What is subtracted in the form that the operands want it.
Value BlockUnpacker::constantZero(int64_t fragment) {
  int64_t zero = *g.zero;
  auto twice = [&](int64_t half) {
    return e.constant(static_cast<int32_t>(half * kBothHalves));
  };
  if (g.isInteger())
    return e.constant(zero * kAllBytes);
  if (g.isHalf() && isNarrow() && isHigh(fragment))
    return twice(kHalfMinus64 + 16 * zero);
  if (g.isHalf())
    return twice(kHalf1024 + zero);
  if (isNarrow())
    return twice(kBfloatMinus128 + zero);
  return e.constant(kFloatOfByte + zero);
}

/// The same of a byte of four zero points.
Value BlockUnpacker::zeroOf(Value bytes, int64_t fragment) {
  int64_t byte = fragment % 4;
  auto below = [&](Value of, int64_t top) {
    return e.permute(of, e.constant(static_cast<int32_t>(top * kAllBytes)),
                     0x4040 + byte * 0x0101);
  };
  if (g.isInteger())
    return e.permute(bytes, bytes, byte * 0x1111);
  if (g.isHalf() && isNarrow() && isHigh(fragment))
    return below(e.shiftLeft(bytes, e.constant(4)), kHalfMinus64 >> 8);
  if (g.isHalf())
    return below(bytes, kHalf1024 >> 8);
  if (isNarrow())
    return below(bytes, kBfloatMinus128 >> 8);
  return e.permute(bytes, e.constant(kFloatOfByte), 0x7650 + byte);
}

BlockUnpacker::Values BlockUnpacker::loadZeros(Value pointer) {
  Values words;
  if (!g.zero)
    for (int64_t at = 0; at < MmaTile::kWarpColumns / 8; at += 4)
      words.push_back(e.load(e.getI32Type(), e.at(pointer, at), 4));
  return words;
}

BlockUnpacker::Values BlockUnpacker::zeros(ArrayRef<Value> loaded) {
  constexpr int64_t fragments = MmaTile::kWarpColumns / 8;
  // What is packed is the distance to the zero point.
  if (g.minifloat || (g.isInteger() && !isNarrow()) || g.isTimes16())
    return {};
  Values result;
  if (g.zero) {
    for (int64_t fragment = 0; fragment < fragments; ++fragment)
      result.push_back(constantZero(fragment));
    return result;
  }
  for (int64_t fragment = 0; fragment < fragments; ++fragment)
    result.push_back(zeroOf(loaded[fragment / 4], fragment));
  return result;
}

/// Codes in the four bits from 4 * place on of either half.
Value BlockUnpacker::toHalves(Value word, int64_t place, Value zero) {
  auto type = VectorType::get({2}, e.getF16Type());
  word = e.shiftRight(word, place / 2 * 8);
  bool high = isHigh(place);
  Value raised = e.bits(type, e.logic(word, (high ? 0xf0 : 0xf) * kBothHalves,
                                      kHalf1024 * kBothHalves, kAndOr));
  Value result =
      high ? LLVM::FMAOp::create(
                 e, type, raised,
                 e.bits(type, e.constant(kHalfSixteenth * kBothHalves)),
                 e.bits(type, zero))
                 .getRes()
           : arith::SubFOp::create(e, raised, e.bits(type, zero)).getResult();
  return e.bits(e.getI32Type(), result);
}

/// Bytes `first` and the next.
Value BlockUnpacker::wideToHalves(Value bytes, int64_t first, Value zero) {
  auto type = VectorType::get({2}, e.getF16Type());
  Value raised = e.permute(bytes, e.constant((kHalf1024 >> 8) * kAllBytes),
                           0x4140 + first * 0x0101);
  Value result =
      arith::SubFOp::create(e, e.bits(type, raised), e.bits(type, zero));
  return e.bits(e.getI32Type(), result);
}

/// Codes in the low four bits of either half.
Value BlockUnpacker::toBfloats(Value pair, Value zero) {
  auto type = VectorType::get({2}, e.getBF16Type());
  Value raised =
      e.logic(pair, 0xf * kBothHalves, kBfloat128 * kBothHalves, kAndOr);
  Value one = e.constant(kBfloatOne * kBothHalves);
  Value result = LLVM::FMAOp::create(e, type, e.bits(type, raised),
                                     e.bits(type, one), e.bits(type, zero));
  return e.bits(e.getI32Type(), result);
}

/// Bytes `first` and the next.
Value BlockUnpacker::wideToBfloats(Value bytes, int64_t first, Value zero) {
  Value of[2];
  for (int64_t i = 0; i < 2; ++i) {
    Value raised =
        e.permute(bytes, e.constant(kFloatOfByte), 0x7650 + first + i);
    Value centred = arith::SubFOp::create(e, e.bits(e.getF32Type(), raised),
                                          e.bits(e.getF32Type(), zero));
    of[i] = e.bits(e.getI32Type(), centred);
  }
  // At most 8 bits are set: the lower half is empty.
  return e.permute(of[0], of[1], 0x7632);
}

/// Codes in the low four bits of all bytes: c - zero without borrowing from
/// the next byte.
Value BlockUnpacker::toCodes(Value nibbles, Value zero) {
  int64_t top = static_cast<int32_t>(0x80808080);
  Value raised = e.logic(nibbles, 0xf * kAllBytes, top, kAndOr);
  return e.xorBits(e.sub(raised, zero), e.constant(top));
}

Value BlockUnpacker::toMinifloats(ArrayRef<Value> words, int64_t fragment,
                                  int64_t part) {
  const Format &format = *g.minifloat;
  auto twice = [](int64_t half) {
    return static_cast<int32_t>(half * kBothHalves);
  };
  auto moved = [&](Value word, int64_t from, int64_t to) {
    return to >= from ? e.shiftLeft(word, e.constant(to - from))
                      : e.shiftRight(word, from - to);
  };
  // Where the mantissa ends.
  int64_t end = (g.isHalf() ? 10 : 7) - format.mantissaBits();
  Value word, sign, number;
  int64_t at = (2 * part + fragment % 2) * 4, signAt = at + 3;
  if (g.bits == 8) {
    word = sign =
        e.permute(words[fragment], e.constant(0), part == 0 ? 0x1404 : 0x3424);
    at = 8;
    signAt = 15;
    // An f16 cut in half.
    if (at == end)
      return word;
  } else {
    word = sign = words[fragment / 2];
  }
  if (g.bits == 6) {
    sign = words[4 + fragment / 4];
    int64_t topAt = fragment % 4 * 2 + part;
    signAt = topAt + BlockMmaGeometry::kSignBehindTop;
    Value top =
        e.andBits(moved(sign, topAt, end + 4), twice(int64_t(1) << (end + 4)));
    number = e.logic(moved(word, at, end), twice(0xf << end), top, kAndOr);
  } else {
    int64_t mask = (int64_t(1) << (g.bits - 1)) - 1;
    number = e.andBits(moved(word, at, end), twice(mask << end));
  }
  // Seeded fault 203: signs are lost.
  if (QDIALECT_MUTATE != 203)
    number = e.logic(moved(sign, signAt, 15), twice(0x8000), number, kAndOr);
  if (g.isHalf())
    return number;
  auto type = VectorType::get({2}, e.getBF16Type());
  int64_t power = (127 + 127 - format.bias()) << 7, negativeZero = 0x8000;
  Value whole = LLVM::FMAOp::create(
      e, type, e.bits(type, number), e.bits(type, e.constant(twice(power))),
      e.bits(type, e.constant(twice(negativeZero))));
  return e.bits(e.getI32Type(), whole);
}

BlockUnpacker::Values BlockUnpacker::unpack(ArrayRef<Value> words,
                                            ArrayRef<Value> zeros) {
  constexpr int64_t fragments = MmaTile::kWarpColumns / 8;
  if (g.isInteger() && !isNarrow())
    return Values(words);
  Values result;
  for (int64_t fragment = 0; fragment < fragments; ++fragment)
    for (int64_t part = 0; part < 2; ++part) {
      if (g.minifloat) {
        result.push_back(toMinifloats(words, fragment, part));
      } else if (g.isTimes16()) {
        Value word = words[fragment];
        if (part == 0)
          word = e.shiftLeft(word, e.constant(4));
        result.push_back(
            e.andBits(word, static_cast<int32_t>(0xf0 * kAllBytes)));
      } else if (g.isInteger()) {
        Value word = e.shiftRight(words[fragment], part * 4);
        result.push_back(toCodes(word, zeros[fragment]));
      } else if (g.isHalf()) {
        Value zero = zeros[fragment];
        result.push_back(
            isNarrow()
                ? toHalves(words[fragment / 2], 2 * part + fragment % 2, zero)
                : wideToHalves(words[fragment], 2 * part, zero));
      } else if (isNarrow()) {
        Value word =
            e.shiftRight(words[fragment / 2], (2 * part + fragment % 2) * 4);
        result.push_back(toBfloats(word, zeros[fragment]));
      } else {
        result.push_back(
            wideToBfloats(words[fragment], 2 * part, zeros[fragment]));
      }
    }
  return result;
}

} // namespace qdialect::gpu

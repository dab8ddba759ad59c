// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt to and from pairs: f16x2, bf16x2, fp8, fp6, fp4, ue8m0; and to tf32.
//
// The minifloats are those of Numerics. Of `cvt d, a, b` the first source goes
// to the upper half.

#include "ConvertPacked.h"
#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"
#include "QDialect/Numerics/Format.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr uint32_t kRelu = 1, kSatFinite = 2, kModeShift = 4;

/// The format of a packed type's elements; null for f16x2 and bf16x2.
const Format *formatOf(Type t) {
  static const Format e4m3 = Format::minifloat(4, 3, Specials::OCP);
  static const Format e5m2 = Format::minifloat(5, 2, Specials::IEEE);
  static const Format e2m3 = Format::minifloat(2, 3);
  static const Format e3m2 = Format::minifloat(3, 2);
  static const Format e2m1 = Format::minifloat(2, 1);
  static const Format e8m0 = Format::e8m0();
  switch (t) {
  case Type::E4M3x2:
    return &e4m3;
  case Type::E5M2x2:
    return &e5m2;
  case Type::E2M3x2:
    return &e2m3;
  case Type::E3M2x2:
    return &e3m2;
  case Type::E2M1x2:
    return &e2m1;
  case Type::UE8M0x2:
    return &e8m0;
  default:
    return nullptr;
  }
}

/// The code of x in an element of `t`.
uint32_t encode(double x, Type t, uint32_t aux) {
  auto mode = static_cast<FloatRounding>(aux >> kModeShift);
  if ((aux & kRelu) && x < 0)
    x = 0;
  const Format *format = formatOf(t);
  if (!format) {
    bool isHalf = t == Type::F16x2;
    if (aux & kSatFinite) {
      double max = isHalf ? 65504 : 0x1.fep127;
      if (std::fabs(x) > max)
        x = std::copysign(max, x);
    }
    return isHalf ? toHalf(x, mode) : toBfloat(x, mode);
  }
  if (format->kind() == Format::Kind::E8M0) {
    // Rounded up (.rp) or towards zero, of the magnitude.
    if (std::isnan(x))
      return 0xff;
    x = std::fabs(x);
    if (!(x < 0x1p127))
      return 0xfe;
    int exponent = x > 0 ? std::ilogb(x) : -127;
    if (mode == FloatRounding::Up && x > std::ldexp(1.0, exponent))
      ++exponent;
    return static_cast<uint32_t>(exponent < -127 ? 0 : exponent + 127);
  }
  // The formats without NaN take the largest positive number for it.
  if (std::isnan(x))
    return format->hasNaN() ? 0x7f : format->encode(format->maxFinite());
  return format->encode(x);
}

double decode(uint32_t code, Type t) {
  const Format *format = formatOf(t);
  if (format)
    return format->decode(code);
  return t == Type::F16x2 ? fromHalf(static_cast<uint16_t>(code))
                          : fromBfloat(static_cast<uint16_t>(code));
}

/// Bits from one element of a pair to the next.
unsigned elementBits(Type t) { return t == Type::E2M1x2 ? 4 : bitWidth(t) / 2; }

/// d = {a, b}: two f32 into a pair.
void packPair(Warp &w, const Inst &i, uint32_t mask) {
  auto to = static_cast<Type>(i.aux2);
  unsigned stride = static_cast<unsigned>(i.imm);
  forLanes(mask, [&](unsigned l) {
    uint32_t high = encode(w.lanes<float>(i.op[1])[l], to, i.aux);
    uint32_t low = encode(w.lanes<float>(i.op[2])[l], to, i.aux);
    uint32_t both = high << elementBits(to) | low;
    std::memcpy(w.base + i.op[0] + l * stride, &both, stride > 4 ? 4 : stride);
  });
}

/// A pair into a pair: fp8 to f16x2, f16x2 to fp8, ue8m0x2 to bf16x2.
void repack(Warp &w, const Inst &i, uint32_t mask) {
  auto to = static_cast<Type>(i.aux2 & 0xff);
  auto from = static_cast<Type>(i.aux2 >> 8);
  unsigned toStride = i.imm & 0xff, fromStride = i.imm >> 8 & 0xff;
  forLanes(mask, [&](unsigned l) {
    uint32_t in = 0;
    std::memcpy(&in, w.base + i.op[1] + l * fromStride,
                fromStride > 4 ? 4 : fromStride);
    uint32_t keep = (1u << elementBits(from)) - 1;
    uint32_t low = encode(decode(in & keep, from), to, i.aux);
    uint32_t high =
        encode(decode(in >> elementBits(from) & keep, from), to, i.aux);
    uint32_t both = high << elementBits(to) | low;
    std::memcpy(w.base + i.op[0] + l * toStride, &both,
                toStride > 4 ? 4 : toStride);
  });
}

/// f32 with the digits of tf32.
void toTf32(Warp &w, const Inst &i, uint32_t mask) {
  auto mode = static_cast<FloatRounding>(i.aux >> kModeShift);
  forLanes(mask, [&](unsigned l) {
    double x = w.lanes<float>(i.op[1])[l];
    if ((i.aux & kRelu) && x < 0)
      x = 0;
    if ((i.aux & kSatFinite) && std::fabs(x) > 0x1.ffcp127)
      x = std::copysign(0x1.ffcp127, x);
    // Ties away means of the magnitude.
    double r =
        mode == FloatRounding::Away
            ? std::copysign(
                  roundToFormat(std::fabs(x), 10, -126, 0x1.ffcp127, mode), x)
            : roundToFormat(x, 10, -126, 0x1.ffcp127, mode);
    w.lanes<float>(i.op[0])[l] = canonical(static_cast<float>(r));
  });
}
} // namespace

void ptx::decodeConvertPacked(Decoder &d) {
  Type to = d.type(0), from = d.type(1);
  int mode = d.choice("rn rz rm rp rna", 0);
  d.out.aux = (d.has("relu") ? kRelu : 0) |
              (d.has("satfinite") ? kSatFinite : 0) |
              static_cast<uint32_t>(mode) << kModeShift;
  if (d.typeCount() != 2) {
    d.fail("two types are needed");
    return;
  }
  if (to == Type::TF32 && from == Type::F32) {
    d.simple(Type::B32, {Type::F32});
    d.out.exec = toTf32;
    return;
  }
  bool pairOut = to == Type::F16x2 || to == Type::BF16x2 || formatOf(to);
  bool pairIn = from == Type::F16x2 || from == Type::BF16x2 || formatOf(from);
  if (pairOut && from == Type::F32) {
    if (!d.expectOperands(3, 3))
      return;
    d.out.op[0] = d.dst(0u, to, true);
    d.out.op[1] = d.src(1, Type::F32);
    d.out.op[2] = d.src(2, Type::F32);
    d.out.aux2 = static_cast<uint32_t>(to);
    d.out.imm = d.failed() ? 2 : d.stride(d.operand(0), to);
    d.out.exec = packPair;
  } else if (pairOut && pairIn) {
    if (!d.expectOperands(2, 2))
      return;
    d.out.op[0] = d.dst(0u, to, true);
    d.out.op[1] = d.src(1, from, true);
    d.out.aux2 = static_cast<uint32_t>(to) | static_cast<uint32_t>(from) << 8;
    if (d.failed())
      return;
    d.out.imm = d.stride(d.operand(0), to) | d.stride(d.operand(1), from) << 8;
    d.out.exec = repack;
  }
}

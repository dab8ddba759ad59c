// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt between integers and f16, bf16, f32, f64. The packed and minifloat forms
// stand in ConvertPacked.cpp.
//
// Every value goes by way of an exact carrier: integers by int64 or uint64,
// floats by f64. Registers may be wider than the types.

#include "ConvertPacked.h"
#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

#include <limits>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// aux: source and destination type, strides; aux2: mode and flags.
enum : uint32_t {
  kModeMask = 7,
  kToInteger = 8, // .rni and its kin
  kFtz = 16,
  kSat = 32,
  kRelu = 64,
};

struct Value {
  bool isFloat;
  double f;
  uint64_t u; // of integers, sign-extended where signed
};

template <typename T>
T loadAs(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

Value loadValue(Type t, const uint8_t *at) {
  auto integer = [](auto x) {
    return Value{false, 0, static_cast<uint64_t>(static_cast<int64_t>(x))};
  };
  switch (t) {
  case Type::U8:
    return {false, 0, loadAs<uint8_t>(at)};
  case Type::S8:
    return integer(loadAs<int8_t>(at));
  case Type::U16:
    return {false, 0, loadAs<uint16_t>(at)};
  case Type::S16:
    return integer(loadAs<int16_t>(at));
  case Type::U32:
    return {false, 0, loadAs<uint32_t>(at)};
  case Type::S32:
    return integer(loadAs<int32_t>(at));
  case Type::U64:
  case Type::S64:
    return {false, 0, loadAs<uint64_t>(at)};
  case Type::F16:
    return {true, fromHalf(loadAs<uint16_t>(at)), 0};
  case Type::BF16:
    return {true, fromBfloat(loadAs<uint16_t>(at)), 0};
  case Type::F32:
    return {true, loadAs<float>(at), 0};
  default:
    return {true, loadAs<double>(at), 0};
  }
}

double roundToIntegral(double x, FloatRounding mode) {
  switch (mode) {
  case FloatRounding::Zero:
    return std::trunc(x);
  case FloatRounding::Down:
    return std::floor(x);
  case FloatRounding::Up:
    return std::ceil(x);
  default:
    return std::nearbyint(x);
  }
}

/// Floats to integers saturate; NaN gives 0, or the top bit alone where one of
/// the types has 64 bits.
uint64_t floatToInteger(double x, Type from, Type to, FloatRounding mode) {
  unsigned bits = bitWidth(to);
  if (std::isnan(x))
    return bits < 64 && from != Type::F64 ? 0 : uint64_t{1} << (bits - 1);
  x = roundToIntegral(x, mode);
  if (isSigned(to)) {
    double limit = std::ldexp(1.0, static_cast<int>(bits) - 1);
    uint64_t top = uint64_t{1} << (bits - 1);
    if (x >= limit)
      return top - 1;
    if (x < -limit)
      return ~(top - 1);
    return static_cast<uint64_t>(static_cast<int64_t>(x));
  }
  if (x <= 0)
    return 0;
  if (x >= std::ldexp(1.0, static_cast<int>(bits)))
    return bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  return static_cast<uint64_t>(x);
}

uint64_t clampInteger(uint64_t u, Type from, Type to) {
  bool negative = isSigned(from) && static_cast<int64_t>(u) < 0;
  unsigned bits = bitWidth(to);
  if (isSigned(to)) {
    uint64_t top = uint64_t{1} << (bits - 1);
    if (negative)
      return static_cast<int64_t>(u) < -static_cast<int64_t>(top - 1) - 1
                 ? ~(top - 1)
                 : u;
    return u > top - 1 ? top - 1 : u;
  }
  if (negative)
    return 0;
  uint64_t top = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  return u > top ? top : u;
}

double flushDouble(double x, int minExponent) {
  return x != 0 && std::fabs(x) < std::ldexp(1.0, minExponent)
             ? std::copysign(0.0, x)
             : x;
}

/// The bits of the float type `to` nearest to the source in `mode`.
uint64_t toFloatBits(const Value &v, Type from, Type to, uint32_t flags) {
  auto mode = static_cast<FloatRounding>(flags & kModeMask);
  double x = v.f;
  if (!v.isFloat) {
    // 64-bit integers have more digits than f64: round them to odd first.
    bool isNegative = isSigned(from) && static_cast<int64_t>(v.u) < 0;
    uint64_t magnitude = isNegative ? 0 - v.u : v.u;
    if (to == Type::F64) {
      double high = std::ldexp(static_cast<double>(magnitude >> 32), 32);
      double low = static_cast<double>(magnitude & 0xffffffff);
      double r = directed<double>(FloatOp::Add, isNegative ? -high : high,
                                  isNegative ? -low : low, 0, mode);
      return bitCast<uint64_t>(r == 0 ? 0.0 : r);
    }
    if (magnitude >> 53) {
      bool sticky = magnitude & 0x7ff;
      magnitude = (magnitude & ~uint64_t{0x7ff}) | (sticky ? 0x800 : 0);
    }
    x = static_cast<double>(magnitude);
    x = isNegative ? -x : x;
  } else {
    if ((flags & kFtz) && from == Type::F32)
      x = flushDouble(x, -126);
    if (flags & kToInteger)
      x = roundToIntegral(x, mode);
  }
  if (flags & kSat)
    x = saturate(x);
  if ((flags & kRelu) && x < 0)
    x = 0;
  switch (to) {
  case Type::F16:
    return toHalf(x, mode);
  case Type::BF16:
    return toBfloat(x, mode);
  case Type::F32: {
    float r = canonical(static_cast<float>(roundToSingle(x, mode)));
    return bitCast<uint32_t>(flags & kFtz ? flush(r) : r);
  }
  default:
    return bitCast<uint64_t>(x);
  }
}

void convert(Warp &w, const Inst &i, uint32_t mask) {
  auto from = static_cast<Type>(i.aux & 0xff);
  auto to = static_cast<Type>(i.aux >> 8 & 0xff);
  unsigned fromStride = i.aux >> 16 & 0xff, toStride = i.aux >> 24;
  const uint8_t *source = w.base + i.op[1];
  uint8_t *target = w.base + i.op[0];
  forLanes(mask, [&](unsigned l) {
    Value v = loadValue(from, source + l * fromStride);
    uint64_t r;
    if (isFloat(to)) {
      r = toFloatBits(v, from, to, i.aux2);
    } else if (v.isFloat) {
      double x =
          (i.aux2 & kFtz) && from == Type::F32 ? flushDouble(v.f, -126) : v.f;
      r = floatToInteger(x, from, to,
                         static_cast<FloatRounding>(i.aux2 & kModeMask));
    } else {
      r = i.aux2 & kSat ? clampInteger(v.u, from, to) : v.u;
    }
    // A wider register gets the value extended as its type says.
    unsigned bits = bitWidth(to);
    if (bits < 64 && !isFloat(to)) {
      uint64_t low = r & ((uint64_t{1} << bits) - 1);
      bool sign = isSigned(to) && (low >> (bits - 1) & 1);
      r = sign ? low | ~((uint64_t{1} << bits) - 1) : low;
    }
    std::memcpy(target + l * toStride, &r, toStride > 8 ? 8 : toStride);
  });
}

/// The common integer conversions without a detour.
template <typename To, typename From>
void convertInteger(Warp &w, const Inst &i, uint32_t mask) {
  mapLanes<1>(
      mask, [](From a) { return static_cast<To>(a); }, w.lanes<To>(i.op[0]),
      w.lanes<From>(i.op[1]));
}
Handler fastHandler(Type to, Type from) {
  bool isTo64 = bitWidth(to) == 64, isTo32 = bitWidth(to) == 32;
  if (isFloat(to) || isFloat(from))
    return nullptr;
  if (isTo64 && from == Type::S32)
    return convertInteger<int64_t, int32_t>;
  if (isTo64 && from == Type::U32)
    return convertInteger<uint64_t, uint32_t>;
  if (isTo32 && bitWidth(from) == 64)
    return convertInteger<uint32_t, uint64_t>;
  if (isTo32 && from == Type::S16)
    return convertInteger<int32_t, int16_t>;
  if (isTo32 && from == Type::U16)
    return convertInteger<uint32_t, uint16_t>;
  if (bitWidth(to) == 16 && bitWidth(from) == 32)
    return convertInteger<uint16_t, uint32_t>;
  return nullptr;
}

void decodeConvert(Decoder &d) {
  if (d.typeCount() != 2 || !d.expectOperands(2, 2)) {
    d.fail("two types and two operands are needed");
    return;
  }
  Type to = d.type(0), from = d.type(1);
  d.out.op[0] = d.dst(0u, to, true);
  d.out.op[1] = d.src(1u, from, true);
  if (d.failed())
    return;
  unsigned toStride = d.stride(d.operand(0), to);
  unsigned fromStride = d.stride(d.operand(1), from);
  d.out.aux = static_cast<uint32_t>(from) | static_cast<uint32_t>(to) << 8 |
              fromStride << 16 | toStride << 24;
  int integral = d.choice("rni rzi rmi rpi");
  int mode = integral >= 0 ? integral : d.choice("rn rz rm rp rna", 0);
  if (!isFloat(to) && isFloat(from) && integral < 0) {
    d.fail("a float becomes an integer by .rni, .rzi, .rmi or .rpi");
    return;
  }
  d.out.aux2 = static_cast<uint32_t>(mode) | (integral >= 0 ? kToInteger : 0) |
               (d.has("ftz") ? kFtz : 0) | (d.has("sat") ? kSat : 0) |
               (d.has("relu") ? kRelu : 0);
  d.out.exec = convert;
  bool exact = toStride == laneBytes(bitWidth(to)) &&
               fromStride == laneBytes(bitWidth(from)) && !d.has("sat");
  if (Handler fast = exact ? fastHandler(to, from) : nullptr)
    d.out.exec = fast;
}

/// cvt.pack.sat.u8.s32.b32 d, a, b, c: two clamped values above the low part
/// of c.
void pack(Warp &w, const Inst &i, uint32_t mask) {
  auto to = static_cast<Type>(i.aux);
  unsigned bits = to == Type::U16 || to == Type::S16 ? 16
                  : to == Type::U8 || to == Type::S8 ? 8
                                                     : 4;
  forLanes(mask, [&](unsigned l) {
    auto clamp = [&](int32_t x) {
      int32_t top = isSigned(to) ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
      int32_t bottom = isSigned(to) ? -top - 1 : 0;
      int32_t y = x < bottom ? bottom : x > top ? top : x;
      return static_cast<uint32_t>(y) & ((1u << bits) - 1);
    };
    uint32_t c = i.op[3] == kNoSlot ? 0 : w.lanes<uint32_t>(i.op[3])[l];
    uint32_t both = clamp(w.lanes<int32_t>(i.op[1])[l]) << bits |
                    clamp(w.lanes<int32_t>(i.op[2])[l]);
    w.lanes<uint32_t>(i.op[0])[l] = bits == 16 ? both : c << 2 * bits | both;
  });
}
void decodePack(Decoder &d) {
  Type to = d.type(0);
  bool wide = to == Type::U16 || to == Type::S16;
  if (!d.expectOperands(wide ? 3 : 4, wide ? 3 : 4))
    return;
  if (!d.has("pack") || !d.has("sat"))
    d.fail(".pack.sat is needed");
  d.out.op[0] = d.dst(0u, Type::B32);
  d.out.op[1] = d.src(1, Type::S32);
  d.out.op[2] = d.src(2, Type::S32);
  if (!wide)
    d.out.op[3] = d.src(3, Type::B32);
  d.out.aux = static_cast<uint32_t>(to);
  d.out.exec = pack;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"cvt", "u8 s8 u16 s16 u32 s32 u64 s64 f16 bf16 f32 f64",
     "rn rz rm rp rna rni rzi rmi rpi ftz sat relu", InstructionClass::Convert,
     decodeConvert},
    {"cvt",
     "f16x2 bf16x2 tf32 f32 f16 e4m3x2 e5m2x2 e2m3x2 e3m2x2 e2m1x2 ue8m0x2",
     "rn rz rp rna relu satfinite", InstructionClass::Convert,
     decodeConvertPacked},
    {"cvt", "u16 s16 u8 s8 u4 s4 s32 b32", "pack sat",
     InstructionClass::Convert, decodePack},
};

InstructionList ptx::convertInstructions() { return kTable; }

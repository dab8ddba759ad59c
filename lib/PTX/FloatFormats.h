// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16, bf16 and tf32 on the host, and rounding in PTX's modes.
//
// Narrow arithmetic is done in f32 or f64 and rounded once: sums, products and
// quotients of f16 and bf16 survive the way over f32 (24 >= 2p + 2 digits); a
// fused multiply-add goes over an f64 rounded to odd, which no later rounding
// can tell from the exact value.

#ifndef QDIALECT_LIB_PTX_FLOATFORMATS_H
#define QDIALECT_LIB_PTX_FLOATFORMATS_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace qdialect::ptx {

/// rn, rz, rm, rp as PTX orders them; rna is cvt's tie away from zero.
enum class FloatRounding : uint8_t { Nearest, Zero, Down, Up, Away };

template <typename To, typename From>
inline To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

inline constexpr uint32_t kNaN32 = 0x7fffffff;
inline constexpr uint16_t kNaN16 = 0x7fff;

/// PTX's NaN: one pattern for all results of f32 arithmetic.
inline float canonical(float x) {
  uint32_t bits = bitCast<uint32_t>(x);
  return bitCast<float>(std::isnan(x) ? kNaN32 : bits);
}
inline float flush(float x) {
  uint32_t bits = bitCast<uint32_t>(x);
  return bitCast<float>((bits & 0x7f800000) ? bits : bits & 0x80000000);
}
/// [0, 1], NaN becomes +0.
inline float saturate(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline double saturate(double x) { return x > 0 ? (x < 1 ? x : 1.0) : 0.0; }

/// `x` rounded to so many digits behind the point and a least exponent; what
/// lies beyond `max` becomes infinite or `max`, by the mode.
double roundToFormat(double x, int digits, int minExponent, double max,
                     FloatRounding mode);
inline double roundToSingle(double x, FloatRounding mode) {
  return roundToFormat(x, 23, -126, 0x1.fffffep127, mode);
}

inline float fromHalf(uint16_t h) {
  uint32_t sign = uint32_t{h & 0x8000u} << 16;
  uint32_t rest = uint32_t{h & 0x7fffu} << 13;
  uint32_t exponent = rest & 0x0f800000;
  if (exponent == 0x0f800000) // infinity, NaN
    return bitCast<float>(sign | rest | 0x7f800000);
  float scaled = bitCast<float>(rest) * 0x1p112f;
  return bitCast<float>(sign | bitCast<uint32_t>(scaled));
}
uint16_t toHalf(double x, FloatRounding mode = FloatRounding::Nearest);
inline float fromBfloat(uint16_t b) {
  return bitCast<float>(uint32_t{b} << 16);
}
uint16_t toBfloat(double x, FloatRounding mode = FloatRounding::Nearest);

/// f32 and f64 to f16 and bf16, to nearest even: the fast way.
inline uint16_t toHalfNearest(float x) {
  uint32_t bits = bitCast<uint32_t>(x);
  uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return kNaN16;
  if (bits >= 0x477ff000) // rounds to 2^16 or more
    return sign | 0x7c00;
  if (bits < 0x38800000) { // subnormal: the addition rounds
    float shifted = bitCast<float>(bits) + 0.5f;
    return sign | static_cast<uint16_t>(bitCast<uint32_t>(shifted) & 0xffff);
  }
  uint32_t odd = bits >> 13 & 1;
  return sign | static_cast<uint16_t>((bits + 0xfff + odd - 0x38000000) >> 13);
}
inline uint16_t toBfloatNearest(float x) {
  uint32_t bits = bitCast<uint32_t>(x);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return kNaN16;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// a * b + c of numbers whose product is exact in f64, rounded to odd.
double fmaToOdd(double a, double b, double c);

/// An f64 to f32, rounded to odd: a later rounding to fewer digits is right.
inline float toOddSingle(double x) {
  float f = static_cast<float>(x);
  if (static_cast<double>(f) == x || std::isnan(x))
    return f;
  uint32_t bits = bitCast<uint32_t>(f);
  if (std::fabs(static_cast<double>(f)) > std::fabs(x))
    --bits;
  return bitCast<float>(bits | 1);
}

/// f32 and f64 arithmetic in any mode (the slow way: by the host's rounding
/// mode).
enum class FloatOp : uint8_t { Add, Sub, Mul, Div, Sqrt, Fma };
template <typename T>
T directed(FloatOp op, T a, T b, T c, FloatRounding mode);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_FLOATFORMATS_H

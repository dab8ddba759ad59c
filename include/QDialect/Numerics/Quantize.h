// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantize and dequantize: real numbers to codes and back through scale and
// zero point.
//
//   quantize    q = z + round(clamp(x / s, qmin - z, qmax - z))
//   dequantize  x = (q - z) * s
//
// In the f32 form x / s is one IEEE division (never a multiplication by 1 / s,
// which is one code off now and then), clamp and round act on f32; dequantize
// converts the exact integer q - z to f32 and multiplies once.
//   x = 1, s = 0.1f, z = -3, int8: 1.0f / 0.1f = 10, q = 7; 10 * 0.1f = 1.
// Clamping before rounding is the same as after it for integer bounds, and
// cannot overflow the conversion to an integer.
//
// `quantizeExact` is the meaning of an island: the real quotient x / s of two
// doubles, rounded once. It decides ties on the exact residual x - n * s, so
// x = 0.3 + 0.3 + 0.3 over s = 0.6 asks about those doubles, not about 1.5.
//
// Edges: NaN (of x or s, 0 / 0, inf / inf) counts as x / s = 0, so q is z
// clamped to [qmin, qmax]; infinities saturate; s = 0 sends positive x to qmax,
// negative to qmin. z may lie outside [qmin, qmax]; |z| <= 2^23 keeps the
// bounds exact in f32. Wrapping keeps the low bits of z + round(x / s) instead
// of clamping; NaN and infinities count as 0 there.
#ifndef QDIALECT_NUMERICS_QUANTIZE_H
#define QDIALECT_NUMERICS_QUANTIZE_H

#include "QDialect/Numerics/Format.h"
#include "QDialect/Numerics/Rounding.h"

#include <cstdint>

namespace qdialect {

/// clamp(r, lo, hi) with NaN as 0; the last step before rounding in every
/// float-scaled conversion (quantize and requantize).
inline int32_t clampRound(float r, int32_t z, int32_t qmin, int32_t qmax,
                          Rounding mode, StochasticKey key) {
  float lo = static_cast<float>(static_cast<int64_t>(qmin) - z);
  float hi = static_cast<float>(static_cast<int64_t>(qmax) - z);
  r = r != r ? 0.0f : r;
  r = r < lo ? lo : r;
  r = r > hi ? hi : r;
  return static_cast<int32_t>(z + static_cast<int64_t>(roundTo(r, mode, key)));
}

/// The code of x on the integer grid (s, z), saturated to [qmin, qmax].
inline int32_t quantize(float x, float s, int32_t z, int32_t qmin, int32_t qmax,
                        Rounding mode = Rounding::HalfEven,
                        StochasticKey key = {}) {
  // Seeded fault 2: the upper end is one code short.
  if constexpr (QDIALECT_MUTATE == 2)
    qmax -= 1;
  return clampRound(x / s, z, qmin, qmax, mode, key);
}

/// The code of the exact quotient x / s, rounded once and saturated.
int32_t quantizeExact(double x, double s, int32_t z, int32_t qmin, int32_t qmax,
                      Rounding mode = Rounding::HalfEven,
                      StochasticKey key = {});

/// The exact quotient x / s of two doubles rounded to an integer (s != 0;
/// beyond 2^52, where doubles are integers, the f64 quotient itself).
double divideAndRound(double x, double s, Rounding mode = Rounding::HalfEven,
                      StochasticKey key = {});

/// The low `bits` bits of z + round(x / s) as a signed or unsigned number.
int32_t quantizeWrap(float x, float s, int32_t z, unsigned bits, bool isSigned,
                     Rounding mode = Rounding::HalfEven,
                     StochasticKey key = {});

/// The same for a zero point in the real domain, x = q * s + m:
/// q = round(clamp((x - m) / s, qmin, qmax)).
inline int32_t quantizeRealZero(float x, float s, float m, int32_t qmin,
                                int32_t qmax,
                                Rounding mode = Rounding::HalfEven,
                                StochasticKey key = {}) {
  return clampRound((x - m) / s, 0, qmin, qmax, mode, key);
}

inline float dequantize(int32_t q, float s, int32_t z = 0) {
  return static_cast<float>(static_cast<int64_t>(q) - z) * s;
}

/// q * s + m: one multiplication, one addition, no fma.
inline float dequantizeRealZero(int32_t q, float s, float m) {
  return static_cast<float>(q) * s + m;
}

/// The exact real value of a code on a grid; rounds once where q - z and the
/// digits of s exceed 53 bits together.
inline double dequantizeExact(int32_t q, double s, int32_t z = 0) {
  return static_cast<double>(static_cast<int64_t>(q) - z) * s;
}

/// Any alphabet, code out: integers as above, the others encode the f32
/// quotient x / s (their zero point must be 0).
uint32_t quantizeToFormat(float x, float s, int32_t z, const Format &format,
                          Rounding mode = Rounding::HalfEven,
                          Overflow overflow = Overflow::Saturate,
                          StochasticKey key = {});

/// Any alphabet, code in: (decode(code) - z) * s in f32, for which decode(code)
/// is exact in f32 for every format but codebooks, where it is rounded first.
float dequantizeFromFormat(uint32_t code, float s, int32_t z,
                           const Format &format);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_QUANTIZE_H

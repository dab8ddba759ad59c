// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rescaling an integer accumulator to another integer grid.
//
//   requantize  q = z + round(clamp(f32(acc) * s, qmin - z, qmax - z))
//   rescale     q = clamp(round(acc * multiplier / 2^shift) + z, qmin, qmax)
//
// `requantize` is the float mode: acc is converted to f32 (rounded to nearest
// even from 2^24 on), multiplied once, clamped, rounded; NaN counts as 0.
// `rescale` is the dyadic mode: integers alone, exact up to its one rounding.
//   s = 0.75: multiplier 1610612736 = 0.75 * 2^31, shift 31.
//   acc = 7: 7 * 1610612736 / 2^31 = 5.25 -> 5;  acc = 6: 4.5 -> 4, to even.
//
// `chooseDyadic(real, maxAbs)` finds the pair with the most digits for which no
// 64-bit intermediate overflows:
//   0 <= multiplier < 2^31, 0 <= shift <= 62 and
//   maxAbs * multiplier + 2^(shift - 1) < 2^63,
// so a kernel may compute (acc * multiplier + 2^(shift - 1)) >> shift in i64
// for every |acc| <= maxAbs. maxAbs <= 2^31 (any i32) never costs a digit. Then
// multiplier has 31 bits and
//   |multiplier / 2^shift - real| <= real * 2^-31        for real >= 2^-32,
// below which shift is 62 and the absolute error is 2^-63. `error` is the exact
// bound maxAbs * |multiplier / 2^shift - real| in output codes before rounding:
// below 1/2 the result is off by at most one code, and by none at all unless
// acc * real lies within `error` of a rounding boundary.
//
// The helpers of TFLite/gemmlowp and TOSA at the end are for importing their
// models and for tests. TFLite writes real = multiplier * 2^(exponent - 31), so
// shift = 31 - exponent. Its double rounding (high mul, ties up, then shift,
// ties away) is not the correct rounding of the product: x = -6 times 1/4 gives
// -2 where half_up gives -1. It equals TOSA's DOUBLE_ROUND.
#ifndef QDIALECT_NUMERICS_RESCALE_H
#define QDIALECT_NUMERICS_RESCALE_H

#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Numerics/Rounding.h"

#include <cstdint>
#include <optional>

namespace qdialect {

/// acc * s on the grid of zero point z, by f32 arithmetic.
inline int32_t requantize(int32_t acc, float s, int32_t z, int32_t qmin,
                          int32_t qmax, Rounding mode = Rounding::HalfEven,
                          StochasticKey key = {}) {
  // Seeded fault 3: the zero point is lost.
  if constexpr (QDIALECT_MUTATE == 3)
    z = 0;
  return clampRound(static_cast<float>(acc) * s, z, qmin, qmax, mode, key);
}

/// The scale of a requantization, RN(RN(sx * sw) / sy) in f32.
inline float requantizeScale(float sx, float sw, float sy) {
  return sx * sw / sy;
}

/// multiplier / 2^shift, an approximation of a positive real.
struct Dyadic {
  int32_t multiplier = 0;
  int32_t shift = 0;
  /// maxAbs * |multiplier / 2^shift - real|, rounded up.
  double error = 0.0;
};

/// See the head. `real` = 0 gives {0, 0, 0}. Empty for negative, infinite or
/// NaN `real`, for real >= 2^31 - 1/2 and where not one digit would fit.
std::optional<Dyadic> chooseDyadic(double real, int64_t maxAbs);

/// The pair for results of at most 8 bits, whose rounding is cheaper: shift <=
/// 39, so that the upper word of acc * multiplier has no more than seven binary
/// digits, and an odd multiplier, so that no product of an acc below 2^(shift -
/// 1) lies half way between two codes. (Those with seven digits that are `real`
/// exactly may be even.) Where digits are lost by which the error could exceed
/// kShortError, as it cannot for any i32, chooseDyadic's.
std::optional<Dyadic> chooseShortDyadic(double real, int64_t maxAbs);
constexpr int kShortShift = 39;
constexpr double kShortError = 1.0 / 256;

/// acc * multiplier / 2^shift rounded, plus z, clamped. The product is formed
/// in 128 bits, so nothing overflows whatever the arguments.
inline int64_t rescale(int64_t acc, int32_t multiplier, int32_t shift,
                       int64_t z, int64_t qmin, int64_t qmax,
                       Rounding mode = Rounding::HalfEven,
                       StochasticKey key = {}) {
  Int128 q = shiftRight(static_cast<Int128>(acc) * multiplier,
                        static_cast<unsigned>(shift), mode, key) +
             z;
  return static_cast<int64_t>(q < qmin ? qmin : q > qmax ? qmax : q);
}

/// gemmlowp's SRDHM: floor((2ab + 2^31) / 2^32), saturated (a = b = -2^31
/// only).
int32_t saturatingRoundingDoublingHighMul(int32_t a, int32_t b);

/// gemmlowp's RDBP: x / 2^exponent, ties away from zero; 0 <= exponent <= 31.
int32_t roundingDivideByPOT(int32_t x, int exponent);

/// TFLite: RDBP(SRDHM(x << max(exponent, 0), multiplier), max(-exponent, 0)).
/// The left shift wraps as theirs does.
int32_t multiplyByQuantizedMultiplier(int32_t x, int32_t multiplier,
                                      int exponent);

/// TFLite's pair: real = multiplier * 2^(exponent - 31), multiplier in
/// [2^30, 2^31).
struct QuantizedMultiplier {
  int32_t multiplier = 0;
  int exponent = 0;
};

/// real > 0: 0.25 -> {2^30, -1}; 0.75 -> {1610612736, 0}; 0 -> {0, 0}.
QuantizedMultiplier quantizeMultiplier(double real);

/// TOSA's apply_scale_32; its preconditions (2 <= shift <= 62, multiplier >= 0,
/// -2^(shift-1) <= value < 2^(shift-1)) are the caller's.
int32_t tosaApplyScale32(int32_t value, int32_t multiplier, int32_t shift,
                         bool doubleRound);

/// TOSA's pair for the division by a count of 1..2^16 elements (average pool).
Dyadic tosaReciprocal(uint32_t count);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_RESCALE_H

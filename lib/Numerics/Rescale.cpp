// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The choice of a dyadic multiplier, and the fixed-point helpers of other
// systems.
#include "QDialect/Numerics/Rescale.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace qdialect {

/// maxAbs * multiplier + 2^(shift - 1) < 2^63, in 128 bits.
static bool fits(int64_t maxAbs, int64_t multiplier, int shift) {
  Int128 half = shift == 0 ? 0 : Int128{1} << (shift - 1);
  return static_cast<Int128>(maxAbs) * multiplier + half < Int128{1} << 63;
}

/// maxAbs * |multiplier / 2^shift - real|, rounded up. Both are doubles, of at
/// most 53 and 31 digits; their difference is exact (Sterbenz) or far above the
/// rounding of the product.
static double errorOf(double multiplier, int shift, double real,
                      int64_t maxAbs) {
  double distance = std::fabs(std::ldexp(multiplier, -shift) - real);
  double error = distance * static_cast<double>(maxAbs);
  return distance == 0
             ? 0.0
             : std::nextafter(error, std::numeric_limits<double>::infinity());
}

std::optional<Dyadic> chooseDyadic(double real, int64_t maxAbs) {
  assert(maxAbs >= 0 && "a bound on a magnitude");
  if (!(real >= 0) || !std::isfinite(real))
    return std::nullopt;
  if (real == 0)
    return Dyadic{};

  int exponent = 0;
  std::frexp(real, &exponent); // real = f * 2^exponent, f in [1/2, 1)
  int shift = std::min(31 - exponent, 62);
  for (; shift >= 0; --shift) {
    double digits = roundHalfEven(std::ldexp(real, shift));
    if (digits >= 0x1p31) // f rounded up to 1: one bit less
      continue;
    auto multiplier = static_cast<int64_t>(digits);
    if (!fits(maxAbs, multiplier, shift))
      continue;
    if (multiplier == 0 && shift < 62)
      return std::nullopt; // no digit fits
    return Dyadic{static_cast<int32_t>(multiplier), shift,
                  errorOf(digits, shift, real, maxAbs)};
  }
  return std::nullopt;
}

std::optional<Dyadic> chooseShortDyadic(double real, int64_t maxAbs) {
  std::optional<Dyadic> longest = chooseDyadic(real, maxAbs);
  if (!longest)
    return std::nullopt;
  int shift = real == 0 ? kShortShift : std::min(longest->shift, kShortShift);
  double digits = std::ldexp(real, shift), whole = std::floor(digits);
  auto multiplier = static_cast<int32_t>(whole);
  if (whole != digits)
    multiplier |= 1; // the odd neighbour
  double error = errorOf(multiplier, shift, real, maxAbs);
  bool isCoarse = shift < longest->shift && error > kShortError;
  return isCoarse || !fits(maxAbs, multiplier, shift)
             ? *longest
             : Dyadic{multiplier, shift, error};
}

int32_t saturatingRoundingDoublingHighMul(int32_t a, int32_t b) {
  constexpr int32_t lowest = std::numeric_limits<int32_t>::min();
  if (a == lowest && b == lowest)
    return std::numeric_limits<int32_t>::max();
  int64_t product = static_cast<int64_t>(a) * b;
  return static_cast<int32_t>((product + (int64_t{1} << 30)) >> 31);
}

int32_t roundingDivideByPOT(int32_t x, int exponent) {
  assert(exponent >= 0 && exponent <= 31);
  return static_cast<int32_t>(shiftRight(
      int64_t{x}, static_cast<unsigned>(exponent), Rounding::HalfAway));
}

int32_t multiplyByQuantizedMultiplier(int32_t x, int32_t multiplier,
                                      int exponent) {
  int left = std::max(exponent, 0), right = std::max(-exponent, 0);
  auto shifted = static_cast<int32_t>(static_cast<uint32_t>(x) << left);
  return roundingDivideByPOT(
      saturatingRoundingDoublingHighMul(shifted, multiplier), right);
}

QuantizedMultiplier quantizeMultiplier(double real) {
  if (real == 0)
    return {};
  QuantizedMultiplier result;
  double fraction = std::frexp(real, &result.exponent);
  auto digits = static_cast<int64_t>(
      roundTo(std::ldexp(fraction, 31), Rounding::HalfAway));
  if (digits == int64_t{1} << 31) {
    digits /= 2;
    ++result.exponent;
  }
  if (result.exponent < -31) // smaller than any i32 can feel
    return {};
  result.multiplier = static_cast<int32_t>(digits);
  return result;
}

int32_t tosaApplyScale32(int32_t value, int32_t multiplier, int32_t shift,
                         bool doubleRound) {
  int64_t round = int64_t{1} << (shift - 1);
  if (doubleRound && shift > 31)
    round += value >= 0 ? int64_t{1} << 30 : -(int64_t{1} << 30);
  return static_cast<int32_t>(
      (static_cast<int64_t>(value) * multiplier + round) >> shift);
}

Dyadic tosaReciprocal(uint32_t count) {
  assert(count >= 1 && count <= 65536);
  int k = count == 1 ? 0 : 32 - __builtin_clz(count - 1);
  int64_t multiplier = (((int64_t{1} << 30) + 1) << k) / count;
  return Dyadic{static_cast<int32_t>(multiplier), 30 + k, 0.0};
}

} // namespace qdialect

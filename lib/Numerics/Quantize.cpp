// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Implements the conversions that are too long for the header.
#include "QDialect/Numerics/Quantize.h"

#include "QDialect/Numerics/Packing.h"

#include <algorithm>
#include <cmath>

namespace qdialect {

/// The sign of x - n * s, exactly: an fma rounds once and keeps the sign.
static double residual(double x, double n, double s) {
  return std::fma(-n, s, x);
}

double divideAndRound(double x, double s, Rounding mode, StochasticKey key) {
  double quotient = x / s;
  if (!(std::fabs(quotient) < 0x1p52))
    return quotient; // an integer, infinite or NaN
  if (s < 0) {       // x / s = -x / -s
    x = -x;
    s = -s;
  }
  // The exact floor: the quotient was rounded and may stand on an integer that
  // the true value does not reach.
  double floor = std::floor(quotient);
  if (residual(x, floor, s) < 0)
    floor -= 1;
  else if (residual(x, floor + 1, s) >= 0)
    floor += 1;
  double remainder = residual(x, floor, s);
  if (remainder == 0)
    return std::copysign(floor, quotient);
  RoundingSite site;
  site.negative = floor < 0; // the value is no integer: below 0 if its floor is
  double middle = residual(x, floor + 0.5, s);
  site.half = middle > 0 ? 1 : middle == 0 ? 0 : -1;
  site.floorIsOdd = std::fmod(floor, 2.0) != 0.0;
  // remainder / s is the one inexact number here: the fraction to 53 bits.
  double fraction = std::fmin(remainder / s, 0x1.fffffffffffffp-1);
  site.fraction32 = static_cast<uint64_t>(fraction * 0x1p32);
  double rounded = floor + (roundsUp(mode, site, key) ? 1.0 : 0.0);
  return std::copysign(rounded, quotient);
}

int32_t quantizeExact(double x, double s, int32_t z, int32_t qmin, int32_t qmax,
                      Rounding mode, StochasticKey key) {
  double rounded = divideAndRound(x, s, mode, key);
  if (std::isnan(rounded))
    rounded = 0;
  double lo = static_cast<double>(qmin) - z, hi = static_cast<double>(qmax) - z;
  rounded = std::fmin(std::fmax(rounded, lo), hi);
  return static_cast<int32_t>(z + static_cast<int64_t>(rounded));
}

int32_t quantizeWrap(float x, float s, int32_t z, unsigned bits, bool isSigned,
                     Rounding mode, StochasticKey key) {
  double rounded = roundTo(x / s, mode, key);
  if (!std::isfinite(rounded))
    rounded = 0;
  auto low = static_cast<int64_t>(std::fmod(rounded, 0x1p32)) + z;
  uint32_t code = static_cast<uint32_t>(low) & ((uint32_t{1} << bits) - 1);
  return isSigned ? signExtend(code, bits) : static_cast<int32_t>(code);
}

uint32_t quantizeToFormat(float x, float s, int32_t z, const Format &format,
                          Rounding mode, Overflow overflow, StochasticKey key) {
  if (!format.isInteger())
    return format.encode(x / s, mode, overflow, key);
  bool isSigned = format.kind() == Format::Kind::SignedInt;
  int32_t q =
      overflow == Overflow::Wrap
          ? quantizeWrap(x, s, z, format.bits(), isSigned, mode, key)
          : quantize(x, s, z, static_cast<int32_t>(format.minFinite()),
                     static_cast<int32_t>(format.maxFinite()), mode, key);
  return static_cast<uint32_t>(q) & (format.numCodes() - 1);
}

float dequantizeFromFormat(uint32_t code, float s, int32_t z,
                           const Format &format) {
  double value = format.decode(code);
  if (format.isInteger())
    return dequantize(static_cast<int32_t>(value), s, z);
  return static_cast<float>(value) * s;
}

} // namespace qdialect

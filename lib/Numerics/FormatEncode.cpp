// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Encoding: from a real number to a code of each family of formats.
// The rule: find the integer n = x / step, round it with `roundTo`, so that
// every rounding mode means the same here as in quantize and rescale; then
// range.
#include "QDialect/Numerics/Format.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace qdialect {

uint32_t Format::encodeNaN() const {
  switch (kind_) {
  case Kind::SignedInt:
  case Kind::UnsignedInt:
  case Kind::Ternary:
    return 0;
  case Kind::E8M0:
    return 255;
  case Kind::Binary:
    return 1;
  case Kind::Codebook:
    return encodeCodebook(0.0, Rounding::HalfEven, {});
  case Kind::MiniFloat:
    break;
  }
  uint32_t sign = uint32_t{1} << (bits_ - 1);
  switch (specials_) {
  case Specials::None:
    return 0;
  case Specials::OCP:
    return sign - 1;
  case Specials::FNUZ:
    return sign;
  case Specials::IEEE: {
    if (mantissaBits_ == 0)
      return 0; // infinity took the only code
    uint32_t infinity = sign - (uint32_t{1} << mantissaBits_);
    return infinity | (uint32_t{1} << (mantissaBits_ - 1)); // quiet
  }
  }
  return 0;
}

uint32_t Format::encode(double x, Rounding mode, Overflow overflow,
                        StochasticKey key) const {
  if (std::isnan(x))
    return encodeNaN();
  switch (kind_) {
  case Kind::SignedInt:
  case Kind::UnsignedInt:
    return encodeInteger(x, mode, overflow, key);
  case Kind::Ternary:
    return encodeInteger(x, mode, Overflow::Saturate, key);
  case Kind::MiniFloat:
    return encodeMinifloat(x, mode, overflow, key);
  case Kind::E8M0:
    return encodeE8M0(x, mode, overflow, key);
  case Kind::Binary:
    return encodeBinary(x, mode, key);
  case Kind::Codebook:
    return encodeCodebook(x, mode, key);
  }
  assert(false && "unknown format");
  return 0;
}

uint32_t Format::encodeInteger(double x, Rounding mode, Overflow overflow,
                               StochasticKey key) const {
  double rounded = roundTo(x, mode, key);
  if (overflow == Overflow::Saturate)
    rounded = std::fmin(std::fmax(rounded, minFinite_), maxFinite_);
  else if (std::isinf(rounded))
    rounded = 0;
  else
    rounded = std::fmod(rounded, std::ldexp(1.0, bits_)); // exact
  return static_cast<uint32_t>(static_cast<int64_t>(rounded)) &
         (numCodes() - 1);
}

/// The code of a magnitude that the format holds exactly.
uint32_t Format::minifloatCode(bool negative, double magnitude) const {
  uint32_t sign = negative ? uint32_t{1} << (bits_ - 1) : 0;
  if (magnitude == 0)
    return specials_ == Specials::FNUZ ? 0 : sign;
  int exponent = std::max(std::ilogb(magnitude), 1 - bias_);
  int step = exponent - static_cast<int>(mantissaBits_);
  auto significand = static_cast<uint32_t>(std::ldexp(magnitude, -step));
  uint32_t hidden = uint32_t{1} << mantissaBits_;
  if (significand < hidden) // subnormal: exponent field 0
    return sign | significand;
  return sign | static_cast<uint32_t>(exponent + bias_) << mantissaBits_ |
         (significand - hidden);
}

uint32_t Format::encodeMinifloat(double x, Rounding mode, Overflow overflow,
                                 StochasticKey key) const {
  double rounded = x;
  if (std::isfinite(x) && x != 0) {
    int exponent = std::max(std::ilogb(x), 1 - bias_);
    int step = exponent - static_cast<int>(mantissaBits_);
    double n = std::ldexp(x, -step);
    if (std::fabs(n) < 0x1p-60) // keep a sign for floor where n underflows
      n = std::copysign(0x1p-60, x);
    rounded = std::ldexp(std::copysign(roundTo(n, mode, key), x), step);
  }
  bool negative = std::signbit(rounded);
  double magnitude = std::fabs(rounded);
  if (magnitude <= maxFinite_)
    return minifloatCode(negative, magnitude);

  // IEEE 754 7.4: a directed rounding away from infinity never overflows.
  bool towardZero =
      mode == Rounding::Trunc || (mode == Rounding::Floor && !negative);
  if (std::isfinite(x) && towardZero)
    overflow = Overflow::Saturate;
  if (overflow == Overflow::Wrap && hasInf()) {
    uint32_t infinity = ((uint32_t{1} << exponentBits_) - 1) << mantissaBits_;
    return infinity | (negative ? uint32_t{1} << (bits_ - 1) : 0);
  }
  if (overflow == Overflow::Wrap && hasNaN())
    return encodeNaN();
  return minifloatCode(negative, maxFinite_);
}

uint32_t Format::encodeE8M0(double x, Rounding mode, Overflow overflow,
                            StochasticKey key) const {
  double rounded = x;
  if (x > 0 && std::isfinite(x)) {
    int exponent = std::ilogb(x);
    rounded =
        std::ldexp(roundTo(std::ldexp(x, -exponent), mode, key), exponent);
  }
  if (rounded >= minFinite_ && rounded <= maxFinite_)
    return static_cast<uint32_t>(std::ilogb(rounded) + 127);
  // A rounding toward zero never overflows upward, as in encodeMinifloat.
  bool towardZero = std::isfinite(x) && rounded > maxFinite_ &&
                    (mode == Rounding::Trunc || mode == Rounding::Floor);
  if (overflow == Overflow::Wrap && !towardZero)
    return encodeNaN();
  return rounded < minFinite_ ? 0 : 254;
}

uint32_t Format::encodeBinary(double x, Rounding mode,
                              StochasticKey key) const {
  if (mode == Rounding::Floor)
    return x >= 1 ? 1 : 0;
  if (mode == Rounding::Stochastic) {
    double clamped = std::fmin(std::fmax(x, -1.0), 1.0);
    return static_cast<uint32_t>(roundTo((clamped + 1) / 2, mode, key));
  }
  return x >= 0 ? 1 : 0;
}

uint32_t Format::encodeCodebook(double x, Rounding mode,
                                StochasticKey key) const {
  const std::vector<double> &values = table_->values;
  const std::vector<uint32_t> &order = table_->order;
  auto above = std::lower_bound(
      order.begin(), order.end(), x,
      [&](uint32_t code, double value) { return values[code] < value; });
  if (above == order.begin())
    return order.front();
  if (above == order.end())
    return order.back();
  if (values[*above] == x)
    return *above;

  // lo < x < hi, neighbours of ascending ranks.
  auto below = above - 1;
  double lo = values[*below], hi = values[*above];
  bool hiIsLarger = std::fabs(hi) > std::fabs(lo) ||
                    (std::fabs(hi) == std::fabs(lo) && hi > 0);
  bool up = false;
  double down = x - lo, rise = hi - x;
  switch (mode) {
  case Rounding::HalfEven:
    up = rise < down || (rise == down && (above - order.begin()) % 2 == 0);
    break;
  case Rounding::HalfAway:
    up = rise < down || (rise == down && hiIsLarger);
    break;
  case Rounding::HalfUp:
    up = rise <= down;
    break;
  case Rounding::Floor:
    up = false;
    break;
  case Rounding::Trunc:
    up = !hiIsLarger;
    break;
  case Rounding::Stochastic:
    up = roundTo(down / (hi - lo), mode, key) != 0;
    break;
  }
  return up ? *above : *below;
}

} // namespace qdialect

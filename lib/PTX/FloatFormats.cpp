// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounding to narrow formats and in directed modes; see the header.

#include "FloatFormats.h"

#include <cfenv>

using namespace qdialect;
using namespace qdialect::ptx;

double ptx::roundToFormat(double x, int digits, int minExponent, double max,
                          FloatRounding mode) {
  if (x == 0 || std::isnan(x) || std::isinf(x))
    return x;
  int exponent = std::ilogb(x);
  if (exponent < minExponent)
    exponent = minExponent;
  // In units of the last digit; exact, and below 2^53.
  double units = std::ldexp(x, digits - exponent);
  double floor = std::floor(units), fraction = units - floor;
  bool up = false;
  switch (mode) {
  case FloatRounding::Nearest:
    up = fraction > 0.5 || (fraction == 0.5 && std::fmod(floor, 2) != 0);
    break;
  case FloatRounding::Away:
    up = fraction > 0.5 || (fraction == 0.5 && x > 0);
    break;
  case FloatRounding::Zero:
    up = x < 0 && fraction > 0;
    break;
  case FloatRounding::Down:
    break;
  case FloatRounding::Up:
    up = fraction > 0;
    break;
  }
  double result =
      std::copysign(std::ldexp(floor + (up ? 1 : 0), exponent - digits), x);
  if (std::fabs(result) <= max)
    return result;
  bool toMax = mode == FloatRounding::Zero ||
               (mode == FloatRounding::Down && x > 0) ||
               (mode == FloatRounding::Up && x < 0);
  return std::copysign(toMax ? max : HUGE_VAL, x);
}

uint16_t ptx::toHalf(double x, FloatRounding mode) {
  if (std::isnan(x))
    return kNaN16;
  // Exact in f32 once it is rounded.
  return toHalfNearest(
      static_cast<float>(roundToFormat(x, 10, -14, 65504, mode)));
}

uint16_t ptx::toBfloat(double x, FloatRounding mode) {
  if (std::isnan(x))
    return kNaN16;
  return toBfloatNearest(
      static_cast<float>(roundToFormat(x, 7, -126, 0x1.fep127, mode)));
}

double ptx::fmaToOdd(double a, double b, double c) {
  double p = a * b;
  double sum = p + c;
  if (!std::isfinite(sum))
    return sum;
  // Knuth's two-sum: what the addition lost.
  double part = sum - p;
  double lost = (p - (sum - part)) + (c - part);
  if (lost == 0 || (bitCast<uint64_t>(sum) & 1))
    return sum;
  // Even and inexact: the odd neighbour on the side of the exact value.
  bool away = (lost > 0) == (sum > 0);
  uint64_t bits = bitCast<uint64_t>(sum);
  return bitCast<double>(away ? bits + 1 : bits - 1);
}

// `volatile` keeps the operation between the changes of the mode.
template <typename T>
T ptx::directed(FloatOp op, T a, T b, T c, FloatRounding mode) {
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD,
                              FE_UPWARD, FE_TONEAREST};
  volatile T x = a, y = b, z = c, result = 0;
  std::fesetround(modes[static_cast<unsigned>(mode)]);
  switch (op) {
  case FloatOp::Add:
    result = x + y;
    break;
  case FloatOp::Sub:
    result = x - y;
    break;
  case FloatOp::Mul:
    result = x * y;
    break;
  case FloatOp::Div:
    result = x / y;
    break;
  case FloatOp::Sqrt:
    result = std::sqrt(x);
    break;
  case FloatOp::Fma:
    result = std::fma(x, y, z);
    break;
  }
  std::fesetround(FE_TONEAREST);
  return result;
}

template float ptx::directed(FloatOp, float, float, float, FloatRounding);
template double ptx::directed(FloatOp, double, double, double, FloatRounding);

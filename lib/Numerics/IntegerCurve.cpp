// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// gelu and silu of codes (IntegerFunctions.h).
#include "QDialect/Numerics/IntegerFunctions.h"

#include "QDialect/Numerics/IntegerSequences.h"
#include <cmath>
#include <limits>

namespace qdialect {

namespace {

/// The function in f64, and the largest magnitude of its second derivative.
double evaluate(IntegerCurveKind kind, double x) {
  if (kind == IntegerCurveKind::Gelu)
    return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  return x / (1 + std::exp(-x));
}

double curvature(IntegerCurveKind kind) {
  return kind == IntegerCurveKind::Gelu ? 0.7979 : 0.5;
}

/// qd: every value for 8-bit codes, interpolated segments of 256 codes for
/// wider ones.
bool chooseSegments(IntegerCurve &curve) {
  const IntegerGrid &in = curve.input, &out = curve.output;
  int64_t spacing = in.bits > 8 ? 256 : 1;
  std::vector<double> values;
  for (int64_t code = in.min(); code <= in.max() + spacing; code += spacing) {
    double x = (static_cast<double>(code) - in.zeroPoint) * in.scale;
    double y = evaluate(curve.kind, x) / out.scale + out.zeroPoint;
    if (!std::isfinite(y))
      return false;
    // Beyond the grid nothing but the side matters.
    double margin = 4 * static_cast<double>(out.max() - out.min());
    values.push_back(std::clamp(y, out.min() - margin, out.max() + margin));
  }
  if (spacing == 1) {
    values.pop_back();
    for (double y : values)
      curve.values.push_back(static_cast<int32_t>(std::nearbyint(std::clamp(
          y, static_cast<double>(out.min()), static_cast<double>(out.max())))));
    return true;
  }
  double largest = 1, steepest = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, std::fabs(values[i]));
    if (i)
      steepest = std::max(steepest, std::fabs(values[i] - values[i - 1]));
  }
  // values + step + half < 2^31 and step * 255 + 128 < 2^31.
  curve.fraction = 20;
  while (curve.fraction > 0 &&
         (std::ldexp(largest, curve.fraction) >= 0x1p29 ||
          std::ldexp(steepest, curve.fraction) >= 0x1p23 - 2))
    --curve.fraction;
  for (double y : values)
    curve.values.push_back(
        static_cast<int32_t>(std::nearbyint(std::ldexp(y, curve.fraction))));
  for (size_t i = 1; i < values.size(); ++i)
    curve.steps.push_back(curve.values[i] - curve.values[i - 1]);
  curve.values.pop_back();
  double width = 256 * in.scale;
  curve.errorLsb =
      std::min(width * width / 8 * curvature(curve.kind) / out.scale, largest) +
      std::ldexp(1.0, -curve.fraction);
  return true;
}

/// multiplier / 2^shift for `real`, products of `bits` bits in 62.
bool chooseMultiplier(IntegerCurve &curve, double real, int bits) {
  int exponent = 0;
  std::frexp(real, &exponent);
  curve.shift = std::min({30 - exponent, 62, 61 - bits - exponent});
  if (curve.shift < 0)
    return false;
  curve.multiplier =
      static_cast<int64_t>(std::nearbyint(std::ldexp(real, curve.shift)));
  return true;
}

/// I-BERT's sgn(x) [a (min(|x|, -b) + b)^2 + 1] of x / sqrt 2. The paper shifts
/// by 14 bits, which leaves nothing of coarse scales: here 1 keeps at least ten
/// bits. Its a is negative, and with it every integer; all are negated here.
bool chooseErf(IntegerCurve &curve) {
  constexpr double a = 0.2888, b = 1.769;
  double scale = std::max(curve.input.scale, 0x1p-14) / std::sqrt(2.0);
  // Steps finer than 2^-14: 1 as a polynomial would pass 2^31.
  if (curve.input.scale < 0x1p-14)
    return false;
  curve.bend = static_cast<int32_t>(std::floor(b / scale));
  curve.top = static_cast<int64_t>(std::floor(1 / (a * scale * scale)));
  while (curve.drop < 14 &&
         std::ldexp(a * scale * scale, curve.drop + 1) <= 0x1p-10)
    ++curve.drop;
  double unit = std::ldexp(a * scale * scale, curve.drop);
  curve.one = static_cast<int64_t>(std::floor(1 / unit));
  // q has 17 bits, L and q_one twice those of 1 / unit.
  int bits = 18 + std::max(std::ilogb(1 / unit), 0) + 2;
  return chooseMultiplier(
      curve, curve.input.scale * unit / 2 / curve.output.scale, bits);
}

bool chooseSigmoid(IntegerCurve &curve) {
  double slope = curve.kind == IntegerCurveKind::Gelu ? 1.702 : 1;
  curve.exp = chooseIntegerExp(curve.scheme, slope * curve.input.scale,
                               curve.input.bits);
  return chooseMultiplier(
      curve, std::ldexp(curve.input.scale / curve.output.scale, -15), 17 + 16);
}

} // namespace

std::optional<IntegerCurve> chooseIntegerCurve(IntegerScheme scheme,
                                               IntegerCurveKind kind,
                                               const IntegerGrid &input,
                                               const IntegerGrid &output) {
  auto usable = [](double scale) { return std::isfinite(scale) && scale > 0; };
  if (!usable(input.scale) || !usable(output.scale))
    return std::nullopt;
  IntegerCurve curve;
  curve.scheme = scheme;
  curve.kind = kind;
  curve.input = input;
  curve.output = output;
  bool chosen;
  if (scheme == IntegerScheme::QD) {
    chosen = chooseSegments(curve);
  } else {
    curve.errorLsb = std::numeric_limits<double>::infinity();
    bool isErf =
        scheme == IntegerScheme::IBert && kind == IntegerCurveKind::Gelu;
    chosen = isErf ? chooseErf(curve) : chooseSigmoid(curve);
  }
  if (!chosen)
    return std::nullopt;
  return curve;
}

int64_t integerCurve(const IntegerCurve &curve, int64_t code) {
  ScalarIntegers o;
  return sequences::integerCurve(o, curve, code);
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// gelu and silu of codes (IntegerFunctions.h).
#include "QDialect/Numerics/IntegerBounds.h"
#include "QDialect/Numerics/IntegerSequences.h"
#include <algorithm>
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

/// The largest magnitude of its third derivative, rounded up.
double thirdDerivative(IntegerCurveKind kind) {
  return kind == IntegerCurveKind::Gelu ? 0.7788 : 0.3082;
}

/// qd: every value for 8-bit codes, parabolas over segments of 1024 codes for
/// wider ones.
bool chooseSegments(IntegerCurve &curve) {
  const IntegerGrid &in = curve.input, &out = curve.output;
  bool isTable = in.bits <= 8;
  int64_t spacing = isTable ? 1 : 1 << (IntegerCurve::kSegmentBits - 1);
  // Beyond the grid nothing but the side matters.
  double margin = 4 * static_cast<double>(out.max() - out.min());
  std::vector<double> values; // twice a segment
  for (int64_t code = in.min(); code <= in.max() + spacing; code += spacing) {
    double x = (static_cast<double>(code) - in.zeroPoint) * in.scale;
    double y = evaluate(curve.kind, x) / out.scale + out.zeroPoint;
    if (!std::isfinite(y))
      return false;
    values.push_back(std::clamp(y, out.min() - margin, out.max() + margin));
  }
  if (isTable) {
    values.pop_back();
    for (double y : values)
      curve.values.push_back(static_cast<int32_t>(std::nearbyint(std::clamp(
          y, static_cast<double>(out.min()), static_cast<double>(out.max())))));
    return true;
  }
  double largest = 1, steepest = 0;
  for (double y : values)
    largest = std::max(largest, std::fabs(y));
  std::vector<double> steps, bends;
  bool isKinked = false;
  for (size_t i = 0; i + 2 < values.size(); i += 2) {
    // A segment that leaves the margin is no part of the function any more,
    // which matters unless all of it is beyond the grid.
    auto [low, high] = std::minmax({values[i], values[i + 1], values[i + 2]});
    if (high >= out.max() + margin || low <= out.min() - margin)
      isKinked |= low < out.max() + margin / 2 && high > out.min() - margin / 2;
    double all = values[i + 2] - values[i], half = values[i + 1] - values[i];
    bends.push_back(2 * all - 4 * half);
    steps.push_back(all - bends.back());
    steepest =
        std::max(steepest, std::fabs(steps.back()) + std::fabs(bends.back()));
  }
  // value, step and bend sum up below 2^31, (step + bend) * 1023 too.
  curve.fraction = 20;
  while (curve.fraction > 0 &&
         (std::ldexp(largest, curve.fraction) >= 0x1p29 ||
          std::ldexp(steepest, curve.fraction) >= 0x1p21 - 4))
    --curve.fraction;
  auto steps32 = [&](double y) {
    return static_cast<int32_t>(std::nearbyint(std::ldexp(y, curve.fraction)));
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    curve.values.push_back(steps32(values[2 * i]));
    curve.steps.push_back(steps32(steps[i]));
    curve.bends.push_back(steps32(bends[i]));
  }
  // |(x - a)(x - m)(x - b)| <= width^3 / (12 sqrt 3). No parabola through
  // values of at most `largest` leaves 5/4 of it.
  double width = 2 * static_cast<double>(spacing) * in.scale;
  double ofParabola = width * width * width / (72 * std::sqrt(3.0)) *
                      thirdDerivative(curve.kind) / out.scale;
  if (isKinked)
    ofParabola = 3 * largest;
  curve.errorLsb =
      std::min(ofParabola, 3 * largest) + std::ldexp(2.5, -curve.fraction);
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

double curveErrorLsb(const IntegerCurve &curve) {
  const IntegerGrid &in = curve.input, &out = curve.output;
  double error = 0;
  for (int64_t code = in.min(); code <= in.max(); ++code) {
    double x = (static_cast<double>(code) - in.zeroPoint) * in.scale;
    double y = std::clamp(evaluate(curve.kind, x) / out.scale + out.zeroPoint,
                          static_cast<double>(out.min()),
                          static_cast<double>(out.max()));
    auto result = static_cast<double>(integerCurve(curve, code));
    error = std::max(error, std::fabs(result - y) - 0.5);
  }
  return error;
}

} // namespace qdialect

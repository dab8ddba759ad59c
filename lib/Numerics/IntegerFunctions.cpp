// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The integers that stand for scales, gains and functions.
#include "QDialect/Numerics/IntegerFunctions.h"

#include "QDialect/Numerics/IntegerSequences.h"
#include <cassert>
#include <cmath>
#include <limits>

namespace qdialect {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static int bitLength(int64_t x) {
  ScalarIntegers o;
  return static_cast<int>(o.bitLength(x));
}

static int64_t roundToInteger(double x) {
  return static_cast<int64_t>(std::nearbyint(x));
}

static bool isUsableScale(double scale) {
  return std::isfinite(scale) && scale > 0;
}

//===----------------------------------------------------------------------===//
// exp
//===----------------------------------------------------------------------===//

/// I-BERT's 0.35815147 r^2 + 0.96963238 r + 1 on [-ln 2, 0], divided by its
/// first factor.
static constexpr double kExpLead = 0.35815147;
static constexpr double kExpSlope = 0.96963238 / kExpLead;
static constexpr double kExpGround = 1.0 / kExpLead;
static constexpr double kLn2 = 0.6931471805599453;

IntegerExp chooseIntegerExp(IntegerScheme scheme, double scale, unsigned bits) {
  assert(isUsableScale(scale) && bits <= 16 && "the caller's checks");
  IntegerExp exp;
  exp.scheme = scheme;
  auto steps30 = [](double x) {
    return static_cast<int32_t>(roundToInteger(std::ldexp(std::exp(-x), 30)));
  };
  if (scheme == IntegerScheme::QD) {
    // From there on it is less than half a step.
    exp.most = static_cast<int32_t>(
        std::min(std::ceil(14.6 / scale), std::ldexp(1, int(bits)) - 1));
    constexpr int size = 1 << IntegerExp::kTableBits;
    for (int i = 0; i < size; ++i) {
      exp.low.push_back(steps30(scale * i));
      exp.middle.push_back(steps30(scale * size * i));
    }
    int places = exp.most / (size * size) + 1;
    if (places > 1)
      for (int i = 0; i < (places > size ? 2 * size : size); ++i)
        exp.high.push_back(steps30(scale * size * size * i));
    return exp;
  }
  exp.fraction = 16;
  // Finer steps would need more than 31 bits for the polynomial, and mean
  // nothing to it.
  // 17 bits are all that a difference has: nothing is left of it.
  while (exp.preShift < 17 && std::ldexp(scale, exp.preShift) < 0x1p-13)
    ++exp.preShift;
  // Steps beyond a period: one of them is exp(-inf) for every purpose.
  scale = std::clamp(std::ldexp(scale, exp.preShift), 0x1p-13, 0.5);
  int64_t top = 0;
  if (scheme == IntegerScheme::IBert) {
    exp.period = static_cast<int32_t>(std::floor(kLn2 / scale));
    exp.slope = static_cast<int32_t>(std::floor(kExpSlope / scale));
    exp.ground = static_cast<int32_t>(std::floor(kExpGround / scale / scale));
    exp.most = 30 * exp.period;
    top = exp.ground;
  } else {
    exp.period = static_cast<int32_t>(std::ceil(1 / scale));
    exp.most = 15 * exp.period;
    top = 2 * int64_t(exp.period);
  }
  exp.shift = std::min(13 + bitLength(top), 32);
  exp.multiplier =
      static_cast<int32_t>((int64_t(1) << (exp.fraction + exp.shift)) / top);
  return exp;
}

int64_t integerExp(const IntegerExp &exp, int64_t d) {
  ScalarIntegers o;
  return sequences::integerExp(o, exp, d);
}

int64_t integerSqrt(int64_t x) {
  ScalarIntegers o;
  return x == 0 ? 0 : sequences::integerSqrt(o, x);
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

std::optional<IntegerSoftmax> chooseIntegerSoftmax(IntegerScheme scheme,
                                                   double inputScale,
                                                   unsigned inputBits,
                                                   const IntegerGrid &output) {
  if (!isUsableScale(inputScale) || !isUsableScale(output.scale) ||
      output.scale <= 0x1p-24 || output.scale > 0x1p24)
    return std::nullopt;
  IntegerSoftmax softmax;
  softmax.exp = chooseIntegerExp(scheme, inputScale, inputBits);
  softmax.zeroPoint = output.zeroPoint;
  softmax.min = output.min();
  softmax.max = output.max();
  double ratio = 1 / output.scale;
  int exponent = 0;
  std::frexp(ratio, &exponent); // ratio < 2^exponent
  if (scheme == IntegerScheme::QD) {
    // e * (numerator / sum) < 2^50 whatever the row.
    softmax.shift = std::min(50 - exponent, 62);
    softmax.numerator = roundToInteger(std::ldexp(ratio, softmax.shift));
    softmax.rounds = true;
    return softmax;
  }
  // The papers' floor(2^32 / sum) and floor(2^31 / sum), whose product with e
  // is a probability; what they shift by is a multiplication where the grid is
  // not theirs.
  int fraction = scheme == IntegerScheme::IBert ? 32 : 31;
  softmax.numerator = scheme == IntegerScheme::IBert ? int64_t(1) << 32
                                                     : (int64_t(1) << 31) - 1;
  int more = std::min(30 - exponent, 30);
  softmax.multiplier =
      static_cast<int32_t>(roundToInteger(std::ldexp(ratio, more)));
  softmax.shift = fraction + more;
  // A power of two is a shift, as in the papers.
  while (softmax.multiplier % 2 == 0 && softmax.multiplier > 0) {
    softmax.multiplier /= 2;
    --softmax.shift;
  }
  return softmax;
}

double IntegerSoftmax::errorLsb(int64_t length) const {
  if (exp.scheme != IntegerScheme::QD)
    return kInfinity;
  // Each exponential is off by half a step and what the roundings of three
  // table entries and the floor of a product make; e = 2^fraction at the
  // maximum is exact, so the sum is at least one.
  double one = std::ldexp(
      0.5 + std::ldexp(2.501, exp.fraction - IntegerExp::kTableFraction),
      -exp.fraction);
  double codes = std::ldexp(static_cast<double>(numerator), -shift);
  // The division rounds down by less than one of at least numerator / sum.
  double division = std::ldexp(static_cast<double>(length), exp.fraction) /
                    static_cast<double>(numerator);
  return codes * (one * (1.0 + static_cast<double>(length)) + division) * 1.001;
}

void integerSoftmaxRow(const IntegerSoftmax &softmax, const int64_t *codes,
                       int64_t *result, int64_t length) {
  if (length == 0)
    return;
  ScalarIntegers o;
  int64_t most = *std::max_element(codes, codes + length), sum = 0;
  for (int64_t i = 0; i < length; ++i)
    sum += result[i] = integerExp(softmax.exp, most - codes[i]);
  int64_t factor = sequences::softmaxFactor(o, softmax, sum);
  for (int64_t i = 0; i < length; ++i)
    result[i] = sequences::clampedCode(
        o, sequences::softmaxCode(o, softmax, result[i], factor), softmax.min,
        softmax.max);
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

int normFraction(int64_t length) {
  return std::max(26 - 2 * bitLength(length - 1), 0);
}

std::optional<IntegerNorm> chooseIntegerNorm(IntegerScheme scheme,
                                             const float *gamma,
                                             const float *beta, int64_t length,
                                             double inputScale, double epsilon,
                                             const IntegerGrid &output) {
  if (!isUsableScale(inputScale) || !isUsableScale(output.scale) ||
      length < 1 || length > kLongestIntegerNorm || !(epsilon >= 0))
    return std::nullopt;
  IntegerNorm norm;
  auto n = static_cast<double>(length);
  // Output steps of one step of the normalised element.
  int fraction = scheme == IntegerScheme::QD ? 16 : 30;
  double unit = scheme == IntegerScheme::QD ? 1 : std::sqrt(n);
  double largestGain = 0, largestBias = std::fabs(output.zeroPoint) + 1;
  for (int64_t i = 0; i < length; ++i) {
    largestGain = std::max(largestGain, std::fabs(gamma[i] * unit));
    double bias = beta ? beta[i] / output.scale : 0;
    largestBias = std::max(largestBias, std::fabs(bias + output.zeroPoint) + 1);
    if (!std::isfinite(gamma[i]) || !std::isfinite(bias))
      return std::nullopt;
  }
  largestGain /= output.scale;
  // The most digits for which gain < 2^30 and bias < 2^61.
  int digits = 30;
  while (digits >= 0 && (std::ldexp(largestGain, digits) >= 0x1p30 - 1 ||
                         std::ldexp(largestBias, digits + fraction) >= 0x1p61))
    --digits;
  if (digits < 0)
    return std::nullopt;
  norm.shift = digits + fraction;
  for (int64_t i = 0; i < length; ++i) {
    norm.gain.push_back(static_cast<int32_t>(
        roundToInteger(std::ldexp(gamma[i] * unit / output.scale, digits))));
    double bias = (beta ? beta[i] / output.scale : 0) + output.zeroPoint + 0.5;
    // Seeded fault 84: the norm's one rounding is a floor.
    if constexpr (QDIALECT_MUTATE == 84)
      bias -= 0.5;
    norm.bias.push_back(roundToInteger(std::ldexp(bias, norm.shift)));
  }
  double real = std::ldexp(n * n * epsilon / inputScale / inputScale,
                           normFraction(length));
  // So much epsilon leaves nothing of a row; there is no root for it.
  if (!(real < 0x1p60))
    return std::nullopt;
  norm.epsilon = std::max<int64_t>(roundToInteger(real), 1);
  if (scheme != IntegerScheme::QD) {
    norm.errorLsb = kInfinity;
    return norm;
  }
  // Half a step of z times the gain, half a step of the gain times z (at most
  // sqrt n), 2^-28 of the root and its reciprocal, the bias; and a step of
  // epsilon, where n^2 times the variance of a row that varies is n - 1 at
  // least.
  double z = std::sqrt(n);
  double variance =
      std::ldexp(0.5 / std::max(n - 1, 1.0), -normFraction(length));
  norm.errorLsb =
      largestGain * (0x1p-17 + z * (0x1p-28 + variance)) +
      z * std::ldexp(0.5, -digits) +
      std::ldexp(0.5 + std::ldexp(largestBias, norm.shift - 53), -norm.shift);
  return norm;
}

void integerNormRow(IntegerScheme scheme, bool centred, int32_t inputZeroPoint,
                    int64_t epsilon, const int32_t *gain, const int64_t *bias,
                    int shift, unsigned outputBits, const int64_t *codes,
                    int64_t *result, int64_t length) {
  ScalarIntegers o;
  int64_t sum = 0, squares = 0;
  for (int64_t i = 0; i < length; ++i) {
    int64_t q = codes[i] - inputZeroPoint;
    sum += q;
    squares += q * q;
  }
  NormRow row;
  sequences::normRow(o, scheme, centred, length, epsilon, sum, squares,
                     row.centre, row.multiplier, row.shift);
  for (int64_t i = 0; i < length; ++i) {
    int64_t z =
        sequences::normElement(o, scheme, length, codes[i] - inputZeroPoint,
                               row.centre, row.multiplier, row.shift);
    int64_t half = int64_t(1) << (outputBits - 1);
    result[i] = sequences::clampedCode(
        o, sequences::normCode(o, z, int64_t(gain[i]), bias[i], shift), -half,
        half - 1);
  }
}

} // namespace qdialect

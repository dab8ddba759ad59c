// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Certificates of the integer functions (IntegerBounds.h).
#include "QDialect/Numerics/IntegerBounds.h"

#include "QDialect/Numerics/IntegerSequences.h"
#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace qdialect {

//===----------------------------------------------------------------------===//
// Widths
//===----------------------------------------------------------------------===//

namespace {

using Wide = __int128;

/// All numbers from `low` to `high`.
struct Span {
  Wide low = 0, high = 0;
  bool isDword = false;
};

int bitsOf(Wide x) {
  if (x < 0)
    x = ~x;
  int bits = 1;
  for (; x > 0; x >>= 1)
    ++bits;
  return bits;
}

/// A set of operations on spans. What a step makes counts when another one uses
/// it, so that `within` comes in time.
struct SpanIntegers {
  using Value = Span;
  IntermediateBits bits;

  void count(const Span &x) {
    int &most = x.isDword ? bits.dword : bits.word;
    most = std::max({most, bitsOf(x.low), bitsOf(x.high)});
  }
  Span join(const Span &a, const Span &b, std::initializer_list<Wide> ends) {
    count(a);
    count(b);
    return {std::min(ends), std::max(ends), a.isDword};
  }

  Span narrow(Span x) {
    if (x.isDword)
      count(x);
    return {x.low, x.high, false};
  }
  Span wide(Span x) {
    if (!x.isDword)
      count(x);
    return {x.low, x.high, true};
  }
  Span number(Span x, int64_t n) { return {n, n, x.isDword}; }
  Span add(Span a, Span b) {
    return join(a, b, {a.low + b.low, a.high + b.high});
  }
  Span sub(Span a, Span b) {
    return join(a, b, {a.low - b.high, a.high - b.low});
  }
  Span mul(Span a, Span b) {
    return join(
        a, b, {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  }
  Span min(Span a, Span b) {
    return join(a, b, {std::min(a.low, b.low), std::min(a.high, b.high)});
  }
  Span max(Span a, Span b) {
    return join(a, b, {std::max(a.low, b.low), std::max(a.high, b.high)});
  }
  Span div(Span a, Span b) {
    // Nothing in the sequences may divide by less than one.
    if (b.low < 1)
      bits.word = bits.dword = 128;
    Wide least = std::max<Wide>(b.low, 1);
    return join(a, b, {a.low / std::max<Wide>(b.high, 1), a.high / least});
  }
  Span shl(Span a, Span n) {
    return join(
        a, n,
        {a.low << n.low, a.low << n.high, a.high << n.low, a.high << n.high});
  }
  Span shr(Span a, Span n) {
    return join(
        a, n,
        {a.low >> n.low, a.low >> n.high, a.high >> n.low, a.high >> n.high});
  }
  Span upper(Span a, int64_t n) {
    count(a);
    return {a.low >> n, a.high >> n, false};
  }
  Span low(Span a) {
    bits.word = std::max({bits.word, bitsOf(a.low), bitsOf(a.high)});
    return a;
  }
  Span within(Span a, int64_t low, int64_t high) {
    return {std::max<Wide>(a.low, low), std::min<Wide>(a.high, high),
            a.isDword};
  }
  Span table(const std::vector<int32_t> &numbers, Span index) {
    count(index);
    auto size = static_cast<Wide>(numbers.size());
    auto begin = numbers.begin(), end = numbers.end();
    // Without a wrap only those between the ends.
    if (index.low >= 0 && index.low / size == index.high / size) {
      begin += static_cast<ptrdiff_t>(index.low % size);
      end = numbers.begin() + static_cast<ptrdiff_t>(index.high % size) + 1;
    }
    auto [low, high] = std::minmax_element(begin, end);
    return {*low, *high, false};
  }
  Span bitLength(Span x) {
    count(x);
    return {bitsOf(x.low) - 1, bitsOf(x.high) - 1, x.isDword};
  }
};

/// Codes less a zero point.
Span codesOf(unsigned bits, int64_t zeroPoint) {
  Wide half = Wide(1) << (bits - 1);
  return {-half - zeroPoint, half - 1 - zeroPoint, false};
}

template <typename T>
Span spanOf(const std::vector<T> &numbers, bool isDword) {
  auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  return {*low, *high, isDword};
}

} // namespace

IntermediateBits softmaxBits(const IntegerSoftmax &softmax, unsigned inputBits,
                             int64_t length) {
  SpanIntegers o;
  Span e = sequences::integerExp(o, softmax.exp,
                                 Span{0, (Wide(1) << inputBits) - 1, false});
  // The largest element of the row is among the summands.
  Span most = sequences::integerExp(o, softmax.exp, Span{0, 0, false});
  Span sum{most.low, e.high * length, true};
  Span factor = sequences::softmaxFactor(o, softmax, sum);
  Span code = sequences::softmaxCode(o, softmax, e, factor);
  o.count(sequences::clampedCode(o, code, softmax.min, softmax.max));
  return o.bits;
}

IntermediateBits normBits(IntegerScheme scheme, bool centred,
                          const IntegerNorm &norm, unsigned inputBits,
                          int32_t inputZeroPoint, int64_t length) {
  SpanIntegers o;
  Span code = codesOf(inputBits, centred ? 0 : inputZeroPoint);
  Wide largest = std::max(-code.low, code.high);
  Span sum{code.low * length, code.high * length, true},
      squares{0, largest * largest * length, true}, centre, multiplier, shift;
  sequences::normRow(o, scheme, centred, length, norm.epsilon, sum, squares,
                     centre, multiplier, shift);
  Span z = sequences::normElement(o, scheme, length, code, centre, multiplier,
                                  shift);
  o.count(sequences::normCode(o, z, spanOf(norm.gain, false),
                              spanOf(norm.bias, true), norm.shift));
  return o.bits;
}

IntermediateBits curveBits(const IntegerCurve &curve) {
  SpanIntegers o;
  o.count(sequences::integerCurve(
      o, curve, Span{curve.input.min(), curve.input.max(), false}));
  return o.bits;
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

double expRelativeError(const IntegerExp &exp, double scale, unsigned bits,
                        double absolute) {
  double relative = 0;
  for (int64_t d = 0; d < int64_t(1) << bits; ++d) {
    double wanted = std::exp(-scale * static_cast<double>(d));
    // Whatever they are from there on, both are below `absolute`.
    if (wanted < absolute / 2 && integerExp(exp, d) == 0)
      break;
    double made =
        std::ldexp(static_cast<double>(integerExp(exp, d)), -exp.fraction);
    relative =
        std::max(relative, (std::fabs(made - wanted) - absolute) / wanted);
  }
  return relative;
}

double softmaxErrorLsb(const IntegerSoftmax &softmax, double inputScale,
                       unsigned inputBits, double outputScale, int64_t length) {
  if (softmax.exp.scheme == IntegerScheme::QD)
    return softmax.errorLsb(length);
  // With each exponential off by r E + a, and their sum T at least 1:
  //   |e / sum e - E / T| <= (2 r + a (1 + n)) / (1 - r - a n)
  auto n = static_cast<double>(length);
  double share = 1; // no probability is off by more
  for (int digits = 10; digits <= 16; ++digits) {
    double a = std::ldexp(1, -digits);
    double r = expRelativeError(softmax.exp, inputScale, inputBits, a);
    if (1 - r - a * n > 0)
      share = std::min(share, (2 * r + a * (1 + n)) / (1 - r - a * n));
  }
  // The numerator over the sum is rounded down, which loses less than one of
  // at least 2^15 / n; the multiplier is off by 2^-29 of itself.
  share += n * 0x1p-15 + 0x1p-28;
  // The floor of a code is half a code from its rounding.
  return std::min(share, 1.0) / outputScale + 0.5;
}

double normErrorLsb(IntegerScheme scheme, const IntegerNorm &norm,
                    const IntegerGrid &output) {
  if (scheme == IntegerScheme::QD)
    return norm.errorLsb;
  double gain = 0;
  for (int32_t one : norm.gain)
    gain = std::max(gain, std::fabs(static_cast<double>(one)));
  // A normalised element, right or wrong, is at most 2^30 steps, and has the
  // right sign or is 0.
  return std::min(std::ldexp(gain, 30 - norm.shift) + 0.5,
                  static_cast<double>(output.max() - output.min()));
}

} // namespace qdialect

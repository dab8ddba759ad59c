// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// x^y as a fixed sequence of IEEE f32 operations; FloatFunctions.h says what
// that means and lists the operation set.
//
// x^y = e^(y log|x|), and an error of e in y log|x| is a relative error of e in
// the result, so log|x| is needed to 30 bits: it is carried as an unevaluated
// sum of two floats hi + lo, and so is the product with y.
//   pow(10, 3): log 10 = 2.3025851249 - 3.2e-8, times 3: 6.9077553749 - 9.6e-8,
//   e^6.9077553749 = 1000.00012, times (1 - 9.6e-8): 1000.
// log|x| = i log 2 + 2 atanh(q), q = (m - 1) / (m + 1), |q| < 0.172, with
// |x| = 2^i m and m in [sqrt(1/2), sqrt 2).
//
// The error is below 2.5 ulp (tested on random arguments, not all pairs).
// Special values are C's (and IEEE 754's pow): x^0 = 1 and 1^y = 1 even for
// NaN, a negative x needs an integer y or gives NaN, odd integers keep the sign
// of x, 0 and infinity as limits. Where the result lies within one ulp of 2^128
// it may be infinite instead.
#ifndef QDIALECT_NUMERICS_FLOATPOWER_H
#define QDIALECT_NUMERICS_FLOATPOWER_H

#include "QDialect/Numerics/FloatFunctions.h"

namespace qdialect {
namespace sequences {

/// An unevaluated sum; |lo| is at most half an ulp of hi.
template <class Ops>
struct DoubleFloat {
  typename Ops::F hi, lo;
};

/// log t for t > 0 finite, to about 2^-30 of itself.
template <class Ops>
DoubleFloat<Ops> logDoubleFloat(Ops &o, typename Ops::F t) {
  using F = typename Ops::F;
  auto isSmall = o.lt(t, o.f(0x1p-126f));
  F scaled = o.select(isSmall, o.mul(t, o.f(0x1p23f)), t);
  F offset = o.select(isSmall, o.f(-23.0f), o.f(0.0f));
  auto pattern = o.bits(scaled);
  auto field = o.iand(o.isub(pattern, o.i(0x3f3504f3)), o.i(-0x00800000));
  F i = o.add(o.toFloat(o.isar(field, 23)), offset);
  F m = o.fromBits(o.isub(pattern, field));

  // q = (m - 1) / (m + 1) as q + e: the remainder of the division, by fma. m +
  // 1 is rounded, (m + 1) - 1 - m is what it lost.
  F one = o.f(1.0f);
  F numerator = o.sub(m, one), denominator = o.add(m, one);
  F lost = o.sub(m, o.sub(denominator, one));
  F q = o.div(numerator, denominator);
  F negative = o.sub(o.f(0.0f), q);
  F rest = o.fma(negative, lost, o.fma(negative, denominator, numerator));
  F e = o.div(rest, denominator);

  // 2 atanh(q + e) = 2 q + 2 (e + q^3 r(q^2)), the cube as p + c.
  static constexpr float r[] = {0x1.555554p-2f, 0x1.999c26p-3f, 0x1.23d3eep-3f,
                                0x1.f135c8p-4f};
  F s = o.mul(q, q);
  F sLow = o.fma(q, o.add(e, e), o.fma(q, q, o.sub(o.f(0.0f), s)));
  F p = o.mul(s, q);
  F c = o.fma(s, e, o.fma(sLow, q, o.fma(s, q, o.sub(o.f(0.0f), p))));
  F series = polynomial(o, s, r);
  F low = o.fma(series, p, o.fma(series, c, e));
  F twice = o.add(q, q);

  // hi + lo = i log 2 + twice + 2 low; log 2 in two parts, the sums
  // compensated.
  F log2 = o.f(0x1.62e430p-1f);
  F sum = o.fma(i, log2, twice);
  F sumLow = o.sub(twice, o.fma(i, o.f(-0x1.62e430p-1f), sum));
  F tail = o.fma(i, o.f(-0x1.05c610p-29f), o.fma(o.f(2.0f), low, sumLow));
  F hi = o.add(sum, tail);
  return {hi, o.add(o.sub(sum, hi), tail)};
}

/// t^y for t > 0 finite and any y but NaN.
template <class Ops>
typename Ops::F powMagnitude(Ops &o, typename Ops::F t, typename Ops::F y) {
  using F = typename Ops::F;
  DoubleFloat<Ops> log = logDoubleFloat(o, t);
  // An infinite y acts as the largest finite one: 1^inf stays 1.
  F most = o.f(0x1.fffffep127f), least = o.f(-0x1.fffffep127f);
  y = o.select(o.lt(most, y), most, y);
  y = o.select(o.lt(y, least), least, y);
  F product = o.mul(log.hi, y);
  F low = o.fma(log.hi, y, o.sub(o.f(0.0f), product));
  low = o.fma(log.lo, y, low);
  // Far outside the range of exp only the sign counts.
  F limit = o.f(200.0f);
  low = o.select(o.lt(abs(o, product), limit), low, o.f(0.0f));
  product = o.select(o.lt(limit, product), limit, product);
  product = o.select(o.lt(product, o.f(-200.0f)), o.f(-200.0f), product);
  F hi = o.add(product, low);
  F lo = o.add(o.sub(product, hi), low);
  F power = exp(o, hi);
  return o.select(o.lt(power, o.f(INFINITY)), o.fma(power, lo, power), power);
}

/// x^y; see the head.
template <class Ops>
typename Ops::F pow(Ops &o, typename Ops::F x, typename Ops::F y) {
  using F = typename Ops::F;
  F zero = o.f(0.0f), one = o.f(1.0f), inf = o.f(INFINITY), nan = o.f(NAN);
  F t = abs(o, x);
  F result = powMagnitude(o, t, y);

  // |x| is 0, infinite or NaN: itself for y > 0, its inverse for y < 0.
  F inverse = o.select(o.lt(t, one), inf, o.select(o.lt(one, t), zero, t));
  F edge = o.select(o.lt(y, zero), inverse, t);
  result = o.select(o.lt(zero, t), o.select(o.lt(t, inf), result, edge), edge);

  // Is v >= 0 an integer? Adding 2^23 leaves no room for a fraction.
  F large = o.f(0x1p23f);
  auto fraction = [&](F v) {
    F rounded = o.sub(o.add(v, large), large);
    return o.select(o.lt(v, large), o.sub(v, rounded), zero);
  };
  F absY = abs(o, y);
  F part = abs(o, fraction(absY));
  F halfPart = abs(o, fraction(o.mul(absY, o.f(0.5f))));
  // Odd: y is an integer and y / 2 is not.
  F odd = o.select(o.lt(zero, part), zero, halfPart);
  auto isOdd = o.lt(zero, odd);
  F negated = o.select(isOdd, o.sub(o.f(-0.0f), result), result);
  // A finite negative x under a fraction.
  F minusInf = o.f(-INFINITY);
  F real = o.select(o.lt(zero, part), nan, negated);
  F below = o.select(o.lt(minusInf, x), real, negated);
  result = o.select(o.lt(x, zero), below, result);
  // -0 is not below 0, yet its odd powers have its sign.
  F signedZero =
      o.fromBits(o.ior(o.bits(result), o.iand(o.bits(x), o.i(INT32_MIN))));
  F atZero = o.select(isOdd, signedZero, result);
  result = o.select(o.lt(zero, t), result, o.select(o.lt(t, one), atZero, t));

  // NaN in y, then the two ones that win over it.
  result = o.select(o.lt(y, inf), result, o.select(o.lt(zero, y), result, nan));
  F yIsZero = o.select(o.lt(zero, absY), result,
                       o.select(o.lt(absY, one), one, result));
  F belowOne =
      o.select(o.lt(x, one), yIsZero, o.select(o.lt(zero, x), one, yIsZero));
  return o.select(o.lt(one, x), yIsZero, belowOne);
}

} // namespace sequences

/// x^y by `sequences::pow`.
float powF32(float x, float y);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_FLOATPOWER_H

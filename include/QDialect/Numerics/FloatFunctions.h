// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp, log, log1p, erf, tanh, sigmoid, rsqrt, gelu, silu as fixed sequences of
// IEEE f32 operations: the same bits from the interpreter, every CPU and every
// GPU.
//
// A math library promises an error, not bits. Here each function is a straight
// line of correctly rounded operations (add, mul, div, sqrt, fma, compare,
// select, integer arithmetic on the bit pattern), written once as a template
// over an operation set. ScalarOps evaluates it on floats; the compiler's own
// set emits one arith or math operation for each call, on scalars or vectors.
// Whoever executes the sequence without contraction, reassociation or flushing
// gets these bits.
//
// Example, exp(1): n = rne(1 * log2(e)) = 1, r = 1 - ln 2 = 0.30685282 by two
// fmas, p = e^r = 1.3591409 by a polynomial, p * 2^1 = 2.7182818.
//
// An operation set has types F (float), I (32-bit integer), B (condition) and
//   F f(float); I i(int32_t)                 constants
//   F add(F, F) sub mul div; F sqrt(F)       rounded to nearest even
//   F fma(F a, F b, F c)                     a * b + c rounded once
//   B lt(F, F)                               ordered: false with a NaN
//   F select(B, F, F)
//   I bits(F); F fromBits(I)                 the IEEE 754 bit pattern
//   I iadd(I, I) isub iand ior               modulo 2^32
//   I ishl(I, int) isar(I, int)              shifts, isar arithmetic
//   F toFloat(I)                             for |i| < 2^24, so exact
//
// Errors, the maximum over all 2^32 arguments (unit tests check them; results
// below the normal range are within the same number of units of 2^-149):
//   exp 1.02  log 0.91  log1p 0.9  erf 1.08  tanh 1.34  sigmoid 2.41  rsqrt 1.5
//   ulp gelu (both), silu: absolute, see each
// NaN gives NaN (which NaN is not specified: two NaNs count as equal bits);
// nothing is flushed to zero; -0 is kept by the odd functions. Limits stand at
// each function.
#ifndef QDIALECT_NUMERICS_FLOATFUNCTIONS_H
#define QDIALECT_NUMERICS_FLOATFUNCTIONS_H

#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef QDIALECT_MUTATE
#define QDIALECT_MUTATE 0
#endif

namespace qdialect {
namespace sequences {

/// c[0] + c[1] x + ... + c[N-1] x^(N-1) by Horner's rule in fma.
template <class Ops, int N>
typename Ops::F polynomial(Ops &o, typename Ops::F x, const float (&c)[N]) {
  typename Ops::F sum = o.f(c[N - 1]);
  for (int k = N - 2; k >= 0; --k)
    sum = o.fma(sum, x, o.f(c[k]));
  return sum;
}

/// |x|, by clearing the sign bit.
template <class Ops>
typename Ops::F abs(Ops &o, typename Ops::F x) {
  return o.fromBits(o.iand(o.bits(x), o.i(0x7fffffff)));
}

/// The magnitude of `magnitude` (which is not negative) with the sign of
/// `sign`.
template <class Ops>
typename Ops::F withSign(Ops &o, typename Ops::F magnitude,
                         typename Ops::F sign) {
  auto signBit = o.iand(o.bits(sign), o.i(INT32_MIN));
  return o.fromBits(o.ior(o.bits(magnitude), signBit));
}

/// e^x. +inf above 88.72284, subnormal results below -87.33655, 0 below
/// -103.97.
template <class Ops>
typename Ops::F exp(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  // Beyond these the result is inf or 0 anyway; NaN passes both selects.
  F hi = o.f(89.0f), lo = o.f(-104.0f);
  x = o.select(o.lt(hi, x), hi, x);
  x = o.select(o.lt(x, lo), lo, x);
  // n = rne(x / ln 2): adding 1.5 * 2^23 leaves the integer in the low bits.
  F magic = o.f(0x1.8p23f);
  F shifted = o.fma(x, o.f(0x1.715476p0f), magic);
  F n = o.sub(shifted, magic);
  // r = x - n ln 2 in [-0.3466, 0.3466]; ln 2 in two parts.
  F r = o.fma(n, o.f(-0x1.62e430p-1f), x);
  // Seeded fault 7: the low part of ln 2 is forgotten.
  if constexpr (QDIALECT_MUTATE != 7)
    r = o.fma(n, o.f(0x1.05c610p-29f), r);
  // e^r = 1 + (r + r^2 q(r)), |error| < 2^-28.
  static constexpr float c[] = {0x1.fffffcp-2f, 0x1.55548ap-3f, 0x1.55584ep-5f,
                                0x1.123f2ep-7f, 0x1.6ad0f8p-10f};
  F q = polynomial(o, r, c);
  F p = o.add(o.f(1.0f), o.fma(q, o.mul(r, r), r));
  // p * 2^n as two exact powers, so that only the last product rounds, into the
  // subnormals too, and overflows by itself.
  auto k = o.isub(o.bits(shifted), o.i(0x4B400000));
  auto k1 = o.isar(k, 1);
  auto k2 = o.isub(k, k1);
  F power1 = o.fromBits(o.ishl(o.iadd(k1, o.i(127)), 23));
  F power2 = o.fromBits(o.ishl(o.iadd(k2, o.i(127)), 23));
  return o.mul(o.mul(p, power1), power2);
}

/// x = 2^k * (1 + f) with 1 + f in [2/3, 4/3), and rest such that
/// log(1 + f) = f + f^2 rest.
template <class Ops>
struct LogParts {
  typename Ops::F k, f, rest;
};

/// Of a positive normal number.
template <class Ops>
LogParts<Ops> splitForLog(Ops &o, typename Ops::F x) {
  auto pattern = o.bits(x);
  auto field = o.iand(o.isub(pattern, o.i(0x3f2aaaab)), o.i(-0x00800000));
  auto f = o.sub(o.fromBits(o.isub(pattern, field)), o.f(1.0f));
  // log(1 + f) = f - f^2 / 2 + f^3 p(f).
  static constexpr float c[] = {
      0x1.555556p-2f,  -0x1.ffff02p-3f, 0x1.99985ep-3f,
      -0x1.559bb2p-3f, 0x1.24d7aap-3f,  -0x1.f33df0p-4f,
      0x1.bb3e26p-4f,  -0x1.07ba0ap-3f, 0x1.e07c00p-4f};
  return {o.toFloat(o.isar(field, 23)), f,
          o.fma(polynomial(o, f, c), f, o.f(-0.5f))};
}

/// The natural logarithm: -inf at +-0, NaN below, +inf at +inf; subnormal
/// arguments are exact like any other.
template <class Ops>
typename Ops::F log(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  // A subnormal argument times 2^23 is normal.
  auto isSmall = o.lt(x, o.f(0x1p-126f));
  F scaled = o.select(isSmall, o.mul(x, o.f(0x1p23f)), x);
  F offset = o.select(isSmall, o.f(-23.0f), o.f(0.0f));
  LogParts<Ops> parts = splitForLog(o, scaled);
  F k = o.add(parts.k, offset), f = parts.f;
  F tail = o.fma(k, o.f(-0x1.05c610p-29f), o.fma(parts.rest, o.mul(f, f), f));
  F y = o.fma(k, o.f(0x1.62e430p-1f), tail);
  // The ends, in this order: +inf and NaN, below zero, +-0.
  F inf = o.f(INFINITY), zero = o.f(0.0f);
  y = o.select(o.lt(x, inf), y, x);
  y = o.select(o.lt(x, zero), o.f(NAN), y);
  F small = o.select(isSmall, abs(o, x), inf);
  return o.select(o.lt(small, o.f(0x1p-149f)), o.f(-INFINITY), y);
}

/// log(1 + x): x near 0, -inf at -1, NaN below, +inf at +inf.
template <class Ops>
typename Ops::F log1p(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  F one = o.f(1.0f), zero = o.f(0.0f), inf = o.f(INFINITY);
  // 1 + x = u + lost, of which the larger of the two is taken away exactly.
  F u = o.add(one, x);
  F lost =
      o.select(o.lt(one, x), o.sub(one, o.sub(u, x)), o.sub(x, o.sub(u, one)));
  LogParts<Ops> parts = splitForLog(o, u);
  F f = parts.f;
  // log(u + lost) = log u + lost / u, the small parts first.
  F small = o.fma(parts.rest, o.mul(f, f), o.div(lost, u));
  F tail = o.add(f, o.fma(parts.k, o.f(-0x1.05c610p-29f), small));
  F y = o.fma(parts.k, o.f(0x1.62e430p-1f), tail);
  // The ends: x itself where its square is lost, +inf and NaN, -1, below -1.
  y = o.select(o.lt(abs(o, x), o.f(0x1p-26f)), x, y);
  y = o.select(o.lt(x, inf), y, x);
  y = o.select(o.lt(zero, u), y, o.select(o.lt(x, inf), o.f(-INFINITY), y));
  return o.select(o.lt(x, o.f(-1.0f)), o.f(NAN), y);
}

/// The error function, odd; +-1 from 3.92 on.
template <class Ops>
typename Ops::F erf(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  F t = abs(o, x);
  // t < 0.921875: t + t p(t^2).
  static constexpr float small[] = {0x1.06eba6p-3f, -0x1.8126e8p-2f,
                                    0x1.ce1ab4p-4f, -0x1.b68e66p-6f,
                                    0x1.474a0ep-8f, -0x1.3a48e2p-11f};
  F nearZero = o.fma(polynomial(o, o.mul(t, t), small), t, t);
  // Else 1 - exp(-(t + t p(t))), t at most 4 where it is 1 already.
  static constexpr float large[] = {
      0x1.0772e0p-3f, 0x1.4538aep-1f,   0x1.b2d3bcp-4f, -0x1.84359ap-6f,
      0x1.d9333ap-9f, -0x1.4a1bf6p-12f, 0x1.5de128p-17f};
  F four = o.f(4.0f);
  F u = o.select(o.lt(four, t), four, t);
  F y = o.fma(polynomial(o, u, large), u, u);
  F tail = o.sub(o.f(1.0f), exp(o, o.sub(o.f(0.0f), y)));
  F magnitude = o.select(o.lt(t, o.f(0.921875f)), nearZero, tail);
  return withSign(o, magnitude, x);
}

/// tanh, odd; +-1 from 9.01 on.
template <class Ops>
typename Ops::F tanh(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  F t = abs(o, x);
  // t < 0.625: t + t s q(s), s = t^2.
  static constexpr float c[] = {-0x1.555554p-2f, 0x1.11107ap-3f,
                                -0x1.b9f188p-5f, 0x1.63a550p-6f,
                                -0x1.0c5ed0p-7f, 0x1.1a2816p-9f};
  F s = o.mul(t, t);
  F nearZero = o.fma(o.mul(polynomial(o, s, c), s), t, t);
  // Else 1 - 2 / (e^(2t) + 1), which is 1 for t = inf.
  F e = exp(o, o.add(t, t));
  F one = o.f(1.0f);
  F tail = o.sub(one, o.div(o.f(2.0f), o.add(e, one)));
  F magnitude = o.select(o.lt(t, o.f(0.625f)), nearZero, tail);
  return withSign(o, magnitude, x);
}

/// 1 / (1 + e^-x), as z / (1 + z) with z = e^-|x| for negative x, so that small
/// results keep their digits; 0 below -103.97.
template <class Ops>
typename Ops::F sigmoid(Ops &o, typename Ops::F x) {
  using F = typename Ops::F;
  F one = o.f(1.0f);
  F z = exp(o, o.sub(o.f(0.0f), abs(o, x)));
  F numerator = o.select(o.lt(x, o.f(0.0f)), z, one);
  return o.div(numerator, o.add(one, z));
}

/// 1 / sqrt(x): +-inf at +-0, NaN below, 0 at +inf.
template <class Ops>
typename Ops::F rsqrt(Ops &o, typename Ops::F x) {
  return o.div(o.f(1.0f), o.sqrt(x));
}

/// x * sigmoid(x). NaN at -inf (0 * inf).
template <class Ops>
typename Ops::F silu(Ops &o, typename Ops::F x) {
  return o.mul(x, sigmoid(o, x));
}

/// (x / 2) * (1 + erf(x / sqrt 2)): absolute error below 2^-23 |x|. The sum
/// cancels for negative x, as it does in every framework. NaN at -inf.
template <class Ops>
typename Ops::F gelu(Ops &o, typename Ops::F x) {
  auto e = erf(o, o.mul(x, o.f(0x1.6a09e6p-1f)));
  return o.mul(o.mul(x, o.f(0.5f)), o.add(o.f(1.0f), e));
}

/// (x / 2) * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), x^3 = (x * x) * x.
template <class Ops>
typename Ops::F geluTanh(Ops &o, typename Ops::F x) {
  auto cube = o.mul(o.mul(x, x), x);
  auto inner = o.add(x, o.mul(o.f(0.044715f), cube));
  auto t = tanh(o, o.mul(o.f(0x1.988454p-1f), inner));
  return o.mul(o.mul(x, o.f(0.5f)), o.add(o.f(1.0f), t));
}

} // namespace sequences

/// The operation set that computes.
struct ScalarOps {
  using F = float;
  using I = int32_t;
  using B = bool;

  static F f(float c) { return c; }
  static I i(int32_t c) { return c; }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F sqrt(F a) { return std::sqrt(a); }
  static F fma(F a, F b, F c) { return std::fma(a, b, c); }
  static B lt(F a, F b) { return a < b; }
  static F select(B c, F a, F b) { return c ? a : b; }
  static I bits(F a) {
    I result;
    std::memcpy(&result, &a, sizeof result);
    return result;
  }
  static F fromBits(I a) {
    F result;
    std::memcpy(&result, &a, sizeof result);
    return result;
  }
  static I wrap(uint32_t a) { return static_cast<I>(a); }
  static I iadd(I a, I b) { return wrap(uint32_t(a) + uint32_t(b)); }
  static I isub(I a, I b) { return wrap(uint32_t(a) - uint32_t(b)); }
  static I iand(I a, I b) { return a & b; }
  static I ior(I a, I b) { return a | b; }
  static I ishl(I a, int n) { return wrap(uint32_t(a) << n); }
  static I isar(I a, int n) { return a >> n; }
  static F toFloat(I a) { return static_cast<F>(a); }
};

/// The functions by name, for tables and array evaluation.
enum class FloatFunction : uint8_t {
  Exp,
  Log,
  Log1p,
  Erf,
  Tanh,
  Sigmoid,
  Rsqrt,
  Silu,
  Gelu,
  GeluTanh
};

float expF32(float x);
float logF32(float x);
float log1pF32(float x);
float erfF32(float x);
float tanhF32(float x);
float sigmoidF32(float x);
float rsqrtF32(float x);
float siluF32(float x);
float geluF32(float x);
float geluTanhF32(float x);

/// y[i] = function(x[i]) for i < n, vectorised where the CPU has fma; the same
/// bits as the scalar forms. x and y may be the same.
void evaluate(FloatFunction function, const float *x, float *y, int64_t n);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_FLOATFUNCTIONS_H

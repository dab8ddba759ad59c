// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The straight lines of integer operations of IntegerFunctions.h, as templates
// over a set of operations: ScalarIntegers evaluates them, the compiler's set
// emits them, and so the bits are one everywhere. A set has values of 32 and 64
// bits; every line says which it is in, and nothing in it wraps.
//
//   narrow(x), wide(x)     to 32 and 64 bits
//   number(x, n)           the constant n, of x's width
//   add, sub, mul, min, max, div (both operands positive)
//   shl, shr (arithmetic)  by a number or a value
//   upper(x, n)            narrow(x >> n) of a 64-bit x, n at least 32
//   low(x)                 a 64-bit x that is known to fit 32 bits
//   table(numbers, index)  the index modulo the table's size, a power of two
//   bitLength(x)           of a positive x
//   within(x, low, high)   x, whose ends follow from how it is made and not
//                          from those of its operands (IntegerBounds.h)
#ifndef QDIALECT_NUMERICS_INTEGERSEQUENCES_H
#define QDIALECT_NUMERICS_INTEGERSEQUENCES_H

#include "QDialect/Numerics/IntegerFunctions.h"
#include <algorithm>

namespace qdialect {

struct ScalarIntegers {
  using Value = int64_t;
  Value narrow(Value x) { return static_cast<int32_t>(x); }
  Value wide(Value x) { return x; }
  Value number(Value, int64_t n) { return n; }
  Value add(Value a, Value b) { return a + b; }
  Value sub(Value a, Value b) { return a - b; }
  Value mul(Value a, Value b) { return a * b; }
  Value min(Value a, Value b) { return std::min(a, b); }
  Value max(Value a, Value b) { return std::max(a, b); }
  Value div(Value a, Value b) { return a / b; }
  Value shl(Value a, Value n) { return static_cast<int64_t>(uint64_t(a) << n); }
  Value shr(Value a, Value n) { return a >> n; }
  Value upper(Value a, int64_t n) { return a >> n; }
  Value low(Value a) { return a; }
  Value within(Value a, int64_t, int64_t) { return a; }
  Value table(const std::vector<int32_t> &numbers, Value index) {
    return numbers[static_cast<size_t>(index) & (numbers.size() - 1)];
  }
  Value bitLength(Value x) {
    Value bits = 0;
    for (; x > 0; x >>= 1)
      ++bits;
    return bits;
  }
};

namespace sequences {

template <class O, class V>
V shiftRight(O &o, V x, int64_t n) {
  return n == 0 ? x : o.shr(x, o.number(x, n));
}

/// x / 2^n to nearest, ties up, of 64 bits; 32 bits. The result is below 2^30.
template <class O, class V>
V roundedShift(O &o, V x, int64_t n) {
  if (n < 33)
    return o.narrow(
        shiftRight(o, o.add(x, o.number(x, int64_t(1) << (n - 1))), n));
  // The floor of halves of a step: the lower word of x matters to nobody.
  V halves = o.upper(x, n - 1);
  return shiftRight(o, o.add(halves, o.number(halves, 1)), 1);
}

/// exp(-scale * d), 32 bits; 0 <= d < 2^16, 32 bits.
template <class O, class V>
V integerExp(O &o, const IntegerExp &p, V d) {
  if (p.scheme == IntegerScheme::QD) {
    constexpr int fraction = IntegerExp::kTableFraction,
                  bits = IntegerExp::kTableBits;
    d = o.min(d, o.number(d, p.most));
    V product = o.mul(o.wide(o.table(p.low, d)),
                      o.wide(o.table(p.middle, shiftRight(o, d, bits))));
    if (!p.high.empty())
      product = o.mul(o.low(shiftRight(o, product, fraction)),
                      o.wide(o.table(p.high, shiftRight(o, d, 2 * bits))));
    return roundedShift(o, product, 2 * fraction - p.fraction);
  }
  d = shiftRight(o, d, p.preShift);
  V x = o.sub(o.number(d, 0), d);      // the papers' q, at most 0
  if (p.scheme == IntegerScheme::IVit) // times 1.4375, about log2 e
    x = o.within(o.sub(o.add(x, shiftRight(o, x, 1)), shiftRight(o, x, 4)),
                 -(1 << 17), 0);
  V t = o.min(o.sub(o.number(d, 0), x), o.number(d, p.most));
  V z = o.div(t, o.number(d, p.period));
  // What z periods leave of t.
  V r = o.within(o.sub(o.mul(z, o.number(d, p.period)), t), 1 - p.period, 0);
  V mantissa =
      p.scheme == IntegerScheme::IVit
          ? o.wide(o.add(r, o.number(r, 2 * int64_t(p.period))))
          : o.add(o.mul(o.wide(r), o.wide(o.add(r, o.number(r, p.slope)))),
                  o.number(o.wide(r), p.ground));
  V scaled = o.mul(mantissa, o.number(mantissa, p.multiplier));
  V drop = o.add(o.wide(z), o.number(mantissa, p.shift));
  return o.narrow(o.shr(scaled, drop));
}

/// numerator / sum, once a row, 64 bits. A row of no elements has a sum of 0
/// and nobody who asks for its factor.
template <class O, class V>
V softmaxFactor(O &o, const IntegerSoftmax &p, V sum) {
  return o.div(o.number(sum, p.numerator), o.max(sum, o.number(sum, 1)));
}

/// A code held to its grid, 32 bits.
template <class O, class V>
V clampedCode(O &o, V code, int64_t min, int64_t max) {
  return o.max(o.min(code, o.number(code, max)), o.number(code, min));
}

/// The code of e / sum before it is clamped, 32 bits; e of 32 bits, the factor
/// of 64.
template <class O, class V>
V softmaxCode(O &o, const IntegerSoftmax &p, V e, V factor) {
  V share = o.mul(o.wide(e), factor);
  if (p.multiplier != 1)
    share = o.mul(share, o.number(share, p.multiplier));
  // A row of one element is 1, which may be far beyond the grid, but not beyond
  // 2^25.
  V code = p.rounds ? roundedShift(o, share, p.shift)
                    : o.narrow(shiftRight(o, share, p.shift));
  return o.add(code, o.number(code, p.zeroPoint));
}

/// floor(sqrt(x)) of 0 < x < 2^62, 64 bits: Newton from a power of two above
/// the root, as many steps as the worst x takes.
template <class O, class V>
V integerSqrt(O &o, V x) {
  V bits = o.bitLength(x);
  V one = o.number(x, 1);
  V root = o.shl(one, o.shr(o.add(bits, one), one));
  // The root of a positive number is one at least, and no step ends below it.
  for (int step = 0; step < 7; ++step)
    root = o.within(o.min(root, o.shr(o.add(root, o.div(x, root)), one)), 1,
                    int64_t(1) << 31);
  return root;
}

/// From the sum of the (centred) row's codes and that of their squares, 64
/// bits each, what turns its elements into normalised ones.
template <class O, class V>
void normRow(O &o, IntegerScheme scheme, bool centred, int64_t length,
             int64_t epsilon, V sum, V squares, V &centre, V &multiplier,
             V &shift) {
  V n = o.number(sum, length), one = o.number(sum, 1);
  if (!centred)
    sum = o.number(sum, 0);
  if (scheme == IntegerScheme::QD) {
    // n^2 times the variance, exactly; the root of it times 4^s is in
    // [2^30, 2^31).
    int digits = normFraction(length);
    // Cauchy and Schwarz: not negative, and largest where the mean is 0.
    V variance = o.within(o.sub(o.mul(n, squares), o.mul(sum, sum)), 0,
                          int64_t(1) << 60);
    variance =
        o.add(o.shl(variance, o.number(sum, digits)), o.number(sum, epsilon));
    V s = o.shr(o.sub(o.number(sum, 62), o.bitLength(variance)), one);
    V normalised = o.within(o.shl(variance, o.shl(s, one)), int64_t(1) << 60,
                            (int64_t(1) << 62) - 1);
    V root = o.within(integerSqrt(o, normalised), int64_t(1) << 30,
                      (int64_t(1) << 31) - 1);
    multiplier = o.div(o.number(sum, int64_t(1) << 60), root);
    // A row of equal elements has nothing to shift.
    shift = o.max(o.sub(o.number(sum, 44 - digits / 2), s), one);
    centre = sum;
    return;
  }
  // The mean rounded to nearest (half up: the papers' half to even differs by
  // one step of the input for one remainder alone).
  V twice = o.add(o.shl(sum, one), n);
  // floor(twice / 2n) by a division of positive numbers.
  int64_t offset = int64_t(1) << 17;
  V mean = o.sub(o.div(o.add(twice, o.number(sum, 2 * length * offset)),
                       o.number(sum, 2 * length)),
                 o.number(sum, offset));
  // sum (q - mean)^2
  V spread = o.within(o.add(o.sub(squares, o.mul(o.shl(sum, one), mean)),
                            o.mul(n, o.mul(mean, mean))),
                      0, int64_t(1) << 60);
  V root = integerSqrt(o, o.max(spread, one));
  multiplier = o.div(o.number(sum, int64_t(1) << 31), root);
  shift = one;
  centre = mean;
}

/// The normalised element, 64 bits; a code less its zero point of 32, the rest
/// of 64.
template <class O, class V>
V normElement(O &o, IntegerScheme scheme, int64_t length, V code, V centre,
              V multiplier, V shift) {
  if (scheme != IntegerScheme::QD) {
    V y = o.sub(o.wide(code), centre);
    // No element is further from the mean than the root of all squares.
    return o.within(o.shr(o.mul(y, multiplier), shift), -(int64_t(1) << 30),
                    int64_t(1) << 30);
  }
  V y = o.sub(o.mul(code, o.number(code, length)), o.narrow(centre));
  V one = o.number(shift, 1);
  V half = o.shl(one, o.sub(shift, one));
  // At most sqrt(n) <= 2^7 deviations, and what the root lost.
  return o.within(o.shr(o.add(o.mul(o.wide(y), multiplier), half), shift),
                  -(int64_t(1) << 24), int64_t(1) << 24);
}

/// (z * gain + bias) >> shift before it is clamped, 32 bits; z and the bias of
/// 64, the gain of 32. |z| < 2^31: of qd no element is more than sqrt(n) <= 2^7
/// standard deviations from its mean, of the papers none is beyond 2^30.
template <class O, class V>
V normCode(O &o, V z, V gain, V bias, int64_t shift) {
  V code = o.add(o.mul(o.low(z), o.wide(gain)), bias);
  if (shift >= 33) // |z * gain + bias| < 2^61 + 2^60
    return o.upper(code, shift);
  // Beyond every grid.
  int64_t limit = 1 << 24;
  return o.narrow(clampedCode(o, shiftRight(o, code, shift), -limit, limit));
}

/// |x| of a difference of codes, 32 bits.
template <class O, class V>
V magnitude(O &o, V x) {
  return o.within(o.max(x, o.sub(o.number(x, 0), x)), 0, 1 << 17);
}

/// The product of a paper's curve before it is rescaled, 64 bits; q a code
/// less its zero point, 32 bits.
template <class O, class V>
V curveProduct(O &o, const IntegerCurve &p, V q) {
  V zero = o.number(q, 0);
  if (p.scheme == IntegerScheme::IBert && p.kind == IntegerCurveKind::Gelu) {
    // L = top - (bend - min(|q|, bend))^2, with the sign of q.
    V rest =
        o.sub(o.number(q, p.bend), o.min(magnitude(o, q), o.number(q, p.bend)));
    V square = o.mul(o.wide(rest), o.wide(rest));
    V l = o.sub(o.number(square, p.top), square);
    // -1, 0 or 1.
    V sign = o.max(o.min(q, o.number(q, 1)), o.number(q, -1));
    l = shiftRight(o, o.mul(l, o.wide(sign)), p.drop);
    return o.mul(o.wide(q), o.add(l, o.number(l, p.one)));
  }
  // e^x / (e^x + 1) with the larger exponential at 1: what I-ViT's row maximum
  // is for, without the row.
  V up = integerExp(o, p.exp, o.max(o.sub(zero, q), zero));
  V other = integerExp(o, p.exp, o.max(q, zero));
  // One of them is 2^16, less at most two; lanes that hold no element divide by
  // something, too.
  V sum = o.within(o.max(o.add(up, other), o.number(up, 1)), (1 << 16) - 2,
                   1 << 18);
  V factor = o.div(o.number(up, (int64_t(1) << 31) - 1), sum);
  V sigmoid = shiftRight(o, o.mul(o.wide(up), o.wide(factor)), 31 - 15);
  return o.mul(o.wide(q), sigmoid);
}

/// A function of one code, 32 bits.
template <class O, class V>
V integerCurve(O &o, const IntegerCurve &p, V code) {
  V result;
  if (p.scheme == IntegerScheme::QD) {
    V index = o.sub(code, o.number(code, p.input.min()));
    if (p.steps.empty())
      return o.table(p.values, index);
    // (c t + s) t + v, t in [0, 1) of a segment.
    constexpr int bits = IntegerCurve::kSegmentBits;
    V high = shiftRight(o, index, bits);
    V t = o.within(o.sub(index, o.shl(high, o.number(index, bits))), 0,
                   (1 << bits) - 1);
    V half = o.number(index, 1 << (bits - 1));
    V slope =
        shiftRight(o, o.add(o.mul(o.table(p.bends, high), t), half), bits);
    slope = o.add(slope, o.table(p.steps, high));
    V rise = shiftRight(o, o.add(o.mul(slope, t), half), bits);
    V value = o.add(o.table(p.values, high), rise);
    if (p.fraction > 0)
      value = o.add(value, o.number(value, 1 << (p.fraction - 1)));
    result = shiftRight(o, value, p.fraction);
    // The zero point is in the values.
  } else {
    V q = o.sub(code, o.number(code, p.input.zeroPoint));
    V product = curveProduct(o, p, q);
    V scaled = o.mul(product, o.number(product, p.multiplier));
    if (p.shift > 0)
      scaled = o.add(scaled, o.number(scaled, int64_t(1) << (p.shift - 1)));
    V value = o.add(shiftRight(o, scaled, p.shift),
                    o.number(scaled, p.output.zeroPoint));
    value = o.max(o.min(value, o.number(value, p.output.max())),
                  o.number(value, p.output.min()));
    return o.narrow(value);
  }
  return o.max(o.min(result, o.number(result, p.output.max())),
               o.number(result, p.output.min()));
}

} // namespace sequences
} // namespace qdialect

#endif // QDIALECT_NUMERICS_INTEGERSEQUENCES_H

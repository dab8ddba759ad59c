// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax, layer norm, RMS norm, gelu and silu of codes, in integers alone
// (docs/Numerics.md, section 11). Everything that is real (scales, epsilon,
// gains) becomes integers here, when a model is compiled; what is left for run
// time are the straight lines of IntegerSequences.h.
//
//   qd     ours: exponentials and curves from small tables, norms by an exact
//          variance and a normalised square root
//   ibert  I-BERT (arXiv 2101.01321): polynomials of degree 2
//   ivit   I-ViT (arXiv 2207.01405): shifts
//
// Where the papers fail (docs/Numerics.md names each trap), the repair keeps
// their formula where it worked.
#ifndef QDIALECT_NUMERICS_INTEGERFUNCTIONS_H
#define QDIALECT_NUMERICS_INTEGERFUNCTIONS_H

#include <cstdint>
#include <optional>
#include <vector>

namespace qdialect {

enum class IntegerScheme { QD, IBert, IVit };

/// Codes of a grid: real = (code - zeroPoint) * scale.
struct IntegerGrid {
  double scale = 1;
  int32_t zeroPoint = 0;
  unsigned bits = 8; ///< signed, at most 16

  int64_t min() const { return -(int64_t(1) << (bits - 1)); }
  int64_t max() const { return (int64_t(1) << (bits - 1)) - 1; }
};

/// exp(-scale * d) of the integers d in [0, 2^16).
struct IntegerExp {
  IntegerScheme scheme = IntegerScheme::QD;
  /// exp is 2^fraction at d = 0 (less at most two with a paper's scheme).
  int fraction = 20;
  int32_t most = 1; ///< d (the papers': what they make of it) is clamped here
  /// qd: exp(-scale * i * 32^k) for k = 0, 1, 2 in steps of 2^-kTableFraction:
  /// 32 numbers each, which fit two vector registers; `high` has 64 where
  /// `most` asks for them, and none where it is below 1024.
  std::vector<int32_t> low, middle, high;
  static constexpr int kTableBits = 5, kTableFraction = 30;
  // The papers: d is shifted right first, so that scale * 2^preShift > 2^-13.
  int preShift = 0;
  int32_t period = 1;            ///< ln 2 (ibert) or 1 (ivit) in steps
  int32_t slope = 0, ground = 0; ///< ibert's q_b and q_c
  int32_t multiplier = 0;        ///< to 2^fraction
  int shift = 0;
};
IntegerExp chooseIntegerExp(IntegerScheme scheme, double scale, unsigned bits);

/// A row of probabilities on a grid.
struct IntegerSoftmax {
  IntegerExp exp;
  int64_t numerator = 0; ///< divided by the sum, once a row
  /// The papers' second multiplication: from probabilities to codes.
  int32_t multiplier = 1;
  int shift = 0;
  bool rounds = false; ///< qd rounds, the papers take the floor
  int32_t zeroPoint = 0;
  int64_t min = 0, max = 0;
  /// What a code is off by before its rounding, at most; `length` of the row.
  /// Infinite for the papers: their error is of their formula.
  double errorLsb(int64_t length) const;
};
/// Nothing if the output scale is not above 2^-24.
std::optional<IntegerSoftmax> chooseIntegerSoftmax(IntegerScheme scheme,
                                                   double inputScale,
                                                   unsigned inputBits,
                                                   const IntegerGrid &output);

/// Rows longer than this have no integer norm.
constexpr int64_t kLongestIntegerNorm = 1 << 14;
/// Longer rows have no integer softmax.
constexpr int64_t kLongestIntegerSoftmax = 1 << 15;

/// A row divided by its standard deviation (or root mean square), with a gain
/// and a bias an element:
///   code = (z * gain + bias) >> shift, z = the normalised element, 2^16 (qd)
///   or 2^30 / sqrt(n) (papers) for 1
struct IntegerNorm {
  std::vector<int32_t> gain;
  std::vector<int64_t> bias; ///< zero point and half a step included
  int shift = 0;
  /// n^2 epsilon / scale^2 in steps of 2^-normFraction(n), at least one; the
  /// papers have none.
  int64_t epsilon = 1;
  double errorLsb = 0;
};
/// Binary digits behind the point of the variance of qd's norms, even.
int normFraction(int64_t length);
/// `beta` may be null. Nothing where a number is not finite, or the output is
/// so fine that no gain fits.
std::optional<IntegerNorm> chooseIntegerNorm(IntegerScheme scheme,
                                             const float *gamma,
                                             const float *beta, int64_t length,
                                             double inputScale, double epsilon,
                                             const IntegerGrid &output);

/// How the elements of one row become normalised ones.
struct NormRow {
  int64_t centre = 0;     ///< sum of the row (qd), mean (papers), 0 (RMS)
  int64_t multiplier = 0; ///< below 2^31 (qd), 2^32 (papers)
  int64_t shift = 0;
};

enum class IntegerCurveKind { Gelu, Silu };

/// A function of one code.
struct IntegerCurve {
  IntegerScheme scheme = IntegerScheme::QD;
  IntegerCurveKind kind = IntegerCurveKind::Gelu;
  IntegerGrid input, output;
  /// qd: results at every code (8 bits); or at the start of each of 64 segments
  /// in steps of 2^-fraction, with the coefficients of the parabola through
  /// start, middle and end.
  std::vector<int32_t> values, steps, bends;
  int fraction = 0;
  static constexpr int kSegmentBits = 10;
  // ibert's gelu: its q_b and q_c, how far L is shifted, q_one; all positive.
  int32_t bend = 0;
  int64_t top = 0;
  int drop = 0;
  int64_t one = 0;
  /// Sigmoid by exponentials (papers otherwise).
  IntegerExp exp;
  /// From the product to codes.
  int64_t multiplier = 0;
  int shift = 0;
  double errorLsb = 0; ///< infinite for the papers
};
std::optional<IntegerCurve> chooseIntegerCurve(IntegerScheme scheme,
                                               IntegerCurveKind kind,
                                               const IntegerGrid &input,
                                               const IntegerGrid &output);

// The reference: one row, or one code.
int64_t integerExp(const IntegerExp &exp, int64_t d);
/// floor(sqrt(x)), 0 <= x < 2^62.
int64_t integerSqrt(int64_t x);
/// Elements are `stride` apart.
void integerSoftmaxRow(const IntegerSoftmax &softmax, const int64_t *codes,
                       int64_t *result, int64_t length);
/// `centred`: a layer norm, whose input needs no zero point; else an RMS norm.
void integerNormRow(IntegerScheme scheme, bool centred, int32_t inputZeroPoint,
                    int64_t epsilon, const int32_t *gain, const int64_t *bias,
                    int shift, unsigned outputBits, const int64_t *codes,
                    int64_t *result, int64_t length);
int64_t integerCurve(const IntegerCurve &curve, int64_t code);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_INTEGERFUNCTIONS_H

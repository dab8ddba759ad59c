// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Certificates of the integer functions (IntegerFunctions.h): how wide what
// they compute on the way may become, and how far their results are off.
//
// The widths are proven on the sequences that run: an operation set whose
// numbers are intervals evaluates IntegerSequences.h, with every input anywhere
// in its range. Where operands depend on each other, intervals know too little;
// the sequences state what follows there (`within`), and the tests try it.
#ifndef QDIALECT_NUMERICS_INTEGERBOUNDS_H
#define QDIALECT_NUMERICS_INTEGERBOUNDS_H

#include "QDialect/Numerics/IntegerFunctions.h"

namespace qdialect {

/// Bits of the two's complement numbers that hold every intermediate result.
struct IntermediateBits {
  int word = 0;  ///< of what is computed in 32 bits
  int dword = 0; ///< of what is computed in 64
  bool fits() const { return word <= 32 && dword <= 64; }
};

/// Of any row of `length` codes of `inputBits` bits.
IntermediateBits softmaxBits(const IntegerSoftmax &softmax, unsigned inputBits,
                             int64_t length);
IntermediateBits normBits(IntegerScheme scheme, bool centred,
                          const IntegerNorm &norm, unsigned inputBits,
                          int32_t inputZeroPoint, int64_t length);
IntermediateBits curveBits(const IntegerCurve &curve);

// In codes before their rounding to nearest; finite for every scheme.

/// The least r for which |e - exp(-scale * d)| <= r * exp(-scale * d) +
/// absolute at each difference d of codes, where the largest exponential is 1.
double expRelativeError(const IntegerExp &exp, double scale, unsigned bits,
                        double absolute);

double softmaxErrorLsb(const IntegerSoftmax &softmax, double inputScale,
                       unsigned inputBits, double outputScale, int64_t length);
/// The papers round the mean to a code and know no epsilon: rows whose codes
/// differ by one are off by as much as one element can be.
double normErrorLsb(IntegerScheme scheme, const IntegerNorm &norm,
                    const IntegerGrid &output);
/// Exact: the largest of all codes.
double curveErrorLsb(const IntegerCurve &curve);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_INTEGERBOUNDS_H

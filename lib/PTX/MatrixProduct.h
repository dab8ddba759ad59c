// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// D = A B + C on unpacked matrices: what mma and wmma have in common.
//
// Integers: exact in 64 bits, then wrapped or clamped to 32. Floats: products
// and sums in f64, the terms of one element added to C in the order of k, one
// rounding to the type of D at the end. The order and width of the hardware's
// sums are not specified, so float results agree with it within a bound only.

#ifndef QDIALECT_LIB_PTX_MATRIXPRODUCT_H
#define QDIALECT_LIB_PTX_MATRIXPRODUCT_H

#include "QDialect/PTX/Types.h"

namespace qdialect::ptx {

struct MatrixShape {
  unsigned m = 0, n = 0, k = 0;
};
/// "m16n8k32"; m is 0 where it is none.
MatrixShape parseShape(std::string_view text);

/// The largest of all shapes: 32x16, 16x32, 16x256.
inline constexpr unsigned kMaxM = 32, kMaxN = 32, kMaxK = 256;

struct MatrixOperands {
  MatrixShape shape;
  Type a, b, c, d;
  bool saturate = false;
  /// b1: and or xor, then the population count.
  bool useAnd = false;
  /// Codes as they stand in the registers: A by [m][k], B by [n][k], C and D
  /// by [m][n].
  uint64_t codesA[kMaxM * kMaxK], codesB[kMaxN * kMaxK];
  uint64_t codesC[kMaxM * kMaxN], codesD[kMaxM * kMaxN];
};

/// Bits of an element in a fragment: 1, 4, 8, 16, 32 or 64.
unsigned elementBits(Type type);
/// Fills codesD.
void multiply(MatrixOperands &operands);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_MATRIXPRODUCT_H

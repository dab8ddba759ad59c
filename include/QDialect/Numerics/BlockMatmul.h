// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The product of two matrices of codes whose scales change along the sum, one
// for each block of `block` indices of K (the last may be short):
//
//   total = +0
//   for b = 0, 1, ...:
//     acc = sum over k in b of lhs[m][k] * (rhs[k][n] - zero[b][n])
//     total = fma(f32(acc), lhsScale[m][b] * rhsScale[b][n], total)
//
// acc is exact in integers (modulo 2^32), so the order of k is free; the order
// of b is not. f32(acc), the product of the scales and the fma are rounded to
// nearest even, once each.
//
// Example: K = 4, block = 2, lhs = (1, 2, 3, 4) with scales (0.5, 2), a column
// (10, 20, 30, 40) with zero points (10, 20) and scales (1, 0.25):
//   b = 0: acc = 1 * 0 + 2 * 10 = 20,   total = 20 * 0.5 = 10
//   b = 1: acc = 3 * 10 + 4 * 20 = 110, total = 110 * 0.5 + 10 = 65
#ifndef QDIALECT_NUMERICS_BLOCKMATMUL_H
#define QDIALECT_NUMERICS_BLOCKMATMUL_H

#include <cstdint>

namespace qdialect {

/// Sums of longer blocks of i8 times 8-bit codes less a zero point may exceed
/// i32.
constexpr int64_t kMaxMatmulBlock = 65536;

struct BlockMatmulShape {
  int64_t m = 1, n = 1, k = 1, block = 1;
  /// False if lhs has one scale a row.
  bool lhsScaleByBlock = true;

  int64_t numBlocks() const { return (k + block - 1) / block; }
};

/// Row-major operands: lhs [m][k], rhs [k][n] (the numbers that the codes
/// stand for), scales and zero points [blocks][n]; `zero` may be null. `out`
/// [m][n] is overwritten. Defined for float and double (of exact islands).
template <typename Real>
void blockMatmul(const BlockMatmulShape &shape, const int8_t *lhs,
                 const Real *lhsScale, const int16_t *rhs, const Real *rhsScale,
                 const int32_t *zero, Real *out);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_BLOCKMATMUL_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row reductions in one fixed order: sixteen lanes, then a tree.
//
// Floating-point addition depends on its order, so the order is part of the
// contract. Element i is added to lane i mod 16, in the order of i, each lane
// beginning at +0; then lane l takes lane l + 8, then l + 4, l + 2, l + 1:
//   lane[l] = ((0 + x[l]) + x[16 + l]) + x[32 + l] + ...
//   sum = tree of 16 lanes: (l, l+8), (l, l+4), (l, l+2), (l, l+1)
// That is one 512-bit register, two of 256 bits, half a warp, or this loop. n =
// 3 gives ((x0 + 0) + (x2 + 0)) + (x1 + 0), halves first: x0 + x2, then + x1.
//
// The tail needs no special case: a lane starts at +0 and so never holds -0,
// hence adding +0 for a missing element changes nothing. An empty row sums to
// +0.
//
// The maximum is arith.maximumf's: NaN wins, +0 is above -0. It does not depend
// on the order; an empty row gives -infinity.
#ifndef QDIALECT_NUMERICS_REDUCTIONS_H
#define QDIALECT_NUMERICS_REDUCTIONS_H

#include <cstdint>

namespace qdialect {

/// The number of lanes of every row reduction.
inline constexpr int64_t kReductionLanes = 16;

/// The sum of n elements `stride` apart.
float rowSum(const float *x, int64_t n, int64_t stride = 1);

/// The sum of the squares, each square rounded to f32 before it is added.
float rowSumOfSquares(const float *x, int64_t n, int64_t stride = 1);

/// The maximum of n elements `stride` apart.
float rowMax(const float *x, int64_t n, int64_t stride = 1);

/// arith.maximumf and arith.minimumf: NaN if either is, -0 below +0.
float maximum(float a, float b);
float minimum(float a, float b);

/// y = exp(x - max) / sum(exp(x - max)), by `expF32`, `rowMax`, `rowSum` and
/// one division an element. A row of -infinity alone, or with a NaN or
/// +infinity, is all NaN. x and y may be the same.
void softmaxRow(const float *x, float *y, int64_t n, int64_t stride = 1);

/// y = ((x - mean) * rsqrt(variance + epsilon)) * gamma + beta, with mean =
/// rowSum(x) / n, variance = rowSumOfSquares(x - mean) / n (biased), each
/// operation rounded to f32. A null gamma or beta leaves its step out; both are
/// contiguous. x and y may be the same.
void layerNormRow(const float *x, float *y, int64_t n, int64_t stride,
                  const float *gamma, const float *beta, float epsilon);

/// y = (x * rsqrt(rowSumOfSquares(x) / n + epsilon)) * gamma, each operation
/// rounded to f32; a null gamma leaves its step out. x and y may be the same.
void rmsNormRow(const float *x, float *y, int64_t n, int64_t stride,
                const float *gamma, float epsilon);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_REDUCTIONS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reference contractions over strided operands: every convolution and matrix
// product the interpreter meets, exact where integers are, in one loop nest.
//
// A contraction is a nest of loops in which each operand's address is a linear
// function of the loop counters:
//   for (i0..) for (i1..) ... out[sum i*out] += lhs[sum i*lhs] * rhs[sum i*rhs]
// so one list of LoopDim {size, lhs, rhs, out strides} says everything: layout,
// stride, dilation, groups, batches. A loop whose `out` stride is 0 reduces.
//   matmul M x K x N, row major:  {M, K, 0, N} {N, 0, 1, 1} {K, 1, N, 0}
//   conv along H, stride 2, dilation 3, rows P (input), Q (filter) and R
//   (output) elements long:       {OH, 2P, 0, R} {KH, 3P, Q, 0}
// `out` is added to, so the caller fills it with the bias or zero. Padding is
// the caller's: the input is already padded.
//
// Arithmetic, per element of the output, reductions in the order of the list
// (outermost first), each step out = out + lhs * rhs in the accumulator's type:
//   integers  modulo 2^32 or 2^64 (arith.addi and muli), in any order
//   f32, f64  one multiplication and one addition, two roundings, no fma
// Loops that do not reduce may run in any order; the inner one is vectorised.
//
// Empty loops leave `out` alone. Strides may be 0 or negative; elements of
// `out` that differ in a non-reducing counter must not overlap.
#ifndef QDIALECT_NUMERICS_REFERENCEKERNELS_H
#define QDIALECT_NUMERICS_REFERENCEKERNELS_H

#include <cstdint>
#include <vector>

namespace qdialect {

/// One loop of a contraction: its trip count and, in elements, how far each
/// operand moves a step.
struct LoopDim {
  int64_t size = 1;
  int64_t lhs = 0;
  int64_t rhs = 0;
  int64_t out = 0;
};

/// Adds the contraction to `out`. Defined for <lhs, rhs, accumulator> =
///   <i8|u8, i8|u8, i32>, <i16, i16|i8, i32>, <i32, i32, i32>,
///   <i8, i8, i64>, <i16, i16, i64>, <i32, i32, i64>, <i64, i64, i64>,
///   <float, float, float>, <double, double, double>.
template <typename Lhs, typename Rhs, typename Acc>
void contract(const std::vector<LoopDim> &loops, const Lhs *lhs, const Rhs *rhs,
              Acc *out);

/// A convolution of one to three spatial dimensions, channel last:
/// input [batch, inSpatial..., inChannels] (padded), weights [kernel...,
/// inChannels / groups, outChannels], output [batch, outSpatial...,
/// outChannels]. Depthwise is groups = inChannels.
struct ConvShape {
  int64_t batch = 1;
  std::vector<int64_t> inSpatial;
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;   // empty: all 1
  std::vector<int64_t> dilations; // empty: all 1
  int64_t inChannels = 1;
  int64_t outChannels = 1;
  int64_t groups = 1;

  /// (in - (kernel - 1) * dilation - 1) / stride + 1, 0 where the kernel is
  /// larger than the input.
  std::vector<int64_t> outSpatial() const;
  int64_t macs() const;
};

/// The loops of a convolution in the order batch, group, output image, output
/// channel, kernel, input channel.
std::vector<LoopDim> convLoops(const ConvShape &shape);

/// A batched matrix product with free strides: out[b,m,n] += lhs[b,m,k] *
/// rhs[b,k,n]. A transposed operand exchanges its row and column stride; a
/// broadcast batch has batch stride 0.
struct MatmulShape {
  int64_t batch = 1, m = 1, n = 1, k = 1;
  int64_t lhsBatch = 0, lhsRow = 0, lhsColumn = 1;
  int64_t rhsBatch = 0, rhsRow = 0, rhsColumn = 1;
  int64_t outBatch = 0, outRow = 0, outColumn = 1;

  /// Dense row-major operands.
  static MatmulShape dense(int64_t batch, int64_t m, int64_t n, int64_t k);
};

std::vector<LoopDim> matmulLoops(const MatmulShape &shape);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_REFERENCEKERNELS_H

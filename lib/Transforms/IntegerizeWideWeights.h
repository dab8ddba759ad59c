// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of more than 8 bits in kernels that multiply bytes.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZEWIDEWEIGHTS_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZEWIDEWEIGHTS_H

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/AccumulatorBounds.h"

namespace qdialect {

/// Offsets in steps of a 64-bit accumulator; doubles hold all such integers.
constexpr double kLargestWideOffset = 0x1p50;
/// So many products of two bytes fit 32 bits in any order.
constexpr int64_t kMostWideProducts = (int64_t(1) << 17) - 1;

/// How the sums of bytes become one.
struct WideJoin {
  bool isExact = true; ///< in i32, modulo 2^32; in i64 otherwise
  /// What the sum in i64 is divided by to be an i32: 2^shift, rounded half up.
  unsigned shift = 0;
};

/// The accumulator of a contraction with `weights` of more than 8 bits:
///
///   init + sum of code * (weight - zero point)
///
/// `init` is over the output's dimensions, a number of i32 or i64.
mlir::Value multiplyWide(IntegerizeContext &context, mlir::linalg::LinalgOp op,
                         const ContractionStructure &structure,
                         const CodeBytes &activation,
                         const IntegerWeights &weights,
                         llvm::ArrayRef<WeightSums> sums,
                         const Coefficient &zeroPoint, const Coefficient &init,
                         const WideJoin &join);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZEWIDEWEIGHTS_H

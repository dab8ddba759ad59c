// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What sums of codes over windows and axes share, whether the number of codes
// is known when a model is compiled or not.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZEPOOL_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZEPOOL_H

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/AccumulatorBounds.h"

namespace qdialect {

/// The grid of the codes that are summed. Its numbers, in the dimensions of the
/// sums, may vary along what is not summed.
struct PooledGrid {
  CodeGrid codes;
  Coefficient scale, zeroPoint;
};

/// The sums of `bytes` in i32, from `init`, with their bound.
mlir::Value sumCodes(IntegerizeContext &context, mlir::linalg::LinalgOp op,
                     const CodeBytes &bytes, const Coefficient &init,
                     const AccumulatorBound &bound);

/// The dimensions of an island that those of a leaf are; ~0u for none.
llvm::SmallVector<unsigned> islandDims(const Leaf &leaf);

/// A sum over axes of symbolic size, or their mean.
mlir::Value integerizeSymbolicPool(IntegerizeContext &context,
                                   const Island &island, const PooledGrid &grid,
                                   bool isNegated);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZEPOOL_H

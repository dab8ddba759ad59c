// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an integer accumulator can hold, whatever the input. The weights are
// constants, so each output channel has its own exact bound:
//
//   high = init + sum over its weights of max(w * qmin, w * qmax)
//
// and likewise low with min. Both are reached (by the input that follows the
// signs of the weights), so nothing tighter is true of all inputs.
//
// Example: weights (3, -2), codes in [-128, 127], init 10:
//   high = 10 + 3 * 127 + -2 * -128 = 647,  low = 10 - 384 - 254 = -628.
//
// A kernel may add in any order and start from zero or from the init, so what
// must fit is wider: partialHigh = max(0, init) + sum of max(0, w * qmin,
// w * qmax) bounds every partial sum. For codes that span zero it differs from
// `high` by the init alone.

#ifndef QDIALECT_ANALYSIS_ACCUMULATORBOUNDS_H
#define QDIALECT_ANALYSIS_ACCUMULATORBOUNDS_H

#include "QDialect/Analysis/CodeIntervals.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace qdialect {

/// What qd.code_range says of an integer contraction: all codes of a byte
/// without it.
CodeInterval getCodeRange(mlir::Operation *contraction);

struct AccumulatorBound {
  /// Of the finished sum: both ends are reached by some input.
  int64_t low = 0, high = 0;
  /// Of every partial sum in any order, with or without the init.
  int64_t partialLow = 0, partialHigh = 0;

  /// Bits of a two's complement accumulator that never overflows.
  unsigned width() const;
  bool fitsInt32() const { return width() <= 32; }
  int64_t maxAbs() const { return std::max(-low, high); }
  /// The bound of either of two accumulators.
  void merge(const AccumulatorBound &other);
};

/// Sums over the weights of one output channel.
struct WeightSums {
  int64_t sum = 0;      ///< of all
  int64_t positive = 0; ///< of those above zero
  int64_t negative = 0; ///< of those below zero
  bool allZero() const { return positive == 0 && negative == 0; }
};

/// The bound of one channel.
AccumulatorBound boundAccumulator(const WeightSums &weights,
                                  CodeInterval activation, int64_t init);

/// Sums per channel of integer weights in row-major order.
std::vector<WeightSums> sumWeights(const ContractionStructure &structure,
                                   llvm::ArrayRef<int64_t> weightShape,
                                   llvm::ArrayRef<int8_t> weights);
std::vector<WeightSums> sumWeights(const ContractionStructure &structure,
                                   llvm::ArrayRef<int64_t> weightShape,
                                   llvm::ArrayRef<int16_t> weights);

/// The bound of an op that sums codes, from the program alone: over all
/// channels of a contraction with constant i8 weights, of a product of two
/// activations, of a pool or mean, all in the form of docs/PhaseContract.md
/// section 5 with an init that is a fill (for contractions a broadcast
/// constant, too). Nothing for other ops and for sums of symbolic length.
std::optional<AccumulatorBound>
computeAccumulatorBound(mlir::linalg::LinalgOp op);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_ACCUMULATORBOUNDS_H

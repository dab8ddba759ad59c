// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-quantize as a function, for callers that have recipe and statistics in
// memory.

#ifndef QDIALECT_TRANSFORMS_QUANTIZE_H
#define QDIALECT_TRANSFORMS_QUANTIZE_H

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/PTQ/Statistics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

struct QuantizeSummary {
  int64_t activations = 0;
  int64_t contractions = 0;
  /// Output channels whose weights are all zero.
  int64_t deadChannels = 0;
  /// Output channels whose scale was raised so that the bias fits i32.
  int64_t raisedChannels = 0;
  /// Producers that got the grid of the concatenation they feed.
  int64_t sharedGrids = 0;
  /// Activations whose channels were shifted (Recipe::biasAbsorption).
  int64_t absorbed = 0;
  /// Activations whose channels were divided (Recipe::smoothing).
  int64_t smoothed = 0;
  /// Channels that stay float (TensorRecipe::outliers), by layer.
  int64_t outliers = 0;
  /// Tables of rows that became codes (Recipe::tables).
  int64_t tables = 0;
  /// Units in branches that no sample took.
  int64_t neverRan = 0;
};

/// Replaces the observers of `function` by qd.quantize and qd.dequantize, and
/// weights and biases by dequantized constants (docs/PhaseContract.md section
/// 4). Emits an error on `function` and fails, before changing anything, when
/// statistics are of another program or lack a value; one that stands in a
/// branch may have been counted never, which leaves its readers float.
mlir::LogicalResult quantizeProgram(mlir::func::FuncOp function,
                                    const Recipe &recipe,
                                    const Statistics &statistics,
                                    QuantizeSummary *summary = nullptr);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_QUANTIZE_H

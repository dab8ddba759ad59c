// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grids that quantization chooses for observed values, before casts take
// the observers' places.

#ifndef QDIALECT_TRANSFORMS_ACTIVATIONGRID_H
#define QDIALECT_TRANSFORMS_ACTIVATIONGRID_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Statistics.h"
#include "QuantizationPlan.h"
#include "llvm/ADT/MapVector.h"

namespace qdialect {

/// The grid of one observed value.
struct ActivationGrid {
  QuantParams params;
  RecipeFormat format;
  const ValueStatistics *observed = nullptr;
  /// By which its channels are divided as they are rounded; empty: by nothing.
  std::vector<float> factors;
  /// That of a value in a fine format for those who read bytes.
  std::optional<std::pair<QuantParams, RecipeFormat>> coarse;
};

/// In program order.
using ActivationGrids = llvm::MapVector<qd::ObserveOp, ActivationGrid>;

/// Gives the inputs of integer softmaxes ends that masks do not move
/// (SoftmaxGrids.cpp).
void boundSoftmaxInputs(llvm::ArrayRef<PlannedUnit> units,
                        ActivationGrids &grids, bool symmetric);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_ACTIVATIONGRID_H

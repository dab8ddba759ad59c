// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A softmax reads differences to the largest element of its row: where a mask
// is added to its input, the range of what it is added to matters, and sixteen
// powers of e below it; the mask itself needs no more than to reach the end of
// that grid.
//
//   scores in [-20, 25], mask in [-10000, 0]
//   =>  sum on [-36, 25], mask on [-61, 0], which saturate

#include "ActivationGrid.h"
#include "QDialect/Analysis/LinalgQueries.h"

using namespace mlir;

namespace qdialect {
namespace {

/// Beyond this span something must have been masked.
constexpr double kWide = 64;
/// exp(-16) is less than the last digit of a probability of 16 bits.
constexpr double kVanishing = 16;

/// Is the observed value computed from integers of the model alone, such as an
/// attention mask? What calibration saw of it says nothing of other masks.
bool isMadeOfIntegers(qd::ObserveOp observe) {
  auto generic = observe.getInput().getDefiningOp<linalg::GenericOp>();
  return generic && isElementwiseGeneric(generic) &&
         llvm::all_of(generic.getDpsInputs(), [](Value input) {
           return isComputedFromConstants(input) ||
                  getElementTypeOrSelf(input.getType()).isSignlessInteger();
         });
}

/// Gives a grid in the fine format other ends.
void setRange(ActivationGrid &grid, double low, double high, bool symmetric) {
  ScaleOptions options;
  options.qmin = grid.format.minCode();
  options.qmax = grid.format.maxCode();
  options.symmetric = symmetric;
  grid.params = chooseParams(qdialect::ValueRange{low, high}, options);
}

/// The observed parts of the sum that `observe` holds: what is masked, then the
/// mask. None if it is no such sum.
SmallVector<ActivationGrid *, 2> maskedSum(qd::ObserveOp observe,
                                           const QuantizableUnit *sum,
                                           ActivationGrids &grids) {
  SmallVector<ActivationGrid *, 2> parts;
  SmallVector<bool, 2> isFixed;
  if (!sum || sum->kind != "add")
    return parts;
  for (Value part : sum->inputs) {
    auto source = gridSource(part).getDefiningOp<qd::ObserveOp>();
    auto found = grids.find(source);
    if (found == grids.end())
      return {};
    parts.push_back(&found->second);
    isFixed.push_back(isMadeOfIntegers(source));
  }
  const ValueStatistics &all = grids.find(observe)->second.statistics();
  if (isFixed[0] == isFixed[1] && all.max - all.min <= kWide)
    return {};
  bool firstIsMask = isFixed[0] != isFixed[1] ? isFixed[0]
                                              : parts[0]->statistics().min <
                                                    parts[1]->statistics().min;
  if (firstIsMask)
    std::swap(parts[0], parts[1]);
  return parts;
}

} // namespace

void boundSoftmaxInputs(ArrayRef<PlannedUnit> units, ActivationGrids &grids,
                        bool symmetric) {
  llvm::DenseMap<Operation *, const QuantizableUnit *> makers;
  for (const PlannedUnit &planned : units)
    makers[planned.unit.ops.back()] = &planned.unit;
  for (const PlannedUnit &planned : units) {
    if (planned.unit.kind != "softmax" || !planned.isInteger)
      continue;
    auto input =
        gridSource(planned.unit.inputs[0]).getDefiningOp<qd::ObserveOp>();
    auto grid = grids.find(input);
    if (grid == grids.end() || !grid->second.coarse)
      continue;
    double low = grid->second.statistics().min,
           high = grid->second.statistics().max;
    const QuantizableUnit *sum =
        makers.lookup(input.getInput().getDefiningOp());
    if (auto parts = maskedSum(input, sum, grids); !parts.empty()) {
      const ValueStatistics &kept = parts[0]->statistics();
      low = kept.min;
      high = std::max(high, kept.max);
      setRange(*parts[1], low - kept.max - kVanishing,
               std::max(parts[1]->statistics().max, 0.0), symmetric);
    }
    setRange(grid->second, low - kVanishing, high, symmetric);
  }
}

} // namespace qdialect

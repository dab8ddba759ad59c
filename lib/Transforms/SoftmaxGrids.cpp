// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A softmax reads differences to the largest element of its row: where a mask
// is added to its input, the range of what it is added to matters, and sixteen
// powers of e below it; the mask itself needs no more than to reach the end of
// that grid.
//
//   scores in [-20, 25], mask 0 or -10000
//   =>  sum on [-36, 25], mask on [-61, 0], which saturate
//
// A mask is told from scores by what calibration saw of it: it leaves elements
// as they are, or takes them below all that it leaves. A position bias does
// neither, nor do scores, however far apart their rows are.

#include "ActivationGrid.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <tuple>

using namespace mlir;

namespace qdialect {
namespace {

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

/// A part of a sum as it changes the sum: what is subtracted has its sign.
struct Part {
  ActivationGrid *grid;
  bool isSubtracted, isMadeOfIntegers;

  double low() const {
    const ValueStatistics &all = *grid->observed;
    return isSubtracted ? -all.max : all.min;
  }
  double high() const {
    const ValueStatistics &all = *grid->observed;
    return isSubtracted ? -all.min : all.max;
  }
  /// How far below 0 what a histogram counts as 0 may lie.
  double zeroDepth() const {
    return isSubtracted ? grid->observed->histogram.getBinWidth() : 0;
  }
  void setRange(double low, double high, bool symmetric) const {
    if (isSubtracted)
      std::tie(low, high) = std::pair(-high, -low);
    qdialect::setRange(*grid, low, high, symmetric);
  }
};

/// Is `part` a mask of what is in [kept.low(), kept.high()]? Its zeros are the
/// bin that holds 0; calibration must have seen both kinds of elements, except
/// of integers, whose other masks may come later.
bool isMaskOf(const Part &part, const Part &kept) {
  const Histogram &seen = part.grid->observed->histogram;
  double vanished = kept.low() - kept.high() - kVanishing;
  bool anyKept = false, anyMasked = false;
  for (auto [index, count] : llvm::enumerate(seen.getCounts())) {
    if (count == 0)
      continue;
    double edge = seen.lowerEdge(index);
    if (seen.getFirst() + static_cast<int64_t>(index) == 0)
      anyKept = true;
    else if ((part.isSubtracted ? -edge : edge + seen.getBinWidth()) <=
             vanished)
      anyMasked = true;
    else
      return false;
  }
  return part.isMadeOfIntegers || (anyKept && anyMasked);
}

/// The observed parts of a sum or difference: what is masked, then the mask.
/// Nothing if it is no such sum.
std::optional<std::pair<Part, Part>> maskedSum(const QuantizableUnit *sum,
                                               ActivationGrids &grids) {
  if (!sum || sum->kind != "add" || sum->ops.size() != 1)
    return std::nullopt;
  auto op = cast<linalg::GenericOp>(sum->ops[0]);
  auto difference = op.getBlock()
                        ->getTerminator()
                        ->getOperand(0)
                        .getDefiningOp<arith::SubFOp>();
  Value subtracted;
  if (difference)
    if (auto argument = dyn_cast<BlockArgument>(difference.getRhs()))
      subtracted = op.getMatchingOpOperand(argument)->get();
  SmallVector<Part, 2> parts;
  for (Value value : sum->inputs) {
    auto source = gridSource(value).getDefiningOp<qd::ObserveOp>();
    auto found = grids.find(source);
    if (found == grids.end())
      return std::nullopt;
    parts.push_back(
        {&found->second, value == subtracted, isMadeOfIntegers(source)});
  }
  // Of two that could be masks the one of integers is.
  if (parts[0].isMadeOfIntegers && !parts[1].isMadeOfIntegers)
    std::swap(parts[0], parts[1]);
  for (auto [mask, kept] : {std::pair(1, 0), std::pair(0, 1)})
    if (isMaskOf(parts[mask], parts[kept]))
      return std::pair(parts[kept], parts[mask]);
  return std::nullopt;
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
    double low = grid->second.observed->min, high = grid->second.observed->max;
    const QuantizableUnit *sum =
        makers.lookup(input.getInput().getDefiningOp());
    if (auto parts = maskedSum(sum, grids)) {
      const auto &[kept, mask] = *parts;
      low = kept.low() - std::min(mask.zeroDepth(), kVanishing);
      high = std::max(high, kept.high());
      mask.setRange(low - kept.high() - kVanishing, std::max(mask.high(), 0.0),
                    symmetric);
    }
    setRange(grid->second, low - kVanishing, high, symmetric);
  }
}

} // namespace qdialect

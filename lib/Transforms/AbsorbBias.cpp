// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// High-bias absorption on a calibrated program (PTQ/BiasAbsorption.h):
//
//   y = relu(x W1 + b1);  %o = qd.observe y;  z = %o W2 + b2
//   ->
//   y = relu(x W1 + (b1 - c));  %o = qd.observe y;  z = %o W2 + (b2 + c W2)
//
// What is added stands in ops of its own first; qd-fold-channel-affine's
// pattern joins it with the biases that are there.

#include "AbsorbBias.h"
#include "CalibratedRewrite.h"
#include "GreedyRewrite.h"
#include "PerChannel.h"
#include "QDialect/Analysis/ChannelShift.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/BiasAbsorption.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizableUnits.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_ABSORBBIASPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// A contraction whose result, observed, may be shifted by channel.
struct Shiftable {
  linalg::LinalgOp maker;
  ChannelDims channels; ///< in the maker's result
  qd::ObserveOp observe;
  bool rectified = false;
  SmallVector<ChannelConstant, 2> readers;
};

std::optional<Shiftable> matchShiftable(const QuantizableUnit &unit) {
  if (!unit.contraction || !unit.result().hasOneUse())
    return std::nullopt;
  auto observe = dyn_cast<qd::ObserveOp>(*unit.result().getUsers().begin());
  if (!observe)
    return std::nullopt;
  // Statistics know the channels of the innermost dimension.
  auto type = cast<RankedTensorType>(observe.getType());
  if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return std::nullopt;
  ChannelDims observed{{type.getRank() - 1}, {type.getShape().back()}};
  std::optional<ChannelDims> made = observed;
  bool rectified = false, biased = false;
  for (Operation *op : llvm::reverse(ArrayRef(unit.ops).drop_front())) {
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      made = followReshapeBack(*made, op);
    else if (isRelu(op) && !biased) // what is added behind it moves its zero
      rectified = true;
    else if (biasOperand(op))
      biased = true;
    else
      return std::nullopt;
    if (!made)
      return std::nullopt;
  }
  auto readers = findShiftReaders(observe.getResult(), observed);
  if (!readers)
    return std::nullopt;
  return Shiftable{cast<linalg::LinalgOp>(unit.root), *made, observe, rectified,
                   std::move(*readers)};
}

void addBehind(linalg::LinalgOp op, const ChannelDims &channels,
               ArrayRef<float> values) {
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  Value result = op->getResult(0);
  linalg::GenericOp add =
      addPerChannel(builder, op.getLoc(), result, channels, values);
  result.replaceUsesWithIf(add.getResult(0), [&](OpOperand &use) {
    return use.getOwner() != add && !isa<tensor::DimOp>(use.getOwner());
  });
}

/// Gives the reader what the shift takes from its results.
void takeOver(const ChannelConstant &reader, ArrayRef<float> shifts) {
  auto op = cast<linalg::LinalgOp>(reader.operand->getOwner());
  ContractionStructure structure = *getContractionStructure(op);
  ConstantView view = *constantView(reader.operand->get());
  std::vector<double> sums(structure.numOutputChannels(), 0);
  forEachProduct(reader, [&](int64_t element, int64_t channel, int64_t output) {
    sums[output] += view.number(element) * static_cast<double>(shifts[channel]);
  });
  addBehind(op, *getOutputChannels(structure),
            std::vector<float>(sums.begin(), sums.end()));
}

struct AbsorbBiasPass : impl::AbsorbBiasPassBase<AbsorbBiasPass> {
  using AbsorbBiasPassBase::AbsorbBiasPassBase;

  void runOnOperation() override {
    if (!std::isfinite(sigmas) || sigmas < 0) {
      getOperation().emitError() << "sigmas must not be negative";
      return signalPassFailure();
    }
    auto absorb = [&](Statistics &values) {
      numAbsorbed += absorbBiases(getOperation(), sigmas, values);
      return success();
    };
    if (failed(rewriteCalibrated(getOperation(), statistics, outputStatistics,
                                 absorb)))
      signalPassFailure();
  }
};

} // namespace

int64_t absorbBiases(func::FuncOp function, double sigmas,
                     Statistics &statistics) {
  int64_t absorbed = 0;
  for (const QuantizableUnit &unit : collectUnits(function)) {
    std::optional<Shiftable> found = matchShiftable(unit);
    if (!found)
      continue;
    auto known = statistics.values.find(found->observe.getValueName().str());
    if (known == statistics.values.end() ||
        static_cast<int64_t>(known->second.channelSum.size()) !=
            found->channels.count())
      continue;
    std::vector<float> shifts =
        channelShifts(known->second, found->rectified, sigmas);
    if (shifts.empty())
      continue;
    for (const ChannelConstant &reader : found->readers)
      takeOver(reader, shifts);
    known->second = shiftedChannels(known->second, shifts, found->rectified);
    for (float &shift : shifts)
      shift = -shift;
    addBehind(found->maker, found->channels, shifts);
    ++absorbed;
  }
  if (!absorbed)
    return 0;
  RewritePatternSet patterns(function.getContext());
  populateFoldChannelAffinePatterns(patterns);
  // Not to reach a fixed point costs an addition, no more.
  (void)applyPatternsBesideConstants(function, std::move(patterns));
  return absorbed;
}

} // namespace qdialect

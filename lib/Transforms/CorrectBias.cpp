// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bias correction in the float program: what means will lose when weights are
// rounded goes into the bias before they are, by the statistics
// (PTQ/BiasCorrection.h) or on samples (SequentialBias.h).

#include "CalibratedRewrite.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
#include "QDialect/Transforms/SequentialBias.h"
#include "QuantizationPlan.h"
#include "QuantizeContraction.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_CORRECTBIASPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

struct CorrectBiasPass : impl::CorrectBiasPassBase<CorrectBiasPass> {
  using CorrectBiasPassBase::CorrectBiasPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    llvm::Expected<Recipe> loaded = Recipe::load(recipe);
    if (!loaded) {
      function.emitError() << llvm::toString(loaded.takeError());
      return signalPassFailure();
    }
    auto rewrite = [&](Statistics &values) -> LogicalResult {
      if (!calibration.empty())
        return correctOnSamples(*loaded, values);
      numCorrected += correctBiases(function, *loaded, values);
      return success();
    };
    if (failed(
            rewriteCalibrated(function, statistics, outputStatistics, rewrite)))
      signalPassFailure();
  }

private:
  LogicalResult correctOnSamples(const Recipe &loaded,
                                 const Statistics &values) {
    auto corrected =
        correctBiasSequentially(getOperation(), loaded, values, calibration);
    if (!corrected)
      return getOperation().emitError()
             << llvm::toString(corrected.takeError());
    numCorrected += *corrected;
    return success();
  }
};

} // namespace

int64_t correctBiases(func::FuncOp function, const Recipe &recipe,
                      const Statistics &statistics) {
  int64_t corrected = 0;
  QuantizationPlan plan(function, recipe, &statistics);
  for (const PlannedUnit &planned : plan.units) {
    const QuantizableUnit &unit = planned.unit;
    if (!planned.isInteger || planned.isDynamic || !unit.contraction ||
        !unit.contraction->weightIsConstant)
      continue;
    Value input = cast<linalg::LinalgOp>(unit.root)
                      .getDpsInputs()[unit.contraction->activationOperand];
    auto observe = gridSource(input).getDefiningOp<qd::ObserveOp>();
    const ValueStatistics *known =
        observe && keepsMean(input) ? statistics.lookup(observe.getValueName())
                                    : nullptr;
    if (known && known->count)
      corrected += correctBias(unit, planned.layer.weights, *known);
  }
  return corrected;
}

} // namespace qdialect

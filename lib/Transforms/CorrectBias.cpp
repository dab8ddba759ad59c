// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analytic bias correction in the float program (PTQ/BiasCorrection.h): what
// the weights will lose when they are rounded goes into the bias before they
// are.

#include "CalibratedRewrite.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
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
    auto rewrite = [&](Statistics &values) {
      QuantizationPlan plan(function, *loaded, &values);
      for (const PlannedUnit &planned : plan.units)
        correct(planned, values);
      return success();
    };
    if (failed(
            rewriteCalibrated(function, statistics, outputStatistics, rewrite)))
      signalPassFailure();
  }

private:
  void correct(const PlannedUnit &planned, const Statistics &values) {
    const QuantizableUnit &unit = planned.unit;
    if (!planned.isInteger || planned.isDynamic || !unit.contraction ||
        !unit.contraction->weightIsConstant)
      return;
    Value input = cast<linalg::LinalgOp>(unit.root)
                      .getDpsInputs()[unit.contraction->activationOperand];
    auto observe = gridSource(input).getDefiningOp<qd::ObserveOp>();
    const ValueStatistics *known = observe && keepsMean(input)
                                       ? values.lookup(observe.getValueName())
                                       : nullptr;
    if (known && known->count)
      numCorrected += correctBias(unit, planned.layer.weights, *known);
  }
};

} // namespace
} // namespace qdialect

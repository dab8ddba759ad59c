// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The choices of channel factors as passes of their own: each is
// SmoothActivations.h with one method.

#include "CalibratedRewrite.h"
#include "QDialect/Transforms/Passes.h"
#include "SmoothActivations.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_AWQPASS
#define GEN_PASS_DEF_CLIPPERCENTILEPASS
#define GEN_PASS_DEF_EQUALIZELOGPASS
#define GEN_PASS_DEF_SMOOTHACTIVATIONSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

template <class Base>
struct SmoothingPass : Base {
  using Base::Base;

  void smooth(SmoothingRecipe method) {
    func::FuncOp function = this->getOperation();
    llvm::Expected<Recipe> loaded = Recipe::load(this->recipe);
    if (!loaded) {
      function.emitError() << llvm::toString(loaded.takeError());
      return this->signalPassFailure();
    }
    loaded->smoothing = method;
    auto rewrite = [&](Statistics &values) {
      this->numSmoothed += smoothActivations(function, *loaded, values);
      return success();
    };
    if (failed(rewriteCalibrated(function, this->statistics,
                                 this->outputStatistics, rewrite)))
      this->signalPassFailure();
  }
};

struct SmoothActivationsPass
    : SmoothingPass<impl::SmoothActivationsPassBase<SmoothActivationsPass>> {
  using SmoothingPass::SmoothingPass;
  void runOnOperation() override {
    if (alpha >= 0 && alpha <= 1)
      return smooth({SmoothingMethod::Alpha, alpha});
    getOperation().emitError() << "alpha must be between 0 and 1";
    signalPassFailure();
  }
};

struct EqualizeLogPass
    : SmoothingPass<impl::EqualizeLogPassBase<EqualizeLogPass>> {
  using SmoothingPass::SmoothingPass;
  void runOnOperation() override { smooth({SmoothingMethod::Log}); }
};

struct ClipPercentilePass
    : SmoothingPass<impl::ClipPercentilePassBase<ClipPercentilePass>> {
  using SmoothingPass::SmoothingPass;
  void runOnOperation() override { smooth({SmoothingMethod::Percentile}); }
};

struct AWQPass : SmoothingPass<impl::AWQPassBase<AWQPass>> {
  using SmoothingPass::SmoothingPass;
  void runOnOperation() override { smooth({SmoothingMethod::AWQ}); }
};

} // namespace
} // namespace qdialect

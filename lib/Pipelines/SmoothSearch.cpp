// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole networks, one a candidate, over the same samples (SmoothSearch.h).

#include "SmoothSearch.h"

#include "QDialect/Transforms/Passes.h"
#include "VariantRunner.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace qdialect {

/// More would not change the choice, but cost a run each a candidate.
static constexpr int64_t kSamples = 32;
/// Below 0.4 factors follow the weights, and the activations are what hurts.
static constexpr double kAlphas[] = {0.4, 0.5, 0.6, 0.7, 0.8, 0.9};

/// Runs the program without quantization on the first samples at `path`, which
/// `runner` keeps.
static llvm::Expected<VariantRunner::Outputs> runFloat(VariantRunner &runner,
                                                       llvm::StringRef path) {
  OwningOpRef<ModuleOp> plain(runner.program().clone());
  PassManager strip(plain->getContext());
  strip.addNestedPass<func::FuncOp>(createStripObserversPass());
  if (failed(strip.run(*plain)))
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "the observers could not be removed");
  auto executor = runner.compileFloat(*plain);
  if (!executor)
    return executor.takeError();
  CompiledModel &model = (*executor)->model();
  if (llvm::Error error = runner.loadSamples(path, kSamples, model))
    return std::move(error);
  return runner.run(model);
}

llvm::Expected<std::optional<SmoothingRecipe>>
searchSmoothing(ModuleOp module, const Recipe &recipe, llvm::StringRef rescale,
                const Statistics &statistics, llvm::StringRef path,
                llvm::raw_ostream *log) {
  VariantRunner runner(module, statistics, rescale);
  auto reference = runFloat(runner, path);
  if (!reference)
    return reference.takeError();
  std::vector<std::optional<SmoothingRecipe>> candidates{std::nullopt};
  for (double alpha : kAlphas)
    candidates.push_back(SmoothingRecipe{SmoothingMethod::Alpha, alpha});
  std::optional<SmoothingRecipe> best;
  double least = 0;
  for (const std::optional<SmoothingRecipe> &candidate : candidates) {
    Recipe tried = recipe;
    tried.smoothing = candidate;
    auto executor = runner.compile(tried);
    if (!executor)
      return executor.takeError();
    auto outputs = runner.run((*executor)->model());
    if (!outputs)
      return outputs.takeError();
    double loss = lossOf(LossMetric::SQNR, *reference, *outputs);
    if (log) {
      *log << "  smoothing ";
      if (candidate)
        *log << llvm::format("%.1f", candidate->alpha);
      else
        *log << "none";
      *log << llvm::format(": relative error %.3g\n", loss);
    }
    if (!candidate || loss < least) {
      least = loss;
      best = candidate;
    }
  }
  return best;
}

} // namespace qdialect

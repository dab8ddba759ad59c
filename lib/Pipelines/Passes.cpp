// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases as pass pipelines. Clean-up is CSE alone, which also drops what
// nothing reads: upstream's canonicalizer would fold large constants element
// by element and rewrite forms that the phase contract fixes.

#include "QDialect/Pipelines/Passes.h"

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/Pipelines/SearchPasses.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace qdialect {

void buildNormalizePipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createSortWeightGroupsPass());
  pm.addNestedPass<func::FuncOp>(createWidenHalfPass());
  pm.addNestedPass<func::FuncOp>(createFoldConstantsPass());
  pm.addNestedPass<func::FuncOp>(createRaiseFloatOpsPass());
  pm.addNestedPass<func::FuncOp>(createFoldChannelAffinePass());
  pm.addNestedPass<func::FuncOp>(createConvertToChannelLastPass());
  pm.addNestedPass<func::FuncOp>(createPropagateTransposesPass());
  pm.addNestedPass<func::FuncOp>(createFoldLayoutIntoProductsPass());
  pm.addNestedPass<func::FuncOp>(createSinkReshapesPass());
  pm.addNestedPass<func::FuncOp>(createFoldConstantsPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createFuseUnaryFunctionsPass());
}

void buildObservePipeline(OpPassManager &pm, StringRef recipe) {
  if (llvm::Expected<Recipe> loaded = Recipe::load(recipe)) {
    if (loaded->equalization)
      pm.addNestedPass<func::FuncOp>(createEqualizeCrossLayerPass());
  } else {
    llvm::consumeError(loaded.takeError());
  }
  InsertObserversPassOptions observers;
  observers.recipe = recipe.str();
  pm.addNestedPass<func::FuncOp>(createInsertObserversPass(observers));
}

void buildQuantizePipeline(OpPassManager &pm,
                           const QuantizePipelineOptions &options) {
  buildObservePipeline(pm, options.recipe);
  QuantizePassOptions quantize;
  quantize.recipe = options.recipe;
  quantize.statistics = options.statistics;
  pm.addNestedPass<func::FuncOp>(createQuantizePass(quantize));
}

void buildIntegerizePipeline(OpPassManager &pm,
                             const IntegerizePipelineOptions &options) {
  pm.addNestedPass<func::FuncOp>(createRebaseUnsignedPass());
  pm.addNestedPass<func::FuncOp>(createCommuteDequantizePass());
  pm.addPass(createCSEPass());
  IntegerizePassOptions integerize;
  integerize.rescale = options.rescale;
  pm.addNestedPass<func::FuncOp>(createIntegerizePass(integerize));
  pm.addPass(createCSEPass());
  if (options.failOnFallback)
    pm.addNestedPass<func::FuncOp>(createVerifyFallbacksPass());
  pm.addNestedPass<func::FuncOp>(createVerifyIntegerOnlyPass());
}

void buildDispatchPipeline(OpPassManager &pm) {
  pm.addPass(createCastToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createCodesToBytesPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createFormDispatchesPass());
}

void registerPipelines() {
  registerQDialectSearchPasses();
  PassPipelineRegistration<>(
      "qd-normalize-pipeline",
      "Float program in source layout to the normal form: constants and "
      "affine ops folded, channels last",
      buildNormalizePipeline);
  PassPipelineRegistration<QuantizePipelineOptions>(
      "qd-quantize-pipeline",
      "Normal form and statistics to quantize-dequantize form",
      buildQuantizePipeline);
  PassPipelineRegistration<IntegerizePipelineOptions>(
      "qd-integerize-pipeline",
      "Quantize-dequantize form to integer arithmetic",
      buildIntegerizePipeline);
  PassPipelineRegistration<>("qd-dispatch-pipeline",
                             "Any program to qd.dispatch ops",
                             buildDispatchPipeline);
}

} // namespace qdialect

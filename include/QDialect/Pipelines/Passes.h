// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases between import and emission as pass pipelines, for q-opt and for
// the compile driver alike. What each leaves: docs/PhaseContract.md.

#ifndef QDIALECT_PIPELINES_PASSES_H
#define QDIALECT_PIPELINES_PASSES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include <string>

namespace qdialect {

struct QuantizePipelineOptions
    : public mlir::PassPipelineOptions<QuantizePipelineOptions> {
  Option<std::string> recipe{
      *this, "recipe",
      llvm::cl::desc("Name of a built-in recipe or path of a recipe file"),
      llvm::cl::init("w8a8-int")};
  Option<std::string> statistics{
      *this, "statistics",
      llvm::cl::desc("Path of the statistics file that calibration wrote")};
};

struct IntegerizePipelineOptions
    : public mlir::PassPipelineOptions<IntegerizePipelineOptions> {
  Option<std::string> rescale{
      *this, "rescale",
      llvm::cl::desc("How accumulators reach the output grid: float or dyadic"),
      llvm::cl::init("float")};
  Option<bool> failOnFallback{
      *this, "fail-on-fallback",
      llvm::cl::desc("An op that stays float against the request is an error"),
      llvm::cl::init(false)};
};

/// Float program in source layout to the normal form (channel last, folded).
void buildNormalizePipeline(mlir::OpPassManager &pm);

/// Normal form to the program that is calibrated: what the recipe does to float
/// weights, then observers. A recipe that cannot be read is the observers'
/// error.
void buildObservePipeline(mlir::OpPassManager &pm, llvm::StringRef recipe);

/// Normal form and statistics to QDQ.
void buildQuantizePipeline(mlir::OpPassManager &pm,
                           const QuantizePipelineOptions &options);

/// QDQ to integers.
void buildIntegerizePipeline(mlir::OpPassManager &pm,
                             const IntegerizePipelineOptions &options);

/// Any program, float or integer, to qd.dispatch ops.
void buildDispatchPipeline(mlir::OpPassManager &pm);

/// qd-normalize-pipeline, qd-quantize-pipeline, qd-integerize-pipeline and
/// qd-dispatch-pipeline for tools with a command line.
void registerPipelines();

} // namespace qdialect

#endif // QDIALECT_PIPELINES_PASSES_H

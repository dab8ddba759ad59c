//===- Passes.td - Passes that run programs ----------------*- tablegen -*-===//
// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that compile and run programs to decide something.
//===----------------------------------------------------------------------===//
#ifndef QDIALECT_PIPELINES_PASSES_TD
#define QDIALECT_PIPELINES_PASSES_TD

include "mlir/Pass/PassBase.td"

def SmoothSearchPass : Pass<"qd-smooth-search", "::mlir::ModuleOp"> {
  let summary = "smooth activations by the exponent that serves the network best (SmoothQuant+)";
  let description = [{
    Compiles the calibrated program as floats and, quantized by the recipe, without
    smoothing and with the exponents 0.4 to 0.9, runs all on up to 32 calibration
    samples, and takes what changes the outputs least: qd-smooth-activations with
    that exponent, or nothing. `smoothing: search` in a recipe does the same
    inside q-compile.

    Source: Pan et al., "SmoothQuant+", arXiv 2312.03788.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::qdialect::qd::QDDialect"];
  let options = [
    Option<"recipe", "recipe", "std::string", /*default=*/"\"w8a8-int\"",
           "Name of a built-in recipe or path of a recipe file">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "Path of the calibration data">,
    Option<"statistics", "statistics", "std::string", /*default=*/"\"\"",
           "Path of the statistics file of the program as it is">,
    Option<"outputStatistics", "output-statistics", "std::string", /*default=*/"\"\"",
           "Where to write the statistics of the program as it becomes; none: calibrate again">
  ];
  let statistics = [
    Statistic<"numSmoothed", "smoothed", "Programs that gained by it">
  ];
}

#endif // QDIALECT_PIPELINES_PASSES_TD

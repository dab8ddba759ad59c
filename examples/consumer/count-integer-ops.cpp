// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tool of another stack: reads a program in quantize-dequantize form, makes
// it integer with our pipeline among its own passes, and looks at what came
// out.
//
//   count-integer-ops quantized.mlir

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Pipelines/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

int main(int argc, char **argv) {
  if (argc != 2) {
    llvm::errs() << "usage: count-integer-ops quantized.mlir\n";
    return 1;
  }
  MLIRContext context;
  context.loadDialect<qdialect::qd::QDDialect, arith::ArithDialect,
                      func::FuncDialect, linalg::LinalgDialect,
                      math::MathDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(argv[1], &context);
  if (!module)
    return 2;
  PassManager pm(&context);
  pm.addPass(createCSEPass());
  qdialect::IntegerizePipelineOptions options;
  options.rescale = "dyadic";
  qdialect::buildIntegerizePipeline(pm, options);
  if (failed(pm.run(*module)))
    return 3;
  int64_t integer = 0, all = 0;
  module->walk([&](linalg::LinalgOp op) {
    if (!qdialect::getContractionStructure(op))
      return;
    ++all;
    integer += getElementTypeOrSelf(op->getResult(0).getType()).isInteger(32);
  });
  llvm::outs() << integer << " of " << all << " products are integers\n";
  return 0;
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-emit-model IN.mlir -o OUT.so: the last phase alone, for tests.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  // LLVM's libraries bring options of their own.
  cl::ResetCommandLineParser();
  cl::opt<std::string> input(cl::Positional, cl::Required);
  cl::opt<std::string> output("o", cl::Required);
  cl::opt<std::string> prefix("prefix", cl::init("qd_model"));
  cl::opt<std::string> cpus("target-cpu", cl::init(""));
  cl::opt<bool> generic("generic-kernels");
  cl::ParseCommandLineOptions(argc, argv);

  mlir::DialectRegistry registry;
  registry.insert<qdialect::qd::QDDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::linalg::LinalgDialect,
                  mlir::math::MathDialect, mlir::tensor::TensorDialect>();
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(input, &context);
  if (!module)
    return 1;
  qdialect::EmitOptions options;
  options.prefix = prefix;
  options.genericKernels = generic;
  ExitOnError exitOnError("error: ");
  if (!cpus.empty())
    for (const qdialect::CpuTarget &target :
         exitOnError(qdialect::parseTargetCpus(cpus)))
      options.targets.push_back(target);
  exitOnError(qdialect::emitSharedLibrary(*module, options, output));
  return 0;
}

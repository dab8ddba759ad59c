// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Foreign files to MLIR.
//   q-translate --import-onnx model.onnx [--dim batch=1] | --onnx-coverage

#include "QDialect/Pipelines/ModuleFile.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

namespace cl = llvm::cl;

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::opt<std::string> model("import-onnx", cl::value_desc("model.onnx"),
                             cl::desc("Import an ONNX model"));
  cl::list<std::string> dims(
      "dim", cl::value_desc("name=value"),
      cl::desc("Fix or bound (name=1..64) a symbolic dimension or input:axis"));
  cl::opt<bool> coverage("onnx-coverage",
                         cl::desc("Print the table of known ONNX operators"));
  cl::opt<std::string> outputPath("o", cl::init("-"), cl::desc("Output file"));
  mlir::registerAsmPrinterCLOptions();
  cl::ParseCommandLineOptions(argc, argv, "QDialect model translation\n");

  qdialect::ImportOptions options;
  for (const std::string &dim : dims)
    if (llvm::Error error = qdialect::parseDimension(dim, options)) {
      llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
      return 1;
    }
  mlir::MLIRContext context;
  // MLIR's own handler keeps remarks to itself.
  mlir::ScopedDiagnosticHandler handler(&context, [](mlir::Diagnostic &said) {
    bool isRemark = said.getSeverity() == mlir::DiagnosticSeverity::Remark;
    llvm::errs() << (isRemark ? "remark: " : "error: ") << said << "\n";
  });
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (!coverage && !(module = qdialect::importONNX(model, &context, options)))
    return 1;

  llvm::Error error =
      coverage ? llvm::writeToOutput(outputPath,
                                     [](llvm::raw_ostream &os) {
                                       qdialect::printONNXCoverage(os);
                                       return llvm::Error::success();
                                     })
               : qdialect::writeModule(*module, outputPath);
  if (error) {
    llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}

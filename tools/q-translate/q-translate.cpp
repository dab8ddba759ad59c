// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Foreign files to MLIR and back.
//   q-translate --import-onnx model.onnx [--dim batch=1]
//   q-translate --export-onnx-qdq quantized.mlir -o model.onnx
//   q-translate --onnx-coverage

#include "QDialect/Pipelines/ModuleFile.h"
#include "QDialect/Target/ONNX/ExportONNX.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

namespace cl = llvm::cl;

namespace {

int report(llvm::Error error) {
  if (!error)
    return 0;
  llvm::errs() << "error: " << llvm::toString(std::move(error)) << "\n";
  return 1;
}

int printCoverage(llvm::StringRef output) {
  return report(llvm::writeToOutput(output, [](llvm::raw_ostream &os) {
    qdialect::printONNXCoverage(os);
    return llvm::Error::success();
  }));
}

int importModel(llvm::StringRef model, llvm::ArrayRef<std::string> dims,
                llvm::ArrayRef<std::string> values, llvm::StringRef output,
                mlir::MLIRContext &context) {
  qdialect::ImportOptions options;
  for (const std::string &dim : dims)
    if (llvm::Error error = qdialect::parseDimension(dim, options))
      return report(std::move(error));
  for (const std::string &value : values)
    if (llvm::Error error = qdialect::parseInputValue(value, options))
      return report(std::move(error));
  auto module = qdialect::importONNX(model, &context, options);
  return module ? report(qdialect::writeModule(*module, output)) : 1;
}

int exportModule(const std::string &path, llvm::ArrayRef<std::string> dims,
                 llvm::ArrayRef<std::string> values, llvm::StringRef output,
                 uint64_t inlineLimit, mlir::MLIRContext &context) {
  auto loaded = qdialect::readModule(path, dims, values, context);
  if (!loaded)
    return report(loaded.takeError());
  if (loaded->phase > qdialect::Phase::Quantize)
    return report(llvm::createStringError(
        "'" + path + "' was written after " +
        qdialect::stringify(loaded->phase) +
        ": only what is not integerized yet has an ONNX form"));
  qdialect::ExportOptions options;
  options.inlineLimit = inlineLimit;
  return failed(qdialect::exportONNX(*loaded->module, output, options));
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::opt<std::string> model("import-onnx", cl::value_desc("model.onnx"),
                             cl::desc("Import an ONNX model"));
  cl::opt<std::string> exported(
      "export-onnx-qdq", cl::value_desc("module"),
      cl::desc("Write a module that is not integerized yet (.mlir, .mlirbc, "
               ".onnx) as an ONNX model with QuantizeLinear and "
               "DequantizeLinear"));
  cl::opt<uint64_t> inlineLimit(
      "inline-limit", cl::value_desc("bytes"),
      cl::init(qdialect::ExportOptions().inlineLimit),
      cl::desc("Constants beyond this size in all go to OUTPUT.data"));
  cl::list<std::string> dims(
      "dim", cl::value_desc("name=value"),
      cl::desc("Fix or bound (name=1..64, name=32..640:32) a symbolic "
               "dimension or input:axis"));
  cl::list<std::string> values(
      "set", cl::value_desc("input=number"),
      cl::desc("Make an input of one element a constant"));
  cl::opt<bool> coverage("onnx-coverage",
                         cl::desc("Print the table of known ONNX operators"));
  cl::opt<std::string> outputPath("o", cl::init("-"), cl::desc("Output file"));
  mlir::registerAsmPrinterCLOptions();
  cl::ParseCommandLineOptions(argc, argv, "QDialect model translation\n");
  if (coverage)
    return printCoverage(outputPath);

  mlir::MLIRContext context;
  // MLIR's own handler keeps remarks to itself.
  mlir::ScopedDiagnosticHandler handler(&context, qdialect::printDiagnostic);
  return exported.empty()
             ? importModel(model, dims, values, outputPath, context)
             : exportModule(exported, dims, values, outputPath, inlineLimit,
                            context);
}

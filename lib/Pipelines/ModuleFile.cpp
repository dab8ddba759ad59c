// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads and writes modules; see the header.

#include "QDialect/Pipelines/ModuleFile.h"

#include "CheckModule.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/IR/WeightReferences.h"
#include "QDialect/Support/HostTensor.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace qdialect {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// What qd.phase says, which the verifier has looked at.
Phase phaseOf(ModuleOp module) {
  if (auto name = module->getAttrOfType<StringAttr>(qd::kPhaseAttr))
    return *parsePhase(name.getValue());
  bool dispatched = false;
  module.walk([&](qd::DispatchOp) { dispatched = true; });
  return dispatched ? Phase::Dispatch : Phase::Import;
}

} // namespace

llvm::Expected<LoadedModule> readModule(const std::string &path,
                                        llvm::ArrayRef<std::string> dims,
                                        llvm::ArrayRef<std::string> values,
                                        MLIRContext &context) {
  DialectRegistry registry;
  registerONNXImportDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<qd::QDDialect, arith::ArithDialect, func::FuncDialect,
                      linalg::LinalgDialect, math::MathDialect,
                      tensor::TensorDialect>();
  LoadedModule result;
  if (!llvm::sys::fs::exists(path))
    return failure("no such file: '" + path + "'");
  llvm::StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".onnx") {
    ImportOptions import;
    for (const std::string &dim : dims)
      if (llvm::Error error = parseDimension(dim, import))
        return std::move(error);
    for (const std::string &value : values)
      if (llvm::Error error = parseInputValue(value, import))
        return std::move(error);
    result.module = importONNX(path, &context, import);
    if (!result.module)
      return failure("'" + path + "' was not imported");
    return result;
  }
  if (extension != ".mlir" && extension != ".mlirbc")
    return failure("'" + path +
                   "' is no model: expected .onnx, .mlir or "
                   ".mlirbc");
  if (!dims.empty() || !values.empty())
    return failure("--dim and --set are for .onnx models, '" + path +
                   "' is a module");
  auto manager = std::make_shared<llvm::SourceMgr>();
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return failure("cannot read '" + path +
                   "': " + buffer.getError().message());
  manager->AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  result.module = parseSourceFile<ModuleOp>(manager, ParserConfig(&context));
  if (!result.module)
    return failure("'" + path + "' is no valid module");
  if (failed(checkConstants(*result.module)))
    return failure("'" + path + "' has constants without their data");
  result.phase = phaseOf(*result.module);
  return result;
}

/// Writes the resources that lie in no file yet to `path` and references them.
static llvm::Error
writeWeights(llvm::ArrayRef<DenseResourceElementsAttr> resources,
             llvm::StringRef path, const qd::WeightReferences &known) {
  llvm::SmallString<128> file(path);
  if (std::error_code code = llvm::sys::fs::make_absolute(file))
    return llvm::errorCodeToError(code);
  std::vector<std::pair<llvm::StringRef, qd::WeightReference>> written;
  llvm::Error error =
      llvm::writeToOutput(file, [&](llvm::raw_ostream &os) -> llvm::Error {
        for (DenseResourceElementsAttr resource : resources) {
          DenseResourceElementsHandle handle = resource.getRawHandle();
          llvm::ArrayRef<char> data = handle.getBlob()->getData();
          llvm::StringRef bytes(data.data(), data.size());
          os.write_zeros(llvm::offsetToAlignment(
              os.tell(), llvm::Align(HostTensor::kAlignment)));
          written.push_back({handle.getKey(),
                             {file.str().str(), os.tell(), bytes.size(),
                              qd::hashWeights(bytes)}});
          os << bytes;
        }
        return llvm::Error::success();
      });
  if (error)
    return error;
  for (auto &[key, reference] : written)
    known.add(key, reference);
  return llvm::Error::success();
}

llvm::Error writeModule(ModuleOp module, llvm::StringRef path) {
  const auto &known = qd::WeightReferences::of(module.getContext());
  bool asBytecode = path.ends_with(".mlirbc");
  // A limit from the command line (--mlir-elide-resource-strings-if-larger)
  // is the reader's wish to see no weights at all.
  bool reference =
      !asBytecode && !OpPrintingFlags().getLargeResourceStringLimit();
  if (reference) {
    std::vector<DenseResourceElementsAttr> others =
        qd::largeResourcesWithoutReference(module);
    if (!others.empty()) {
      if (path == "-")
        reference = false;
      else if (llvm::Error error =
                   writeWeights(others, (path + ".weights").str(), known))
        return error;
    }
  }
  return llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
    if (asBytecode) {
      if (failed(writeBytecodeToFile(module, os)))
        return failure("the module has no bytecode form");
    } else if (reference) {
      qd::printWithReferences(module, os);
    } else {
      module.print(os);
    }
    return llvm::Error::success();
  });
}

void printDiagnostic(Diagnostic &diagnostic) {
  llvm::raw_ostream &os = llvm::errs();
  if (!isa<UnknownLoc>(diagnostic.getLocation())) {
    diagnostic.getLocation().print(os);
    os << ": ";
  }
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    os << "error: ";
    break;
  case DiagnosticSeverity::Warning:
    os << "warning: ";
    break;
  case DiagnosticSeverity::Note:
    os << "note: ";
    break;
  case DiagnosticSeverity::Remark:
    os << "remark: ";
    break;
  }
  os << diagnostic << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    printDiagnostic(note);
}

} // namespace qdialect

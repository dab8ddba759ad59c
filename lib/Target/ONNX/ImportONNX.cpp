// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The public entry points.

#include "QDialect/Target/ONNX/ImportONNX.h"
#include "Importer.h"
#include "ModelFile.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "WeightOrigins.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect {

void registerONNXImportDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                  math::MathDialect, scf::SCFDialect, tensor::TensorDialect,
                  qd::QDDialect>();
}

llvm::Error parseDimension(StringRef text, ImportOptions &options) {
  auto [name, range] = text.rsplit('=');
  auto [from, rest] = range.split("..");
  auto [to, step] = rest.split(':');
  constexpr int64_t most = SymbolicSizes::kUnbounded;
  ImportOptions::Dimension dim;
  bool isRange = range.contains("..");
  bool valid = !name.empty() && !from.getAsInteger(10, dim.low) &&
               dim.low >= 1 && dim.low <= most;
  dim.high = isRange ? most : dim.low;
  if (!to.empty())
    valid &= !to.getAsInteger(10, dim.high) && dim.high >= dim.low &&
             dim.high <= most;
  if (rest.contains(':'))
    valid &=
        !step.getAsInteger(10, dim.step) && dim.step >= 1 && dim.step <= most;
  if (!valid)
    return llvm::createStringError(
        "dimension '" + text +
        "' is not of the form name=positive number, name=low..high or "
        "name=low.., the last two with :step where only multiples are taken");
  dim.low = llvm::alignTo(dim.low, dim.step);
  dim.high = llvm::alignDown(dim.high, dim.step);
  if (dim.low > dim.high)
    return llvm::createStringError("dimension '" + text + "': no multiple of " +
                                   step + " lies between the bounds");
  options.dims[name] = dim;
  return llvm::Error::success();
}

llvm::Error parseInputValue(StringRef text, ImportOptions &options) {
  auto [name, number] = text.rsplit('=');
  double value;
  if (name.empty() || number.getAsDouble(value))
    return llvm::createStringError("input value '" + text +
                                   "' is not of the form name=number");
  options.values[name] = number.str();
  return llvm::Error::success();
}

OwningOpRef<ModuleOp> importONNX(std::shared_ptr<llvm::MemoryBuffer> buffer,
                                 StringRef path, MLIRContext *context,
                                 const ImportOptions &options) {
  context->loadDialect<arith::ArithDialect, func::FuncDialect,
                       linalg::LinalgDialect, math::MathDialect,
                       scf::SCFDialect, tensor::TensorDialect, qd::QDDialect>();
  auto file = onnx_import::ModelFile::open(std::move(buffer), path);
  if (!file) {
    mlir::emitError(UnknownLoc::get(context))
        << (path.empty() ? "model" : path) << ": "
        << llvm::toString(file.takeError());
    return nullptr;
  }
  OwningOpRef<ModuleOp> module =
      onnx_import::importGraph(**file, context, options);
  if (module)
    onnx_import::referenceWeights(*module, **file);
  return module;
}

OwningOpRef<ModuleOp> importONNX(StringRef path, MLIRContext *context,
                                 const ImportOptions &options) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    mlir::emitError(UnknownLoc::get(context))
        << path << ": " << buffer.getError().message();
    return nullptr;
  }
  return importONNX(std::shared_ptr<llvm::MemoryBuffer>(std::move(*buffer)),
                    path, context, options);
}

} // namespace qdialect

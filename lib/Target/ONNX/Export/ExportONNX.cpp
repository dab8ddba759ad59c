// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The public entry point.

#include "QDialect/Target/ONNX/ExportONNX.h"
#include "Export/Exporter.h"

using namespace mlir;

namespace qdialect {

LogicalResult exportONNX(ModuleOp module, StringRef path,
                         const ExportOptions &options) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal() || !main.getBody().hasOneBlock())
    return module.emitError("has no function 'main' of one block");
  onnx_export::ModelWriter model;
  onnx_export::Exporter exporter(model, module.getContext());
  if (failed(exporter.run(main)))
    return failure();
  if (llvm::Error error = model.write(path, options.inlineLimit))
    return mlir::emitError(module.getLoc())
           << path << ": " << llvm::toString(std::move(error));
  return success();
}

} // namespace qdialect

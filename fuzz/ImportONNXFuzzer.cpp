// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes as an ONNX model: the importer must end in a module or in an error.

#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // A context keeps every type and attribute it ever saw.
  static mlir::MLIRContext *context = nullptr;
  static unsigned uses = 0;
  if (uses++ % 4096 == 0) {
    delete context;
    context = new mlir::MLIRContext(mlir::MLIRContext::Threading::DISABLED);
  }
  mlir::ScopedDiagnosticHandler quiet(context, [](mlir::Diagnostic &) {});
  std::shared_ptr<llvm::MemoryBuffer> buffer =
      llvm::MemoryBuffer::getMemBufferCopy(
          llvm::StringRef(reinterpret_cast<const char *>(data), size));
  qdialect::importONNX(std::move(buffer), "", context);
  return 0;
}

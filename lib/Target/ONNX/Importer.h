// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of an import that have a file each.

#ifndef QDIALECT_LIB_TARGET_ONNX_IMPORTER_H
#define QDIALECT_LIB_TARGET_ONNX_IMPORTER_H

#include "QDialect/Support/SymbolicSizes.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace onnx {
class ValueInfoProto;
} // namespace onnx

namespace qdialect::onnx_import {

class ModelFile;

/// The module of an opened model; null after one error diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> importGraph(ModelFile &file,
                                              mlir::MLIRContext *context,
                                              const ImportOptions &options);

struct InputType {
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape; ///< sizes of the table given
};

/// The type of a graph input, its symbolic dimensions fixed or bounded by the
/// options. A first dimension that the options do not name is a batch of 1,
/// with a remark.
mlir::FailureOr<InputType> importInputType(const onnx::ValueInfoProto &input,
                                           llvm::StringRef model,
                                           mlir::MLIRContext *context,
                                           const ImportOptions &options,
                                           SymbolicSizes &sizes);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_IMPORTER_H

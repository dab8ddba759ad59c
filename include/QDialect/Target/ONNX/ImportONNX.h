// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one door from ONNX files (opset 7 to 25) into the float program that
// docs/PhaseContract.md section 2 describes. Weights are not copied: a constant
// refers to the bytes of the mapped model (or of its external data) and keeps
// the mapping alive. Symbolic dimensions are fixed here, or stay symbolic
// between bounds.

#ifndef QDIALECT_TARGET_ONNX_IMPORTONNX_H
#define QDIALECT_TARGET_ONNX_IMPORTONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace qdialect {

struct ImportOptions {
  /// A value, or the least and largest one of a dimension that stays symbolic.
  struct Dimension {
    int64_t low = 1, high = 1; ///< multiples of `step`
    int64_t step = 1;
    bool isFixed() const { return low == high; }
  };
  /// Symbolic dimensions, by the name the model gives them ("batch"), or by
  /// place for dimensions without one ("images:2" is axis 2 of the input
  /// `images`). The place wins over the name.
  llvm::StringMap<Dimension> dims;
  /// Inputs that are constants of one number, as text.
  llvm::StringMap<std::string> values;
};

/// Reads the argument of --dim into `options.dims`: "name=4" fixes a dimension,
/// "name=1..64" keeps it symbolic between bounds, "name=1.." without an upper
/// one, "name=32..640:32" to multiples of 32.
llvm::Error parseDimension(llvm::StringRef text, ImportOptions &options);

/// Reads the argument of --set into `options.values`: "sr=16000" makes the
/// input `sr` a constant, which control flow and shapes may depend on.
llvm::Error parseInputValue(llvm::StringRef text, ImportOptions &options);

/// Imports the model file at `path`; loads the dialects it needs into
/// `context`. On failure returns null after one error
/// diagnostic on `context` that names the file and, where there is one, the
/// node (name, op, opset), the tensor and both values that disagree.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::StringRef path,
                                             mlir::MLIRContext *context,
                                             const ImportOptions &options = {});

/// The same over bytes in memory, which the result shares. `path` names the
/// model in diagnostics; external data is looked for beside it, and refused
/// if `path` is empty.
mlir::OwningOpRef<mlir::ModuleOp>
importONNX(std::shared_ptr<llvm::MemoryBuffer> buffer, llvm::StringRef path,
           mlir::MLIRContext *context, const ImportOptions &options = {});

/// Registers the dialects that imported modules are written in.
void registerONNXImportDialects(mlir::DialectRegistry &registry);

/// Prints docs/reference/ONNXCoverage.md from the operator registry.
void printONNXCoverage(llvm::raw_ostream &os);

} // namespace qdialect

#endif // QDIALECT_TARGET_ONNX_IMPORTONNX_H

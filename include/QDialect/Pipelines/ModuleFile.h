// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Models and modules between phases as files.

#ifndef QDIALECT_PIPELINES_MODULEFILE_H
#define QDIALECT_PIPELINES_MODULEFILE_H

#include "QDialect/Pipelines/Compiler.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"

namespace qdialect {

struct LoadedModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The last phase that is behind it.
  Phase phase = Phase::Import;
};

/// Reads a model (.onnx) or a module (.mlir, .mlirbc); its phase is the one it
/// was written after, for hand-written modules import, or dispatch if they hold
/// qd.dispatch ops.
llvm::Expected<LoadedModule> readModule(const std::string &path,
                                        llvm::ArrayRef<std::string> dims,
                                        llvm::ArrayRef<std::string> values,
                                        mlir::MLIRContext &context);

/// Writes bytecode (.mlirbc) or text under a temporary name, then renames; "-"
/// is text to standard output. Text names large constants by file, offset, size
/// and hash (IR/WeightReferences.h): those of the imported model where they
/// lie, the others in `path`.weights beside it. To standard output, constants
/// that lie in no file are spelled out, and then all are.
llvm::Error writeModule(mlir::ModuleOp module, llvm::StringRef path);

/// Prints a diagnostic with its location to llvm::errs().
void printDiagnostic(mlir::Diagnostic &diagnostic);

} // namespace qdialect

#endif // QDIALECT_PIPELINES_MODULEFILE_H

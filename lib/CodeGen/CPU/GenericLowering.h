// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The upstream road of the family "generic".

#ifndef QDIALECT_LIB_CODEGEN_CPU_GENERICLOWERING_H
#define QDIALECT_LIB_CODEGEN_CPU_GENERICLOWERING_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace qdialect::cpu {

/// Makes linalg ops of what has no loops of its own; may make constants.
mlir::LogicalResult decomposeGenericModule(mlir::ModuleOp module);

/// Lowers such a module, of functions over memrefs with tensor code inside to
/// the llvm dialect. Memrefs become bare pointers; i8 elements in memory are in
/// offset binary.
mlir::LogicalResult lowerGenericModule(mlir::ModuleOp module);

/// Gives what control flow hands on its place before bufferization
/// (HandOver.cpp).
void handOverInPlace(mlir::ModuleOp module);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_GENERICLOWERING_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the mix of dialects that GPU kernels are written in to PTX text.

#ifndef QDIALECT_CODEGEN_NVVM_PTX_H
#define QDIALECT_CODEGEN_NVVM_PTX_H

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "mlir/IR/BuiltinOps.h"

namespace qdialect {

/// Registers and loads the dialects that GPU kernels are made of, and their
/// translations to LLVM IR. Call it before several threads share a context.
void loadGpuDialects(mlir::MLIRContext &context);

/// Lowers, optimizes and prints the kernels of `module`, which is consumed.
/// Functions that are no kernel are inlined. Multiplications and additions are
/// never fused (the text says `.rn`), denormals are kept.
llvm::Expected<std::string> translateToPtx(mlir::ModuleOp module,
                                           const GpuTarget &target);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_NVVM_PTX_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles the kernels of a program for every GPU target, in parallel.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_GPUKERNELS_H
#define QDIALECT_TARGET_SHAREDLIBRARY_GPUKERNELS_H

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "mlir/IR/MLIRContext.h"

namespace qdialect {

/// One variant for each target, checked by ptxas where there is one. Emits
/// diagnostics for kernels that fail.
llvm::Expected<std::vector<ProgramVariant>>
compileGpuKernels(mlir::MLIRContext &context,
                  llvm::ArrayRef<ProgramKernel> kernels,
                  llvm::ArrayRef<GpuTarget> targets);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_GPUKERNELS_H

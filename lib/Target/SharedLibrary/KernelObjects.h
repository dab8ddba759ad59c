// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles the kernels of a program for every CPU variant, in parallel.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_KERNELOBJECTS_H
#define QDIALECT_TARGET_SHAREDLIBRARY_KERNELOBJECTS_H

#include "ObjectCode.h"
#include "QDialect/CodeGen/Program/Program.h"
#include "mlir/IR/MLIRContext.h"
#include <vector>

namespace qdialect {

/// The code of some kernels for one variant.
struct KernelObject {
  ObjectBytes bytes;
  size_t firstKernel = 0, numKernels = 0;
};

/// One object for each group of kernels and variant, in a fixed order. The
/// symbols are kernelSymbol(). Emits diagnostics for kernels that fail.
llvm::Expected<std::vector<KernelObject>>
compileKernels(mlir::MLIRContext &context,
               llvm::ArrayRef<ProgramKernel> kernels,
               llvm::ArrayRef<CpuTarget> targets);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_KERNELOBJECTS_H

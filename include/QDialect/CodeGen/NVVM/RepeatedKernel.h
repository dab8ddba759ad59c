// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel for some rows becomes one for many times as many: the second
// dimension of the grid repeats it, each time with its tensors moved on.

#ifndef QDIALECT_CODEGEN_NVVM_REPEATEDKERNEL_H
#define QDIALECT_CODEGEN_NVVM_REPEATEDKERNEL_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace qdialect {

/// Adds a parameter of 64 bits for each of the first `numTensors` parameters:
/// the bytes from a block of rows to the next.
void repeatKernel(mlir::LLVM::LLVMFuncOp kernel, unsigned numTensors);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_NVVM_REPEATEDKERNEL_H

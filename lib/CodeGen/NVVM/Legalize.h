// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels written for CPUs use and GPUs have not.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_LEGALIZE_H
#define QDIALECT_LIB_CODEGEN_NVVM_LEGALIZE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace llvm {
class Module;
} // namespace llvm

namespace qdialect::gpu {

/// Rounding to an integer in one instruction becomes two: to the nearest float,
/// then to the integer. The values of kernels lie inside the integer's range.
void expandRounding(mlir::ModuleOp module);

/// Memory of a fixed size that a thread allocates becomes local memory; an
/// error where there is more than a thread may have. Any other call of the C
/// library is an error too.
llvm::Error replaceAllocations(llvm::Module &module);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_LEGALIZE_H

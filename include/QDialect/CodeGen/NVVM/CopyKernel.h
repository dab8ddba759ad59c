// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel that every program for GPUs has: it copies bytes, and turns plain
// i8 codes into the offset binary of the other kernels and back.

#ifndef QDIALECT_CODEGEN_NVVM_COPYKERNEL_H
#define QDIALECT_CODEGEN_NVVM_COPYKERNEL_H

#include "mlir/IR/Builders.h"

namespace qdialect {

/// Threads of a block; the runtime (runtime/src/gpu.c) chooses the grid.
inline constexpr int64_t kCopyThreads = 256;

/// Adds `llvm.func @symbol(!llvm.ptr<1> target, !llvm.ptr<1> source, i64 bytes,
/// i64 flip)`, a kernel; each byte is xor-ed with `flip`.
void emitCopyKernel(mlir::OpBuilder &moduleBuilder, llvm::StringRef symbol);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_NVVM_COPYKERNEL_H

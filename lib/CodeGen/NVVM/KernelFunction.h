// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The beginning of every kernel: its function and where its threads stand.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H
#define QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qdialect::gpu {

/// A pointer to memory of the device.
mlir::Type globalPointer(mlir::MLIRContext *context);

/// Starts the kernel @symbol for blocks of at most `threads` threads, and moves
/// the insertion point into its empty entry block.
mlir::LLVM::LLVMFuncOp startKernel(mlir::ImplicitLocOpBuilder &builder,
                                   llvm::StringRef symbol,
                                   llvm::ArrayRef<mlir::Type> parameters,
                                   int64_t threads);
/// The same with `numArguments` global pointers.
mlir::LLVM::LLVMFuncOp startKernel(mlir::ImplicitLocOpBuilder &builder,
                                   llvm::StringRef symbol,
                                   unsigned numArguments, int64_t threads);

/// The kernel's parameters as pointers of the generic address space, which is
/// what emitters shared with the CPU take; NVPTX finds the space again.
llvm::SmallVector<mlir::Value>
genericPointers(mlir::ImplicitLocOpBuilder &builder,
                mlir::LLVM::LLVMFuncOp kernel);

/// The address of an array of genericPointers, as CPU kernels take it; it never
/// reaches memory.
mlir::Value argumentArray(mlir::ImplicitLocOpBuilder &builder,
                          mlir::LLVM::LLVMFuncOp kernel);

/// The start of every buffer is a multiple of it.
inline constexpr int64_t kBaseAlignment = 64;
/// What the address of a kernel's tensor is a multiple of: a block of rows
/// begins at any row of its buffer.
int64_t tensorAlignment(mlir::Type type);

/// What the CPU's emitters take a GPU's thread for: a machine without vectors.
const CpuTarget &threadTarget();

/// Says what the addresses of inputs, output and constants are multiples of,
/// and that nobody writes constants.
void markArguments(mlir::LLVM::LLVMFuncOp kernel, qd::DispatchOp dispatch);

/// The number of a thread in its block and of its block in the grid, i32.
mlir::Value threadInBlock(mlir::ImplicitLocOpBuilder &builder);
mlir::Value blockInGrid(mlir::ImplicitLocOpBuilder &builder);
/// blockInGrid * threads + threadInBlock, i64.
mlir::Value threadInGrid(mlir::ImplicitLocOpBuilder &builder, int64_t threads);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H

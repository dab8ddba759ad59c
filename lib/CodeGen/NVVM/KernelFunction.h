// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The beginning of every kernel: its function and where its threads stand.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H
#define QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H

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

/// Says that nobody writes what the parameters from `first` on point to.
void markConstants(mlir::LLVM::LLVMFuncOp kernel, unsigned first);

/// The number of a thread in its block and of its block in the grid, i32.
mlir::Value threadInBlock(mlir::ImplicitLocOpBuilder &builder);
mlir::Value blockInGrid(mlir::ImplicitLocOpBuilder &builder);
/// blockInGrid * threads + threadInBlock, i64.
mlir::Value threadInGrid(mlir::ImplicitLocOpBuilder &builder, int64_t threads);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_KERNELFUNCTION_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A byte a thread; the threads of the grid go through the memory side by side.

#include "QDialect/CodeGen/NVVM/CopyKernel.h"
#include "KernelFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace qdialect;

void qdialect::emitCopyKernel(OpBuilder &moduleBuilder, StringRef symbol) {
  OpBuilder::InsertionGuard guard(moduleBuilder);
  ImplicitLocOpBuilder b(moduleBuilder.getUnknownLoc(), moduleBuilder);
  Type i8 = b.getI8Type(), i64 = b.getI64Type();
  Type pointer = gpu::globalPointer(b.getContext());
  LLVM::LLVMFuncOp kernel =
      gpu::startKernel(b, symbol, {pointer, pointer, i64, i64}, kCopyThreads);
  Value flip = arith::TruncIOp::create(b, i8, kernel.getArgument(3));
  Value blocks = arith::ExtUIOp::create(
      b, i64, NVVM::GridDimXOp::create(b, b.getI32Type()));
  Value threads = arith::ConstantIntOp::create(b, i64, kCopyThreads);
  auto loop = scf::ForOp::create(b, gpu::threadInGrid(b, kCopyThreads),
                                 kernel.getArgument(2),
                                 arith::MulIOp::create(b, blocks, threads));
  {
    OpBuilder::InsertionGuard inside(b);
    b.setInsertionPointToStart(loop.getBody());
    auto at = [&](Value base) -> Value {
      return LLVM::GEPOp::create(
          b, pointer, i8, base, ArrayRef<LLVM::GEPArg>{loop.getInductionVar()});
    };
    Value byte = LLVM::LoadOp::create(b, i8, at(kernel.getArgument(1)));
    LLVM::StoreOp::create(b, arith::XOrIOp::create(b, byte, flip),
                          at(kernel.getArgument(0)));
  }
  LLVM::ReturnOp::create(b, ValueRange());
}

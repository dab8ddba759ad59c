// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The body is what it was: only the addresses that it begins from move. A
// stride is a multiple of what its address is promised to be a multiple of;
// a mask tells LLVM, which joins loads by it.

#include "QDialect/CodeGen/NVVM/RepeatedKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

void qdialect::repeatKernel(LLVM::LLVMFuncOp kernel, unsigned numTensors) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel.getContext());
  Type i64 = b.getI64Type();
  unsigned numParameters = kernel.getNumArguments();
  Block &entry = kernel.getBody().front();
  b.setInsertionPointToStart(&entry);
  Value repeat = arith::ExtUIOp::create(
      b, i64, NVVM::BlockIdYOp::create(b, b.getI32Type()));
  for (unsigned i = 0; i < numTensors; ++i) {
    Value stride = entry.addArgument(i64, b.getLoc());
    BlockArgument base = entry.getArgument(i);
    if (base.use_empty())
      continue;
    auto alignment = kernel.getArgAttrOfType<IntegerAttr>(
        i, LLVM::LLVMDialect::getAlignAttrName());
    if (alignment)
      stride = arith::AndIOp::create(
          b, stride, arith::ConstantIntOp::create(b, i64, -alignment.getInt()));
    Value offset = arith::MulIOp::create(b, repeat, stride);
    Value moved = LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                                      ArrayRef<LLVM::GEPArg>{offset});
    base.replaceAllUsesExcept(moved, moved.getDefiningOp());
  }
  ArrayAttr old = kernel.getArgAttrsAttr();
  kernel.setFunctionType(
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  llvm::to_vector(entry.getArgumentTypes())));
  if (!old)
    return;
  SmallVector<Attribute> attributes(old.begin(), old.begin() + numParameters);
  attributes.resize(entry.getNumArguments(), b.getDictionaryAttr({}));
  kernel.setArgAttrsAttr(b.getArrayAttr(attributes));
}

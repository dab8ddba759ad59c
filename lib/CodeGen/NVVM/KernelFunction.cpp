// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The beginning of every kernel.

#include "KernelFunction.h"
#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include <numeric>

using namespace mlir;

namespace qdialect::gpu {

Type globalPointer(MLIRContext *context) {
  return LLVM::LLVMPointerType::get(
      context, static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
}

LLVM::LLVMFuncOp startKernel(ImplicitLocOpBuilder &builder, StringRef symbol,
                             unsigned numArguments, int64_t threads) {
  return startKernel(
      builder, symbol,
      SmallVector<Type>(numArguments, globalPointer(builder.getContext())),
      threads);
}

LLVM::LLVMFuncOp startKernel(ImplicitLocOpBuilder &builder, StringRef symbol,
                             ArrayRef<Type> parameters, int64_t threads) {
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(builder.getContext()), parameters);
  auto kernel = LLVM::LLVMFuncOp::create(builder, symbol, type);
  kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      builder.getDenseI32ArrayAttr({static_cast<int32_t>(threads)}));
  builder.setInsertionPointToStart(kernel.addEntryBlock(builder));
  return kernel;
}

SmallVector<Value> genericPointers(ImplicitLocOpBuilder &builder,
                                   LLVM::LLVMFuncOp kernel) {
  auto generic = LLVM::LLVMPointerType::get(builder.getContext());
  SmallVector<Value> pointers;
  for (BlockArgument argument : kernel.getArguments())
    pointers.push_back(
        LLVM::AddrSpaceCastOp::create(builder, generic, argument));
  return pointers;
}

Value argumentArray(ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp kernel) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto type = LLVM::LLVMArrayType::get(pointer, kernel.getNumArguments());
  Value one = arith::ConstantIntOp::create(builder, builder.getI64Type(), 1);
  Value array = LLVM::AllocaOp::create(builder, pointer, type, one, 8);
  for (auto [place, value] :
       llvm::enumerate(genericPointers(builder, kernel))) {
    Value entry = LLVM::GEPOp::create(
        builder, pointer, pointer, array,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(place)});
    LLVM::StoreOp::create(builder, value, entry, 8);
  }
  return array;
}

int64_t tensorAlignment(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  int64_t row = cpu::elementBytes(tensor.getElementType());
  if (tensor.getRank() != 0)
    for (int64_t size : tensor.getShape().drop_front())
      row *= ShapedType::isDynamic(size) ? 1 : size;
  return std::gcd(kBaseAlignment, row);
}

const CpuTarget &threadTarget() {
  static const CpuTarget target{"ptx", CpuTarget::Scalar, "", ""};
  return target;
}

void markArguments(LLVM::LLVMFuncOp kernel, qd::DispatchOp dispatch) {
  SmallVector<Type> tensors(dispatch.getInputs().getTypes());
  llvm::append_range(tensors, dispatch->getResultTypes());
  Builder builder(kernel.getContext());
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i) {
    bool isConstant = i >= tensors.size();
    if (!isConstant && tensors[i].isIndex())
      continue;
    kernel.setArgAttr(
        i, LLVM::LLVMDialect::getAlignAttrName(),
        builder.getI64IntegerAttr(isConstant ? kBaseAlignment
                                             : tensorAlignment(tensors[i])));
    if (!isConstant)
      continue;
    for (StringRef name : {LLVM::LLVMDialect::getNoAliasAttrName(),
                           LLVM::LLVMDialect::getReadonlyAttrName()})
      kernel.setArgAttr(i, name, builder.getUnitAttr());
  }
}

Value threadInBlock(ImplicitLocOpBuilder &builder) {
  return NVVM::ThreadIdXOp::create(builder, builder.getI32Type());
}

Value blockInGrid(ImplicitLocOpBuilder &builder) {
  return NVVM::BlockIdXOp::create(builder, builder.getI32Type());
}

Value threadInGrid(ImplicitLocOpBuilder &builder, int64_t threads) {
  Type i64 = builder.getI64Type();
  Value block = arith::ExtUIOp::create(builder, i64, blockInGrid(builder));
  Value thread = arith::ExtUIOp::create(builder, i64, threadInBlock(builder));
  Value size = arith::ConstantIntOp::create(builder, i64, threads);
  return arith::AddIOp::create(
      builder, arith::MulIOp::create(builder, block, size), thread);
}

} // namespace qdialect::gpu

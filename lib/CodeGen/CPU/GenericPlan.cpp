// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "generic": any region at all, by upstream's road. The region is
// bufferized as a function over memrefs, its linalg ops become loops, and the
// loops go to the llvm dialect. It shares nothing with the kernel builders, so
// it doubles as the oracle that they are tested against.

#include "Families.h"

#include "Emitter.h"
#include "GenericLowering.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class GenericPlan : public KernelPlan {
public:
  explicit GenericPlan(qd::DispatchOp dispatch) : dispatch(dispatch) {
    family = "generic";
    // Tensors of constants become arguments: no global data beside the blobs.
    dispatch.getBody().walk([&](arith::ConstantOp constant) {
      std::optional<ConstantView> view;
      if (isa<RankedTensorType>(constant.getType()) &&
          (view = constantView(constant.getResult()))) {
        constantOps.push_back(constant);
        constants.push_back(tensorBlob(std::move(*view)));
      }
    });
    keyText = family + structureKey(dispatch);
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    std::string bodyName = (symbol + "_body").str();
    OwningOpRef<ModuleOp> module = buildModule(bodyName);
    if (failed(lowerGenericModule(*module)))
      return dispatch.emitOpError("cannot be lowered to a kernel");
    LLVM::LLVMFuncOp body =
        moveFunctions(*module, moduleBuilder, target, bodyName);
    if (!body)
      return dispatch.emitOpError("lost its kernel while being lowered");
    emitEntry(moduleBuilder, target, symbol, body);
    return success();
  }

private:
  static MemRefType bufferType(Type tensor) {
    auto type = cast<RankedTensorType>(tensor);
    return MemRefType::get(type.getShape(), type.getElementType());
  }

  /// func @body(inputs, output, constants) with the region inside.
  OwningOpRef<ModuleOp> buildModule(StringRef bodyName) {
    Location loc = dispatch.getLoc();
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
    SmallVector<Type> types;
    for (Type type : dispatch.getBody().getArgumentTypes())
      types.push_back(bufferType(type));
    types.push_back(bufferType(dispatch->getResult(0).getType()));
    for (arith::ConstantOp constant : constantOps)
      types.push_back(bufferType(constant.getType()));
    auto func = func::FuncOp::create(builder, loc, bodyName,
                                     builder.getFunctionType(types, {}));
    Block *block = func.addEntryBlock();
    builder.setInsertionPointToStart(block);
    auto read = [&](unsigned argument, Type tensor) -> Value {
      return bufferization::ToTensorOp::create(builder, loc, tensor,
                                               block->getArgument(argument),
                                               /*restrict=*/true);
    };
    IRMapping mapping;
    unsigned numInputs = dispatch.getInputs().size();
    for (BlockArgument argument : dispatch.getBody().getArguments())
      mapping.map(argument, read(argument.getArgNumber(), argument.getType()));
    for (auto [i, constant] : llvm::enumerate(constantOps))
      mapping.map(constant.getResult(),
                  read(numInputs + 1 + i, constant.getType()));
    for (Operation &op : dispatch.getBody().front().without_terminator())
      if (!mapping.contains(&op) &&
          !(op.getNumResults() == 1 && mapping.contains(op.getResult(0))))
        builder.clone(op, mapping);
    bufferization::MaterializeInDestinationOp::create(
        builder, loc, /*result=*/Type(),
        mapping.lookupOrDefault(dispatch.getYield().getOperand(0)),
        block->getArgument(numInputs), /*restrict=*/true, /*writable=*/true);
    func::ReturnOp::create(builder, loc);
    return module;
  }

  /// Moves the lowered functions over; what exists there already (malloc)
  /// stays.
  LLVM::LLVMFuncOp moveFunctions(ModuleOp from, OpBuilder &builder,
                                 const CpuTarget &target, StringRef bodyName) {
    auto destination =
        builder.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
    if (!destination)
      destination = cast<ModuleOp>(builder.getInsertionBlock()->getParentOp());
    LLVM::LLVMFuncOp body;
    for (Operation &op : llvm::make_early_inc_range(*from.getBody())) {
      auto func = dyn_cast<LLVM::LLVMFuncOp>(op);
      if (!func ||
          (func.isExternal() && destination.lookupSymbol(func.getName())))
        continue;
      func->remove();
      builder.insert(func);
      if (func.getName() == bodyName) {
        body = func;
        body.setLinkage(LLVM::Linkage::Internal);
        setFunctionTarget(body, target);
      }
    }
    return body;
  }

  void emitEntry(OpBuilder &moduleBuilder, const CpuTarget &target,
                 StringRef symbol, LLVM::LLVMFuncOp body) {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    // One task: an empty range does nothing.
    e.ifThen(e.less(func.getArgument(1), func.getArgument(2)), [&] {
      SmallVector<Value> pointers;
      for (unsigned i = 0; i < body.getNumArguments(); ++i)
        pointers.push_back(e.argument(func.getArgument(0), i));
      e.call(body, pointers);
    });
    e.ret();
  }

  qd::DispatchOp dispatch;
  SmallVector<arith::ConstantOp> constantOps;
};

} // namespace

PlanPtr planGeneric(qd::DispatchOp dispatch) {
  return std::make_unique<GenericPlan>(dispatch);
}

} // namespace qdialect::cpu

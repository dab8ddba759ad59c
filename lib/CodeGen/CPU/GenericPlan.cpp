// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "generic": any region at all, by upstream's road. The region is
// bufferized as a function over memrefs, its linalg ops become loops, and the
// loops go to the llvm dialect. It shares nothing with the kernel builders, so
// it doubles as the oracle that they are tested against.
//
// Tensors of dynamic sizes come as bare pointers too; their sizes, and indices
// that the region reads, are numbers in the array behind the constants
// (KernelPlan.h, kernelSizes).

#include "Families.h"

#include "Emitter.h"
#include "GenericLowering.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class GenericPlan : public CpuKernelPlan {
public:
  explicit GenericPlan(qd::DispatchOp dispatch) : dispatch(dispatch) {
    family = "generic";
    keyText = family + structureKey(dispatch);
  }

  LogicalResult init() {
    source = buildModule();
    if (failed(decomposeGenericModule(*source)))
      return dispatch.emitOpError("cannot be decomposed for a kernel");
    // Tensors of constants, those that operators were decomposed with too,
    // become arguments: no global data beside the blobs.
    visitConstants(*source, [&](arith::ConstantOp constant, ConstantView view) {
      constants.push_back(tensorBlob(std::move(view)));
    });
    return success();
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    std::string bodyName = (symbol + "_body").str();
    OwningOpRef<ModuleOp> module = source->clone();
    takeConstants(*module, bodyName);
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
  using ConstantVisitor =
      llvm::function_ref<void(arith::ConstantOp, ConstantView)>;
  static void visitConstants(ModuleOp module, ConstantVisitor visit) {
    module.walk([&](arith::ConstantOp constant) {
      if (!isa<RankedTensorType>(constant.getType()))
        return;
      if (std::optional<ConstantView> view = constantView(constant.getResult()))
        visit(constant, std::move(*view));
    });
  }

  static MemRefType bufferType(Type tensor) {
    auto type = cast<RankedTensorType>(tensor);
    return MemRefType::get(type.getShape(), type.getElementType());
  }
  /// What a function can take as a bare pointer.
  static MemRefType argumentType(Type tensor) {
    auto type = cast<RankedTensorType>(tensor);
    if (type.hasStaticShape())
      return bufferType(type);
    return MemRefType::get({1}, type.getElementType());
  }

  /// The memory behind a bare pointer, with its sizes.
  static Value withSizes(OpBuilder &builder, Location loc, Value pointer,
                         RankedTensorType type, ValueRange &sizes) {
    if (type.hasStaticShape())
      return pointer;
    int64_t rank = type.getRank();
    SmallVector<OpFoldResult> shape, strides(rank);
    for (int64_t size : type.getShape()) {
      if (ShapedType::isStatic(size)) {
        shape.push_back(builder.getIndexAttr(size));
        continue;
      }
      shape.push_back(sizes.front());
      sizes = sizes.drop_front();
    }
    OpFoldResult stride = builder.getIndexAttr(1);
    for (int64_t axis = rank; axis-- > 0;) {
      strides[axis] = stride;
      auto constant = [](OpFoldResult number) {
        return getConstantIntValue(number);
      };
      if (constant(stride) && constant(shape[axis])) {
        stride =
            builder.getIndexAttr(*constant(stride) * *constant(shape[axis]));
        continue;
      }
      auto value = [&](OpFoldResult number) -> Value {
        return getValueOrCreateConstantIndexOp(builder, loc, number);
      };
      stride =
          arith::MulIOp::create(builder, loc, value(stride), value(shape[axis]))
              .getResult();
    }
    Value view = memref::ReinterpretCastOp::create(
        builder, loc, pointer, builder.getIndexAttr(0), shape, strides);
    return memref::CastOp::create(builder, loc, bufferType(type), view);
  }

  /// func @body(inputs, output, sizes) with the region inside.
  OwningOpRef<ModuleOp> buildModule() {
    Location loc = dispatch.getLoc();
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
    SmallVector<Type> types;
    for (BlockArgument argument : dispatch.getBody().getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        types.push_back(argumentType(argument.getType()));
    auto resultType = cast<RankedTensorType>(dispatch->getResult(0).getType());
    types.push_back(argumentType(resultType));
    numPointers = types.size();
    types.append(kernelSizes(dispatch).size(), builder.getIndexType());
    auto func = func::FuncOp::create(builder, loc, "body",
                                     builder.getFunctionType(types, {}));
    Block *block = func.addEntryBlock();
    builder.setInsertionPointToStart(block);
    IRMapping mapping;
    ValueRange sizes =
        ValueRange(block->getArguments()).drop_front(numPointers);
    unsigned numInputs = 0;
    for (BlockArgument argument : dispatch.getBody().getArguments()) {
      if (argument.getType().isIndex()) {
        mapping.map(argument, sizes.front());
        sizes = sizes.drop_front();
        continue;
      }
      Value memory =
          withSizes(builder, loc, block->getArgument(numInputs++),
                    cast<RankedTensorType>(argument.getType()), sizes);
      mapping.map(argument, read(builder, memory, argument.getType()));
    }
    Value output = withSizes(builder, loc, block->getArgument(numInputs),
                             resultType, sizes);
    for (Operation &op : dispatch.getBody().front().without_terminator())
      builder.clone(op, mapping);
    bufferization::MaterializeInDestinationOp::create(
        builder, loc, /*result=*/Type(),
        mapping.lookupOrDefault(dispatch.getYield().getOperand(0)), output,
        /*restrict=*/true, /*writable=*/true);
    func::ReturnOp::create(builder, loc);
    return module;
  }

  static Value read(OpBuilder &builder, Value memory, Type tensor) {
    return bufferization::ToTensorOp::create(builder, memory.getLoc(), tensor,
                                             memory, /*restrict=*/true);
  }

  /// func @name(inputs, output, constants, sizes).
  void takeConstants(ModuleOp module, StringRef name) {
    auto func = *module.getOps<func::FuncOp>().begin();
    func.setSymName(name);
    OpBuilder builder(func);
    unsigned place = numPointers;
    visitConstants(
        module, [&](arith::ConstantOp constant, const ConstantView &) {
          // Where the block begins now: its first operation may be erased.
          builder.setInsertionPointToStart(&func.front());
          Value memory = func.front().insertArgument(
              place++, bufferType(constant.getType()), constant.getLoc());
          Value tensor = read(builder, memory, constant.getType());
          constant.getResult().replaceAllUsesWith(tensor);
          constant.erase();
        });
    func.setFunctionType(
        builder.getFunctionType(func.front().getArgumentTypes(), TypeRange()));
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
      SmallVector<Value> values;
      Value args = func.getArgument(0);
      unsigned place = 0;
      for (Value input : dispatch.getInputs()) {
        if (!input.getType().isIndex())
          values.push_back(e.argument(args, place));
        ++place;
      }
      for (unsigned i = 0; i < 1 + constants.size(); ++i)
        values.push_back(e.argument(args, place++));
      unsigned numSizes = body.getNumArguments() - values.size();
      Value sizes = numSizes ? e.argument(args, place) : Value();
      for (unsigned i = 0; i < numSizes; ++i)
        values.push_back(e.load(e.i64(), e.at(sizes, 8 * i), 8));
      e.call(body, values);
    });
    e.ret();
  }

  qd::DispatchOp dispatch;
  OwningOpRef<ModuleOp> source;
  unsigned numPointers = 0; ///< inputs and output
};

} // namespace

PlanPtr planGeneric(qd::DispatchOp dispatch) {
  auto plan = std::make_unique<GenericPlan>(dispatch);
  return succeeded(plan->init()) ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu

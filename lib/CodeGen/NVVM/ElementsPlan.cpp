// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "elements": a thread for each element of the result, neighbouring
// threads for neighbouring elements. Element-wise steps, casts, data movement,
// pools, and contractions that no other family takes.

#include "ElementEmitter.h"
#include "Families.h"
#include "KernelFunction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

constexpr int64_t kThreads = 128;
/// Of a grid's first dimension.
constexpr int64_t kMaxBlocks = INT32_MAX;

class ElementsPlan : public GpuKernelPlan {
public:
  explicit ElementsPlan(qd::DispatchOp dispatch) : dispatch(dispatch) {
    family = "elements";
    auto type = cast<RankedTensorType>(dispatch->getResult(0).getType());
    shape.assign(type.getShape().begin(), type.getShape().end());
    elements = type.getNumElements();
    numTasks = (elements + kThreads - 1) / kThreads;
    keyText = family + cpu::structureKey(dispatch);
  }

  bool init() {
    for (Value constant : loadedConstants(dispatch)) {
      std::optional<ConstantView> view = constantView(constant);
      if (!view)
        return false;
      constants.push_back(cpu::tensorBlob(std::move(*view)));
    }
    return numTasks <= kMaxBlocks;
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {numTasks, kThreads, 0};
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    ImplicitLocOpBuilder b(dispatch.getLoc(), moduleBuilder);
    unsigned firstConstant = dispatch.getInputs().size() + 1;
    LLVM::LLVMFuncOp kernel =
        startKernel(b, symbol, firstConstant + constants.size(), kThreads);
    markArguments(kernel, dispatch);
    Value position = arith::IndexCastOp::create(b, b.getIndexType(),
                                                threadInGrid(b, kThreads));
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position,
                              arith::ConstantIndexOp::create(b, elements));
    auto branch = scf::IfOp::create(b, exists);
    {
      OpBuilder::InsertionGuard inside(b);
      b.setInsertionPointToStart(branch.thenBlock());
      ElementEmitter emitter(b, dispatch, kernel.getArguments());
      Value element = emitter.at(dispatch.getYield().getOperand(0),
                                 emitter.indicesOf(position, shape));
      emitter.store(element, position);
    }
    LLVM::ReturnOp::create(b, ValueRange());
    return success();
  }

private:
  qd::DispatchOp dispatch;
  SmallVector<int64_t> shape;
  int64_t elements = 0;
};

} // namespace

GpuPlanPtr planElements(qd::DispatchOp dispatch) {
  if (!isElementByElement(dispatch))
    return nullptr;
  auto plan = std::make_unique<ElementsPlan>(dispatch);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::gpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "tasks": the CPU's own kernel for a machine without vector
// instructions, one of its tasks a thread. Slow, but it computes everything
// that the CPU does, and the same.

#include "Emitter.h"
#include "Families.h"
#include "KernelFunction.h"

using namespace mlir;

namespace qdialect::gpu {
namespace {

/// CPU tasks are few and long.
constexpr int64_t kThreads = 32;

class TasksPlan : public GpuKernelPlan {
public:
  TasksPlan(qd::DispatchOp dispatch, std::unique_ptr<CpuKernelPlan> tasks)
      : dispatch(dispatch), tasks(std::move(tasks)) {
    family = "tasks-" + this->tasks->family;
    numTasks = this->tasks->numTasks;
    constants = this->tasks->constants;
    weightBits = this->tasks->weightBits;
    if (!this->tasks->key().empty())
      keyText = "tasks " + this->tasks->key();
  }

  GpuLaunch launch(const GpuTarget &target) const override {
    return {(numTasks + kThreads - 1) / kThreads, kThreads, 0};
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const GpuTarget &target,
                     StringRef symbol) override {
    std::string name = (symbol + "_tasks").str();
    if (failed(tasks->emit(moduleBuilder, threadTarget(), name)))
      return failure();
    OpBuilder::InsertionGuard guard(moduleBuilder);
    cpu::Emitter e(dispatch.getLoc(), moduleBuilder, threadTarget());
    auto module = dyn_cast<ModuleOp>(e.getInsertionBlock()->getParentOp());
    auto body = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
    unsigned numArguments = dispatch.getInputs().size() + 1 + constants.size() +
                            !kernelSizes(dispatch).empty();
    LLVM::LLVMFuncOp kernel = startKernel(e, symbol, numArguments, kThreads);
    Value args = argumentArray(e, kernel);
    Value task = threadInGrid(e, kThreads);
    e.ifThen(e.less(task, e.index(numTasks)),
             [&] { e.call(body, {args, task, e.add(task, 1)}); });
    e.ret();
    return success();
  }

private:
  qd::DispatchOp dispatch;
  std::unique_ptr<CpuKernelPlan> tasks;
};

} // namespace

GpuPlanPtr planTasks(qd::DispatchOp dispatch, const KernelOptions &options) {
  FailureOr<std::unique_ptr<CpuKernelPlan>> tasks =
      planKernel(dispatch, options);
  if (failed(tasks))
    return nullptr;
  return std::make_unique<TasksPlan>(dispatch, std::move(*tasks));
}

} // namespace qdialect::gpu

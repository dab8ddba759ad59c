// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A job is a few kernels of one variant: emitted into a module of its own,
// lowered, translated into an LLVMContext of its own, optimized and compiled.
// The jobs share the MLIRContext (which is made for that) and the plans (each
// behind a mutex: a plan may keep state while it emits).

#include "KernelObjects.h"
#include "ParallelJobs.h"
#include "QDialect/CodeGen/Program/EmitProgram.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include <mutex>

using namespace mlir;
using namespace qdialect;

namespace {

/// Enough to pay for the fixed cost of a pass pipeline, few enough that the
/// last job does not keep one thread busy alone.
constexpr size_t kKernelsPerJob = 4;

struct Job {
  const CpuTarget *target;
  llvm::ArrayRef<CpuTarget> targets; // all of the library
  llvm::ArrayRef<ProgramKernel> kernels;
  llvm::ArrayRef<std::unique_ptr<std::mutex>> locks;
  std::string error;
  KernelObject object;
};

/// Whether another variant's code serves this one.
bool isShared(const ProgramKernel &kernel, const Job &job) {
  return &codeTarget(kernel, *job.target, job.targets) != job.target;
}

LogicalResult lower(ModuleOp module) {
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  addKernelLoweringPasses(passes);
  return passes.run(module);
}

/// Kernels are seen by the other objects of the library and by nobody else;
/// everything else a builder made is private to its object.
void setLinkage(llvm::Module &module, const Job &job) {
  llvm::StringSet<> exported;
  for (const ProgramKernel &kernel : job.kernels)
    if (!isShared(kernel, job))
      exported.insert(kernelSymbol(kernel, *job.target));
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.isDeclaration())
      continue;
    if (!exported.contains(value.getName())) {
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
      continue;
    }
    value.setVisibility(llvm::GlobalValue::HiddenVisibility);
    value.setDSOLocal(true);
  }
}

void run(Job &job, MLIRContext &context) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  for (auto [kernel, lock] : llvm::zip_equal(job.kernels, job.locks)) {
    if (isShared(kernel, job))
      continue;
    OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
    std::lock_guard<std::mutex> guard(*lock);
    if (failed(llvm::cast<CpuKernelPlan>(kernel.plan)
                   ->emit(builder, *job.target,
                          kernelSymbol(kernel, *job.target)))) {
      job.error = "kernel '" + kernel.symbol + "' cannot be emitted for " +
                  job.target->name;
      return;
    }
  }
  auto where = [&] {
    return " (" + job.target->name + ", from kernel '" +
           job.kernels.front().symbol + "' on)";
  };
  if (failed(lower(*module))) {
    job.error = "kernels cannot be lowered" + where();
    return;
  }
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*module, llvmContext, "qd_kernels");
  module = nullptr;
  if (!code) {
    job.error = "kernels cannot be translated to LLVM IR" + where();
    return;
  }
  setLinkage(*code, job);
  llvm::Expected<ObjectBytes> object = compileModule(*code, *job.target);
  if (object)
    job.object.bytes = std::move(*object);
  else
    job.error = llvm::toString(object.takeError());
}

} // namespace

llvm::Expected<std::vector<KernelObject>>
qdialect::compileKernels(MLIRContext &context,
                         llvm::ArrayRef<ProgramKernel> kernels,
                         llvm::ArrayRef<CpuTarget> targets) {
  // Whatever a job would load or register, now: contexts may not change while
  // several threads use them.
  loadKernelDialects(context);
  registerBuiltinDialectTranslation(context);
  registerLLVMDialectTranslation(context);
  OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(&context));
  if (failed(lower(*empty)))
    return llvm::createStringError("the kernel pipeline does not run");

  std::vector<std::unique_ptr<std::mutex>> locks;
  for (size_t i = 0; i < kernels.size(); ++i)
    locks.push_back(std::make_unique<std::mutex>());
  std::vector<Job> jobs;
  for (const CpuTarget &target : targets)
    for (size_t i = 0; i < kernels.size(); i += kKernelsPerJob) {
      size_t count = std::min(kKernelsPerJob, kernels.size() - i);
      jobs.push_back({&target,
                      targets,
                      kernels.slice(i, count),
                      llvm::ArrayRef(locks).slice(i, count),
                      "",
                      {{}, i, count}});
    }
  runJobs(context, jobs.size(), [&](size_t i) { run(jobs[i], context); });

  std::vector<KernelObject> objects;
  for (Job &job : jobs) {
    if (!job.error.empty())
      return llvm::createStringError(job.error);
    objects.push_back(std::move(job.object));
  }
  return objects;
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A job is one kernel for one target: a module, a PTX file and a run of ptxas
// of its own.

#include "GpuKernels.h"
#include "ParallelJobs.h"
#include "Ptxas.h"
#include "QDialect/CodeGen/NVVM/CopyKernel.h"
#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"
#include "QDialect/CodeGen/NVVM/RepeatedKernel.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <mutex>

using namespace mlir;
using namespace qdialect;

namespace {

struct Job {
  const GpuTarget *target;
  /// Null: the kernel that copies.
  GpuKernelPlan *plan;
  unsigned repeatedTensors;
  std::mutex *lock;
  std::string error;
  GpuKernelCode kernel;
};

/// The job's kernel in a module of its own; null where it cannot be emitted.
OwningOpRef<ModuleOp> emit(Job &job, MLIRContext &context) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  if (!job.plan) {
    emitCopyKernel(builder, job.kernel.symbol);
    job.kernel.threads = kCopyThreads;
  } else {
    std::lock_guard<std::mutex> guard(*job.lock);
    if (failed(job.plan->emit(builder, *job.target, job.kernel.symbol)))
      return nullptr;
    GpuLaunch launch = job.plan->launch(*job.target);
    job.kernel.blocks = launch.blocks;
    job.kernel.threads = launch.threads;
    job.kernel.sharedBytes = launch.sharedBytes;
    job.kernel.tasks = launch.tasks;
  }
  auto function = module->lookupSymbol<LLVM::LLVMFuncOp>(job.kernel.symbol);
  job.kernel.numArguments = function.getNumArguments();
  job.kernel.numStrides = job.repeatedTensors;
  if (job.repeatedTensors)
    repeatKernel(function, job.repeatedTensors);
  return module;
}

llvm::Error compile(Job &job, MLIRContext &context, StringRef ptxas) {
  OwningOpRef<ModuleOp> module = emit(job, context);
  if (!module)
    return llvm::createStringError("it cannot be emitted");
  llvm::Expected<std::string> code = translateToPtx(*module, *job.target);
  if (!code)
    return code.takeError();
  job.kernel.code = std::move(*code);
  if (ptxas.empty())
    return llvm::Error::success();
  auto assembled = runPtxas(ptxas, job.kernel.code, job.target->name);
  if (!assembled)
    return assembled.takeError();
  const AssemblyFigures &figures = assembled->figures;
  job.kernel.binary = std::move(assembled->binary);
  job.kernel.assembly = figures;
  int64_t blocks =
      residentBlocks(*job.target, job.kernel.threads, figures.registers,
                     figures.sharedBytes + job.kernel.sharedBytes);
  job.kernel.occupancy = static_cast<double>(blocks * job.kernel.threads) /
                         static_cast<double>(job.target->threads);
  return llvm::Error::success();
}

bool spills(const GpuKernelCode &kernel) {
  return kernel.assembly &&
         kernel.assembly->spillStores + kernel.assembly->spillLoads > 0;
}

/// What an epilogue and strides cost registers is known to ptxas alone: where
/// it spills, the kernel is made again for threads that need fewer.
void run(Job &job, MLIRContext &context, StringRef ptxas) {
  auto useFewerRegisters = [&] {
    std::lock_guard<std::mutex> guard(*job.lock);
    return job.plan->useFewerRegisters(*job.target);
  };
  llvm::Error error = compile(job, context, ptxas);
  while (!error && job.plan && spills(job.kernel) && useFewerRegisters()) {
    ++job.kernel.reductions;
    error = compile(job, context, ptxas);
  }
  if (error)
    job.error = "kernel '" + job.kernel.symbol + "' (" + job.target->name +
                "): " + llvm::toString(std::move(error));
}

} // namespace

llvm::Expected<std::vector<ProgramVariant>>
qdialect::compileGpuKernels(MLIRContext &context,
                            llvm::ArrayRef<ProgramKernel> kernels,
                            llvm::ArrayRef<GpuTarget> targets) {
  // Contexts may not change while several threads use them.
  loadGpuDialects(context);
  std::vector<std::unique_ptr<std::mutex>> locks;
  for (size_t i = 0; i < kernels.size(); ++i)
    locks.push_back(std::make_unique<std::mutex>());
  std::vector<Job> jobs;
  for (const GpuTarget &target : targets) {
    for (auto [kernel, lock] : llvm::zip_equal(kernels, locks)) {
      jobs.push_back({&target,
                      llvm::cast<GpuKernelPlan>(kernel.plan),
                      kernel.repeatedTensors,
                      lock.get(),
                      "",
                      {}});
      jobs.back().kernel.symbol = kernel.symbol;
    }
    jobs.push_back({&target, nullptr, 0, nullptr, "", {}});
    jobs.back().kernel.symbol = "qd_kernel_copy";
  }
  std::string ptxas = findPtxas();
  runJobs(context, jobs.size(),
          [&](size_t i) { run(jobs[i], context, ptxas); });
  std::vector<ProgramVariant> variants;
  for (Job &job : jobs) {
    if (!job.error.empty())
      return llvm::createStringError(job.error);
    if (variants.empty() || variants.back().name != job.target->name) {
      variants.emplace_back();
      variants.back().name = job.target->name;
      variants.back().isa = job.target->capability;
    }
    if (job.plan)
      variants.back().instructions.push_back(
          job.plan->instruction(*job.target));
    variants.back().gpuKernels.push_back(std::move(job.kernel));
  }
  return variants;
}

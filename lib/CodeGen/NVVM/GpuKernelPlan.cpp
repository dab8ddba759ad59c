// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses the family of a dispatch.

#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"
#include "ElementEmitter.h"
#include "Families.h"
#include "QDialect/CodeGen/NVVM/Ptx.h"

using namespace mlir;

namespace qdialect {

std::string GpuKernelPlan::instruction(const GpuTarget &target) const {
  return "scalar";
}

bool GpuKernelPlan::useFewerRegisters(const GpuTarget &target) { return false; }

FailureOr<std::unique_ptr<GpuKernelPlan>>
planGpuKernel(qd::DispatchOp dispatch, const KernelOptions &options,
              ArrayRef<GpuTarget> targets) {
  loadGpuDialects(*dispatch->getContext());
  // Where sizes are symbolic, so is the grid: planSymbolicGpuKernel.
  if (!options.generic && kernelSizes(dispatch).empty()) {
    if (std::optional<cpu::KernelRegion> region =
            cpu::KernelRegion::analyze(dispatch)) {
      if (gpu::GpuPlanPtr plan = gpu::planBitMma(*region, targets))
        return plan;
      for (auto family :
           {gpu::planMma, gpu::planBatchMma, gpu::planMinifloatMma,
            gpu::planBlockWeightsMma, gpu::planBlockDotMma, gpu::planDepthwise,
            gpu::planRows})
        if (gpu::GpuPlanPtr plan = family(*region))
          return plan;
    }
    if (gpu::GpuPlanPtr plan = gpu::planElements(dispatch))
      return plan;
  }
  if (gpu::GpuPlanPtr plan = gpu::planTasks(dispatch, options))
    return plan;
  return failure();
}

std::unique_ptr<GpuKernelPlan>
planSymbolicGpuKernel(qd::DispatchOp dispatch, const KernelOptions &options) {
  loadGpuDialects(*dispatch->getContext());
  if (options.generic)
    return nullptr;
  std::optional<cpu::KernelRegion> sized = gpu::sizedRegion(dispatch);
  std::optional<cpu::KernelRegion> region =
      sized ? cpu::KernelRegion::analyze(dispatch) : std::nullopt;
  if (region)
    for (auto family : {gpu::planBatchMma, gpu::planRows})
      if (gpu::GpuPlanPtr plan = family(*region))
        return plan;
  return gpu::planElements(dispatch);
}

} // namespace qdialect

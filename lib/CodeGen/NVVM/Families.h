// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The families of GPU kernels. Each looks at a region and either plans it or
// declines; planGpuKernel asks them in order, from the most special to the last
// resort.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_FAMILIES_H
#define QDIALECT_LIB_CODEGEN_NVVM_FAMILIES_H

#include "KernelRegion.h"
#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"

namespace qdialect::gpu {

using GpuPlanPtr = std::unique_ptr<GpuKernelPlan>;

/// Products of codes and constant weights on tensor cores.
GpuPlanPtr planMma(const cpu::KernelRegion &region);
/// Products of codes and constant weights of few bits on tensor cores of all
/// these targets, where that is faster.
GpuPlanPtr planBitMma(const cpu::KernelRegion &region,
                      llvm::ArrayRef<GpuTarget> targets);
/// Products of two activations on tensor cores.
GpuPlanPtr planBatchMma(const cpu::KernelRegion &region);
/// Products of FP8 codes and FP8 weights on tensor cores.
GpuPlanPtr planMinifloatMma(const cpu::KernelRegion &region);
/// Products of f32 and packed weights with scales by blocks on tensor cores.
GpuPlanPtr planBlockWeightsMma(const cpu::KernelRegion &region);
/// Products of codes with scales on either side by blocks on tensor cores.
GpuPlanPtr planBlockDotMma(const cpu::KernelRegion &region);
/// Depthwise convolutions and average pools of codes.
GpuPlanPtr planDepthwise(const cpu::KernelRegion &region);
/// Softmax and norms of contiguous rows.
GpuPlanPtr planRows(const cpu::KernelRegion &region);
GpuPlanPtr planElements(qd::DispatchOp dispatch);
/// Null where even the CPU has no kernel, which said why.
GpuPlanPtr planTasks(qd::DispatchOp dispatch, const KernelOptions &options);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_FAMILIES_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel families. Each looks at a region and either plans it or declines;
// planKernel asks them in order, from the most special to the last resort.

#ifndef QDIALECT_LIB_CODEGEN_CPU_FAMILIES_H
#define QDIALECT_LIB_CODEGEN_CPU_FAMILIES_H

#include "KernelRegion.h"

namespace qdialect::cpu {

using PlanPtr = std::unique_ptr<CpuKernelPlan>;

PlanPtr planBlockDot(const KernelRegion &region);
PlanPtr planBlockMatmul(const KernelRegion &region);
PlanPtr planContraction(const KernelRegion &region);
PlanPtr planDepthwiseStrip(const KernelRegion &region);
PlanPtr planWindowReduce(const KernelRegion &region);
PlanPtr planBatchMatmul(const KernelRegion &region);
PlanPtr planRow(const KernelRegion &region);
PlanPtr planIntegerRow(const KernelRegion &region);
PlanPtr planRowExtreme(const KernelRegion &region);
PlanPtr planCopy(const KernelRegion &region);
PlanPtr planTranspose(const KernelRegion &region);
PlanPtr planElementwise(const KernelRegion &region);
/// Never null.
PlanPtr planGeneric(qd::DispatchOp dispatch);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_FAMILIES_H

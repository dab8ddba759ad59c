// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses the family of a dispatch.

#include "QDialect/CodeGen/CPU/KernelPlan.h"

#include "Families.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace qdialect {

KernelPlan::~KernelPlan() = default;

std::string CpuKernelPlan::instruction(const CpuTarget &target) const {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
  case CpuTarget::AVX512:
    return "avx512";
  case CpuTarget::AVXVNNI:
  case CpuTarget::AVX2:
    return "avx2";
  case CpuTarget::Scalar:
    return "x86-64";
  case CpuTarget::NEON:
  case CpuTarget::DotProd:
  case CpuTarget::I8MM:
    return "neon";
  }
  llvm_unreachable("unknown instruction set");
}

bool CpuKernelPlan::usesTiles(const CpuTarget &target) const { return false; }

SmallVector<KernelSize> kernelSizes(qd::DispatchOp dispatch) {
  SmallVector<KernelSize> sizes;
  auto addTensor = [&](unsigned input, Type type) {
    if (type.isIndex()) {
      sizes.push_back({input, -1});
      return;
    }
    for (auto [axis, size] :
         llvm::enumerate(cast<RankedTensorType>(type).getShape()))
      if (ShapedType::isDynamic(size))
        sizes.push_back({input, static_cast<int64_t>(axis)});
  };
  for (auto [number, input] : llvm::enumerate(dispatch.getInputs()))
    addTensor(number, input.getType());
  addTensor(dispatch.getInputs().size(), dispatch->getResult(0).getType());
  return sizes;
}

FailureOr<std::unique_ptr<CpuKernelPlan>>
planKernel(qd::DispatchOp dispatch, const KernelOptions &options) {
  if (dispatch->getNumResults() != 1)
    return dispatch.emitOpError("must have one result to become a kernel");
  loadKernelDialects(*dispatch->getContext());
  auto generic = [&]() -> FailureOr<std::unique_ptr<CpuKernelPlan>> {
    if (cpu::PlanPtr kernel = cpu::planGeneric(dispatch))
      return kernel;
    return failure(); // which said why
  };
  if (options.generic)
    return generic();
  std::optional<cpu::KernelRegion> region =
      cpu::KernelRegion::analyze(dispatch);
  if (!kernelSizes(dispatch).empty()) {
    // The other families know static sizes only.
    if (region)
      for (auto plan :
           {cpu::planBatchMatmul, cpu::planRow, cpu::planIntegerRow})
        if (cpu::PlanPtr kernel = plan(*region))
          return kernel;
    return generic();
  }
  if (region)
    for (auto plan :
         {cpu::planDepthwiseStrip, cpu::planWindowReduce, cpu::planContraction,
          cpu::planBlockMatmul, cpu::planBlockDot, cpu::planBatchMatmul,
          cpu::planRow, cpu::planIntegerRow, cpu::planRowExtreme, cpu::planCopy,
          cpu::planTranspose, cpu::planElementwise})
      if (cpu::PlanPtr kernel = plan(*region))
        return kernel;
  return generic();
}

} // namespace qdialect

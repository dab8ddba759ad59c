// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a qd.dispatch becomes a GPU kernel. planGpuKernel chooses the family by
// the structure of the region, as planKernel does for CPUs; what no family
// takes runs the CPU's scalar tasks, one a thread.
//
// A kernel reads and writes the same memory as the CPU's: i8 tensors in offset
// binary, constants as they were packed. Its parameters are what a CPU kernel
// finds in `args`: inputs, output, constants and, for symbolic sizes, the array
// of i64 that kernelSizes describes.

#ifndef QDIALECT_CODEGEN_NVVM_GPUKERNELPLAN_H
#define QDIALECT_CODEGEN_NVVM_GPUKERNELPLAN_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/CodeGen/NVVM/GpuTarget.h"

namespace qdialect {

/// The shape of a launch; grid and block have one dimension.
struct GpuLaunch {
  int64_t blocks = 1;      ///< 0: as many as the step's tasks need
  int64_t threads = 128;   ///< of a block
  int64_t sharedBytes = 0; ///< dynamic shared memory of a block
  int64_t tasks = 1;       ///< of a block, where `blocks` is 0
};

class GpuKernelPlan : public KernelPlan {
public:
  GpuKernelPlan() : KernelPlan(Processor::GPU) {}
  static bool classof(const KernelPlan *plan) {
    return plan->processor() == Processor::GPU;
  }

  virtual GpuLaunch launch(const GpuTarget &target) const = 0;

  /// The dominant instruction, for the receipt ("mma.m16n8k32.u8.s8", ...).
  virtual std::string instruction(const GpuTarget &target) const;

  /// For a target where ptxas spills registers of the kernel: from now on
  /// `launch` and `emit` are for one whose threads need fewer, with the same
  /// constants. False if there is none.
  virtual bool useFewerRegisters(const GpuTarget &target);

  /// Adds `llvm.func @symbol(!llvm.ptr<1> ...)` with `nvvm.kernel`, and what
  /// else it needs, at the builder's insertion point (the end of a module that
  /// has this kernel alone), in a mix of nvvm, llvm, scf, arith, math, vector,
  /// cf and ub.
  virtual mlir::LogicalResult emit(mlir::OpBuilder &moduleBuilder,
                                   const GpuTarget &target,
                                   llvm::StringRef symbol) = 0;
};

/// Plans the kernel of a dispatch. Every legal dispatch has a plan. Fails (with
/// a diagnostic) only on a region that breaks the contract of
/// docs/PhaseContract.md section 6. Instructions that only some GPUs have may
/// be used where all of `targets`, those of the library, have them.
mlir::FailureOr<std::unique_ptr<GpuKernelPlan>>
planGpuKernel(qd::DispatchOp dispatch, const KernelOptions &options = {},
              llvm::ArrayRef<GpuTarget> targets = {});

/// Plans the kernel of a dispatch of symbolic sizes, for all of them. Null
/// where only the last resort would take it: blocks of rows are better then.
std::unique_ptr<GpuKernelPlan>
planSymbolicGpuKernel(qd::DispatchOp dispatch,
                      const KernelOptions &options = {});

} // namespace qdialect

#endif // QDIALECT_CODEGEN_NVVM_GPUKERNELPLAN_H

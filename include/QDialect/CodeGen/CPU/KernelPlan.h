// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a qd.dispatch becomes a kernel. `planKernel` chooses the family by the
// structure of the region; the plan says how many tasks there are and which
// packed constants the kernel reads, and emits the function for a CPU variant.
// What a kernel looks like in memory: docs/PhaseContract.md section 7.

#ifndef QDIALECT_CODEGEN_CPU_KERNELPLAN_H
#define QDIALECT_CODEGEN_CPU_KERNELPLAN_H

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/LLVM.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {
class SymbolicShapes;
namespace qd {
class DispatchOp;
} // namespace qd

struct KernelOptions {
  /// Lower every dispatch by the generic upstream path: an oracle that shares
  /// nothing with the kernel builders.
  bool generic = false;
};

/// Packed constants of one kernel: filled straight into the mapped object file.
/// Unwritten bytes are zero.
struct ConstantBlob {
  int64_t size = 0;
  int64_t alignment = 64;
  std::function<void(llvm::MutableArrayRef<char>)> fill;
};

/// The plan of one kernel. It may refer to the dispatch's region and must not
/// outlive it.
class KernelPlan {
public:
  enum class Processor { CPU, GPU };

  virtual ~KernelPlan();
  Processor processor() const { return kind; }

  /// "contraction", "depthwise", "pool", "elementwise", "lookup", "copy",
  /// "generic".
  std::string family;
  /// Independent units of work; the kernel runs any range [begin, end) of them.
  int64_t numTasks = 1;
  /// Of a kernel for GPUs whose tasks hang on symbolic sizes: how many they
  /// are, given the shapes of the program. Null for all others.
  std::function<int64_t(SymbolicShapes &)> symbolicTasks;
  /// One pointer each in `args`, after the inputs and the output.
  std::vector<ConstantBlob> constants;
  /// Bits that a weight takes among the constants; 0 where there are none.
  int64_t weightBits = 0;

  /// Plans with equal, non-empty keys may share one function (each with its own
  /// constants). Computed from everything but the constants' contents.
  const std::string &key() const { return keyText; }

protected:
  explicit KernelPlan(Processor kind) : kind(kind) {}
  std::string keyText;

private:
  Processor kind;
};

/// A kernel whose tasks are shared by the threads of a CPU.
class CpuKernelPlan : public KernelPlan {
public:
  CpuKernelPlan() : KernelPlan(Processor::CPU) {}
  static bool classof(const KernelPlan *plan) {
    return plan->processor() == Processor::CPU;
  }

  /// The dominant instruction, for the receipt ("vpdpbusd zmm", "fma ymm",
  /// ...).
  virtual std::string instruction(const CpuTarget &target) const;
  /// Whether its code for a target with tiles uses them. The code of the others
  /// is that of the target with the same vectors and no tiles.
  virtual bool usesTiles(const CpuTarget &target) const;

  /// Adds `llvm.func @symbol(!llvm.ptr args, i64 begin, i64 end)` and private
  /// helpers named `symbol` + suffix at the builder's insertion point (the end
  /// of a module), in a mix of llvm, scf, arith, math, vector, cf and ub.
  virtual mlir::LogicalResult emit(mlir::OpBuilder &moduleBuilder,
                                   const CpuTarget &target,
                                   llvm::StringRef symbol) = 0;
};

/// A size that a kernel reads while it runs: dimension `axis` of input number
/// `input` (of the result if that is the number of inputs), or the input itself
/// if it is an index (axis -1).
struct KernelSize {
  unsigned input;
  int64_t axis;
};

/// The sizes that a dispatch's kernel finds in the array of i64 whose address
/// stands in `args` behind the constants: every index and every dynamic
/// dimension of inputs and result, in order. None for static dispatches, whose
/// `args` have no such array. An index has a place in `args` that is not read.
llvm::SmallVector<KernelSize> kernelSizes(qd::DispatchOp dispatch);

/// Plans the kernel of a dispatch. Every legal dispatch has a plan: what no
/// family recognises goes to "generic". Fails (with a diagnostic) only on a
/// region that breaks the contract of docs/PhaseContract.md section 6.
mlir::FailureOr<std::unique_ptr<CpuKernelPlan>>
planKernel(qd::DispatchOp dispatch, const KernelOptions &options = {});

/// From the mix that `emit` makes to the llvm dialect.
void addKernelLoweringPasses(mlir::OpPassManager &pm);

/// Registers and loads the dialects that `emit` creates operations of.
void loadKernelDialects(mlir::MLIRContext &context);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_CPU_KERNELPLAN_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles the one dispatch of a module's @main for a CPU variant, in process,
// and runs it over host tensors laid out as in a compiled program.

#ifndef QDIALECT_UNITTESTS_CODEGEN_KERNELHARNESS_H
#define QDIALECT_UNITTESTS_CODEGEN_KERNELHARNESS_H

#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/HostTensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <random>
#include <string>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace qdialect::testing {

/// The seed of this run: QDIALECT_TEST_SEED, else 1; printed once.
unsigned testSeed();

/// A module with one func.func @main whose body is one qd.dispatch.
class DispatchModule {
public:
  explicit DispatchModule(llvm::StringRef text);
  ~DispatchModule();
  bool isValid() const { return bool(module); }
  qd::DispatchOp dispatch();
  /// Inputs of the dispatch's types: codes over their whole range, floats
  /// normal.
  llvm::SmallVector<HostTensor> randomInputs(std::mt19937 &random);
  /// What the interpreter says.
  HostTensor expected(llvm::ArrayRef<HostTensor> inputs);

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// One compiled kernel with its constants.
class CompiledKernel {
public:
  static std::unique_ptr<CompiledKernel>
  create(DispatchModule &module, const CpuTarget &target,
         const KernelOptions &options = {});
  ~CompiledKernel();

  const std::string &family() const { return plan->family; }
  int64_t numTasks() const { return plan->numTasks; }
  std::string instruction(const CpuTarget &target) const {
    return plan->instruction(target);
  }
  const KernelPlan &kernelPlan() const { return *plan; }

  /// Runs one to three tasks a call, the calls in a shuffled order; fails the
  /// test when a byte outside the output changes.
  HostTensor run(llvm::ArrayRef<HostTensor> inputs, unsigned seed = 1);

  /// For benchmarks: lays the operands out once, then runs all tasks.
  void bind(llvm::ArrayRef<HostTensor> inputs);
  void runBound() { entry(pointers.data(), 0, plan->numTasks); }
  void runBound(int64_t begin, int64_t end) {
    entry(pointers.data(), begin, end);
  }

private:
  CompiledKernel() = default;
  struct Buffer;
  std::unique_ptr<CpuKernelPlan> plan;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  void (*entry)(void **, int64_t, int64_t) = nullptr;
  std::vector<Buffer> constants, operands;
  std::vector<void *> pointers;
  mlir::RankedTensorType resultType;
};

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_KERNELHARNESS_H

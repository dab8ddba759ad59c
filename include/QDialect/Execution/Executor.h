// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a module after the dispatch phase: compiled for this machine only,
// through the very road that emits a library (a temporary file, gone once
// loaded), so that what calibration and tests execute is what users get.

#ifndef QDIALECT_EXECUTION_EXECUTOR_H
#define QDIALECT_EXECUTION_EXECUTOR_H

#include "QDialect/Execution/CompiledModel.h"
#include "QDialect/Target/SharedLibrary/SharedLibrary.h"

namespace qdialect {

struct ExecutorOptions {
  LoadOptions load;
  /// The one CPU variant to compile; empty: the variant that `load` or
  /// $QDIALECT_CPU names, else the best of this machine.
  std::string variant;
  bool genericKernels = false;
  KernelCache *cache = nullptr; ///< as in EmitOptions
};

class Executor {
public:
  static llvm::Expected<std::unique_ptr<Executor>>
  create(mlir::ModuleOp dispatched, const ExecutorOptions &options = {});

  CompiledModel &model() { return *compiled; }
  llvm::Expected<std::vector<HostTensor>>
  run(llvm::ArrayRef<HostTensor> inputs) {
    return compiled->run(inputs);
  }

private:
  explicit Executor(std::unique_ptr<CompiledModel> model)
      : compiled(std::move(model)) {}
  std::unique_ptr<CompiledModel> compiled;
};

} // namespace qdialect

#endif // QDIALECT_EXECUTION_EXECUTOR_H

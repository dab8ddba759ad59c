// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Variants of one calibrated program, compiled for this machine and run on the
// same samples. Kernels that variants share are compiled once.

#ifndef QDIALECT_LIB_PIPELINES_VARIANTRUNNER_H
#define QDIALECT_LIB_PIPELINES_VARIANTRUNNER_H

#include "QDialect/Execution/Executor.h"
#include "QDialect/PTQ/Recipe.h"
#include "QDialect/PTQ/Statistics.h"
#include "QDialect/Search/OutputLoss.h"
#include "QDialect/Target/SharedLibrary/KernelCache.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace qdialect {

class VariantRunner {
public:
  /// By sample, then by output.
  using Outputs = std::vector<std::vector<HostTensor>>;

  /// `module` has its observers; it and the statistics must outlive the runner.
  VariantRunner(mlir::ModuleOp module, const Statistics &statistics,
                llvm::StringRef rescale)
      : module(module), statistics(statistics), rescale(rescale.str()) {}

  /// The program in the quantized form of the recipe, before integerize.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
  quantize(const Recipe &recipe);
  llvm::Expected<std::unique_ptr<Executor>>
  compile(const Recipe &recipe, const LoadOptions &load = {});
  /// A program in floats, without observers. It is lowered in place.
  llvm::Expected<std::unique_ptr<Executor>>
  compileFloat(mlir::ModuleOp program);
  mlir::ModuleOp program() const { return module; }

  /// Reads the first `count` samples at `path`, as `model` wants them.
  llvm::Error loadSamples(llvm::StringRef path, int64_t count,
                          const CompiledModel &model);
  llvm::ArrayRef<std::vector<HostTensor>> samples() const { return inputs; }
  llvm::Expected<Outputs> run(CompiledModel &model) const;

private:
  mlir::ModuleOp module;
  const Statistics &statistics;
  std::string rescale;
  KernelCache cache;
  std::vector<std::vector<HostTensor>> inputs;
};

/// The distance of outputs from those of a reference.
double lossOf(LossMetric metric, const VariantRunner::Outputs &reference,
              const VariantRunner::Outputs &actual);

/// Has some output rows of several elements, which kl can compare?
bool hasClasses(const VariantRunner::Outputs &outputs);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_VARIANTRUNNER_H

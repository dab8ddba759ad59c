// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases behind calibration, on copies.

#include "VariantRunner.h"

#include "QDialect/Pipelines/Passes.h"
#include "QDialect/Support/InputSource.h"
#include "QDialect/Transforms/Quantize.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace qdialect {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// What all variants have in common was said when the first was compiled.
LogicalResult dropWarnings(Diagnostic &diagnostic) {
  return success(diagnostic.getSeverity() != DiagnosticSeverity::Error);
}

std::vector<double> elementsOf(const HostTensor &tensor) {
  std::vector<double> values(tensor.size());
  for (int64_t i = 0; i < tensor.size(); ++i)
    values[i] = tensor.asDouble(i);
  return values;
}

int64_t classesOf(const HostTensor &tensor) {
  return tensor.rank() ? tensor.shape().back() : 1;
}

} // namespace

llvm::Expected<OwningOpRef<ModuleOp>>
VariantRunner::quantize(const Recipe &recipe) {
  // On samples each variant would take two runs in the interpreter.
  Recipe corrected = recipe;
  if (corrected.biasCorrection == BiasCorrection::Sequential)
    corrected.biasCorrection = BiasCorrection::Analytic;
  OwningOpRef<ModuleOp> copy(module.clone());
  if (failed(quantizeProgram(copy->lookupSymbol<func::FuncOp>("main"),
                             corrected, statistics)))
    return failure("a variant of the program could not be quantized");
  return copy;
}

llvm::Expected<std::unique_ptr<Executor>>
VariantRunner::compile(const Recipe &recipe, const LoadOptions &load) {
  ScopedDiagnosticHandler quiet(module.getContext(), dropWarnings);
  auto variant = quantize(recipe);
  if (!variant)
    return variant.takeError();
  PassManager pm(module.getContext());
  IntegerizePipelineOptions pipeline;
  pipeline.rescale = rescale;
  buildIntegerizePipeline(pm, pipeline);
  buildDispatchPipeline(pm);
  if (failed(pm.run(**variant)))
    return failure("a variant of the program could not be made integer");
  ExecutorOptions options;
  options.load = load;
  options.cache = &cache;
  return Executor::create(**variant, options);
}

llvm::Expected<std::unique_ptr<Executor>>
VariantRunner::compileFloat(ModuleOp program) {
  PassManager pm(module.getContext());
  buildDispatchPipeline(pm);
  if (failed(pm.run(program)))
    return failure("the float program could not be cut into dispatches");
  ExecutorOptions options;
  options.cache = &cache;
  return Executor::create(program, options);
}

llvm::Error VariantRunner::loadSamples(llvm::StringRef path, int64_t count,
                                       const CompiledModel &model) {
  auto source = model.openSamples(path);
  if (!source)
    return source.takeError();
  while (static_cast<int64_t>(inputs.size()) < count) {
    auto sample = source->next();
    if (!sample)
      return sample.takeError();
    if (!*sample)
      break;
    inputs.push_back(std::move(**sample));
  }
  if (inputs.empty())
    return failure("calibration data '" + path + "' hold no sample");
  return llvm::Error::success();
}

llvm::Expected<VariantRunner::Outputs>
VariantRunner::run(CompiledModel &model) const {
  Outputs outputs;
  for (const std::vector<HostTensor> &sample : inputs) {
    auto results = model.run(sample);
    if (!results)
      return results.takeError();
    outputs.push_back(std::move(*results));
  }
  return outputs;
}

double lossOf(LossMetric metric, const VariantRunner::Outputs &reference,
              const VariantRunner::Outputs &actual) {
  OutputLoss loss(metric);
  for (auto [expected, found] : llvm::zip_equal(reference, actual))
    for (auto [number, output] : llvm::enumerate(expected))
      // Counts that the program computes may differ; there is no distance then.
      if (output.shape() == found[number].shape() && output.size())
        loss.add(number, elementsOf(output), elementsOf(found[number]),
                 classesOf(output));
  return loss.value();
}

bool hasClasses(const VariantRunner::Outputs &outputs) {
  return llvm::any_of(outputs.front(), [](const HostTensor &output) {
    return classesOf(output) > 1;
  });
}

} // namespace qdialect

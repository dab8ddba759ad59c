// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles the program with its observed values as results and streams the
// samples through it.

#include "Calibrate.h"

#include "QDialect/Execution/Executor.h"
#include "QDialect/Pipelines/Passes.h"
#include "QDialect/Support/InputSource.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Chrono.h"
#include <chrono>

using namespace mlir;

namespace qdialect {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// The program whose results are its own, then the observed values, then the
/// flags that say which of those it computed.
struct ObservedProgram {
  std::unique_ptr<Executor> executor;
  SmallVector<std::string> names;
  SmallVector<int64_t> flags; ///< by value; -1: always computed
  size_t numFlags = 0;

  CompiledModel &model() const { return executor->model(); }
  size_t firstValue() const {
    return model().outputs().size() - numFlags - names.size();
  }
  llvm::Error collect(ArrayRef<HostTensor> outputs,
                      StatisticsCollector &collector) const;
};

/// Counts what one sample computed.
llvm::Error ObservedProgram::collect(ArrayRef<HostTensor> outputs,
                                     StatisticsCollector &collector) const {
  for (auto [i, name] : llvm::enumerate(names)) {
    const HostTensor &value = outputs[firstValue() + i];
    ArrayRef<float> elements(value.data<float>(), value.size());
    // A last dimension of symbolic size is none of channels.
    const TensorSpec &spec = model().outputs()[firstValue() + i];
    bool hasChannels = value.rank() && spec.shape.back() >= 0;
    int64_t channels = hasChannels ? value.shape().back() : 1;
    if (flags[i] < 0) {
      if (llvm::Error error = collector.add(name, elements, channels))
        return error;
      continue;
    }
    collector.expect(name);
    const HostTensor &taken = outputs[firstValue() + names.size() + flags[i]];
    size_t row = elements.size() / std::max<int64_t>(taken.size(), 1);
    for (int64_t number = 0; number < taken.size(); ++number)
      if (taken.asInteger(number) != 0)
        if (llvm::Error error = collector.add(
                name, elements.slice(number * row, row), channels))
          return error;
  }
  return llvm::Error::success();
}

llvm::Expected<ObservedProgram> compileObserved(ModuleOp module) {
  ObservedProgram program;
  OwningOpRef<ModuleOp> copy(module.clone());
  PassManager pm(module.getContext());
  pm.addNestedPass<func::FuncOp>(createExposeObservedPass());
  if (failed(pm.run(*copy)))
    return failure("the observed program could not be prepared");
  auto main = copy->lookupSymbol<func::FuncOp>("main");
  for (StringRef name : getObservedNames(main))
    program.names.push_back(name.str());
  program.flags = getTakenFlags(main);
  for (int64_t flag : program.flags)
    program.numFlags = std::max<size_t>(program.numFlags, flag + 1);
  PassManager lower(module.getContext());
  buildDispatchPipeline(lower);
  if (failed(lower.run(*copy)))
    return failure("the observed program could not be cut into dispatches");
  ExecutorOptions options;
  options.load.threads = 0;
  auto executor = Executor::create(*copy, options);
  if (!executor)
    return executor.takeError();
  program.executor = std::move(*executor);
  return program;
}

} // namespace

llvm::Expected<Statistics> calibrate(ModuleOp module, StringRef path,
                                     llvm::raw_ostream *log) {
  auto program = compileObserved(module);
  if (!program)
    return program.takeError();
  CompiledModel &model = program->model();
  auto source = model.openSamples(path);
  if (!source)
    return source.takeError();
  if (source->numSamples() == 0)
    return failure("calibration data '" + path + "' hold no sample");

  auto main = module.lookupSymbol<func::FuncOp>("main");
  StatisticsCollector collector(getProgramDigest(main).str());
  std::vector<HostTensor> outputs;
  auto lastReport = std::chrono::steady_clock::now();
  int64_t done = 0;
  while (true) {
    auto sample = source->next();
    if (!sample)
      return sample.takeError();
    if (!*sample)
      break;
    // Samples may differ in their symbolic sizes.
    if (outputs.empty() || model.isDynamic()) {
      auto made = model.makeOutputs(**sample);
      if (!made)
        return failure(source->lastSampleName() + ": " +
                       llvm::toString(made.takeError()));
      outputs = std::move(*made);
    }
    if (llvm::Error error = model.runInto(**sample, outputs))
      return std::move(error);
    if (llvm::Error error = program->collect(outputs, collector))
      return failure(source->lastSampleName() + ": " +
                     llvm::toString(std::move(error)));
    collector.finishSample();
    ++done;
    auto now = std::chrono::steady_clock::now();
    if (log && now - lastReport > std::chrono::seconds(2)) {
      *log << "  calibrate: " << done << " of " << source->numSamples()
           << " samples\n";
      lastReport = now;
    }
  }
  return collector.take();
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothSearch.h as a pass. The candidates are lowered in a context of their
// own: a pass may not load dialects into the one that it runs in.

#include "QDialect/Pipelines/SearchPasses.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "SmoothSearch.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_SMOOTHSEARCHPASS
#include "QDialect/Pipelines/SearchPasses.h.inc"

namespace {

struct SmoothSearchPass : impl::SmoothSearchPassBase<SmoothSearchPass> {
  using SmoothSearchPassBase::SmoothSearchPassBase;

  void runOnOperation() override {
    auto found = search();
    if (!found) {
      getOperation().emitError() << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    if (!*found)
      return;
    ++numSmoothed;
    SmoothActivationsPassOptions options;
    options.recipe = recipe;
    options.statistics = statistics;
    options.outputStatistics = outputStatistics;
    options.alpha = (*found)->alpha;
    OpPassManager smooth(ModuleOp::getOperationName());
    smooth.addNestedPass<func::FuncOp>(createSmoothActivationsPass(options));
    if (failed(runPipeline(smooth, getOperation())))
      signalPassFailure();
  }

private:
  OwningOpRef<ModuleOp> copyInto(MLIRContext &context) {
    std::string bytes;
    llvm::raw_string_ostream stream(bytes);
    if (failed(writeBytecodeToFile(getOperation(), stream)))
      return nullptr;
    // Constants are read where they lie, aligned to cache lines.
    auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
        bytes.size(), "program", llvm::Align(64));
    if (!buffer)
      return nullptr;
    llvm::copy(bytes, buffer->getBufferStart());
    auto source = std::make_shared<llvm::SourceMgr>();
    source->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
    return parseSourceFile<ModuleOp>(source, &context);
  }

  llvm::Expected<std::optional<SmoothingRecipe>> search() {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !hasObservers(function))
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "has no function @main with observers");
    llvm::Expected<Recipe> loaded = Recipe::load(recipe);
    if (!loaded)
      return loaded.takeError();
    llvm::Expected<Statistics> known = Statistics::read(statistics);
    if (!known)
      return known.takeError();
    MLIRContext context(getContext().getDialectRegistry());
    OwningOpRef<ModuleOp> copy = copyInto(context);
    if (!copy)
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "the program could not be copied");
    auto found =
        searchSmoothing(*copy, *loaded, stringify(loaded->rescale).str(),
                        *known, calibration, /*log=*/nullptr);
    // Without factors the program and its statistics are what they were.
    if (found && !*found && !outputStatistics.empty())
      if (llvm::Error error = known->write(outputStatistics))
        return std::move(error);
    return found;
  }
};

} // namespace
} // namespace qdialect

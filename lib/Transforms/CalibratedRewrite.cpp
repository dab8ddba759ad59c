// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statistics in, statistics out (CalibratedRewrite.h).

#include "CalibratedRewrite.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"

using namespace mlir;

namespace qdialect {

/// Has `observe` statistics that its value can have?
static LogicalResult checkValue(qd::ObserveOp observe,
                                const Statistics &statistics) {
  StringRef name = observe.getValueName();
  const ValueStatistics *values = statistics.lookup(name);
  if (!values || (!values->count && !branchAround(observe)))
    return observe.emitError() << "no statistics for value \"" << name << "\"";
  auto type = dyn_cast<RankedTensorType>(observe.getType());
  size_t channels = values->channelSum.size();
  // One channel is none (docs/Calibration.md).
  if (!type || type.getRank() == 0 || channels <= 1 ||
      static_cast<int64_t>(channels) == type.getShape().back())
    return success();
  return observe.emitError() << "statistics for value \"" << name << "\" have "
                             << channels << " channels, its type is " << type;
}

LogicalResult checkStatistics(func::FuncOp function,
                              const Statistics &statistics) {
  StringRef program = getProgramDigest(function);
  if (statistics.program != program)
    return function.emitError()
           << "statistics are of program \"" << statistics.program
           << "\", this is \"" << program << "\"";
  WalkResult result = function.walk([&](qd::ObserveOp observe) -> WalkResult {
    return checkValue(observe, statistics);
  });
  return failure(result.wasInterrupted());
}

LogicalResult
rewriteCalibrated(func::FuncOp function, StringRef path, StringRef output,
                  llvm::function_ref<LogicalResult(Statistics &)> rewrite) {
  if (function.isExternal())
    return success();
  auto fail = [&](llvm::Error error) {
    return function.emitError() << llvm::toString(std::move(error));
  };
  if (!hasObservers(function))
    return function.emitError() << "has no observers; run qd-insert-observers "
                                   "and calibrate it";
  if (path.empty())
    return function.emitError() << "needs the statistics of the program";
  llvm::Expected<Statistics> statistics = Statistics::read(path);
  if (!statistics)
    return fail(statistics.takeError());
  if (failed(checkStatistics(function, *statistics)) ||
      failed(rewrite(*statistics)))
    return failure();
  statistics->program = programDigest(function);
  function->setAttr(qd::kProgramAttr, StringAttr::get(function.getContext(),
                                                      statistics->program));
  if (!output.empty())
    if (llvm::Error error = statistics->write(output))
      return fail(std::move(error));
  return success();
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A profile is the mean of all runs so far: each run is the difference to the
// one before.

#include "QDialect/Execution/StepTimes.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <chrono>
#include <limits>

using namespace llvm;

namespace qdialect {

Expected<int> countRuns(CompiledModel &model, ArrayRef<HostTensor> inputs,
                        double milliseconds, int most) {
  using Clock = std::chrono::steady_clock;
  if (auto warm = model.run(inputs); !warm)
    return warm.takeError();
  Clock::time_point begin = Clock::now();
  if (auto outputs = model.run(inputs); !outputs)
    return outputs.takeError();
  double once =
      std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  return std::clamp(static_cast<int>(milliseconds / (once + 1e-3)), 1, most);
}

Error profileRuns(CompiledModel &model, int threads, int runs,
                  ArrayRef<std::vector<HostTensor>> samples,
                  std::vector<double> &fastest) {
  if (Error error = model.setThreads(threads)) // counters restart
    return error;
  std::vector<double> before;
  for (int run = 0; run <= runs; ++run) {
    if (auto outputs = model.run(samples[run % samples.size()]); !outputs)
      return outputs.takeError();
    auto steps = model.profile();
    if (!steps)
      return steps.takeError();
    before.resize(steps->size());
    fastest.resize(steps->size(), std::numeric_limits<double>::infinity());
    for (auto [step, sum, least] : zip_equal(*steps, before, fastest)) {
      double now = step.milliseconds * (run + 1);
      if (run > 0) // the first one warms up
        least = std::min(least, now - sum);
      sum = now;
    }
  }
  return Error::success();
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How long each step of a compiled model takes.

#ifndef QDIALECT_EXECUTION_STEPTIMES_H
#define QDIALECT_EXECUTION_STEPTIMES_H

#include "QDialect/Execution/CompiledModel.h"
#include <vector>

namespace qdialect {

/// How many runs take `milliseconds`, between 1 and `most`; runs the model
/// twice.
llvm::Expected<int> countRuns(CompiledModel &model,
                              llvm::ArrayRef<HostTensor> inputs,
                              double milliseconds, int most);

/// Lowers `fastest`, milliseconds by step, to the times of `runs` runs over the
/// samples in turn, after one to warm up. The model was loaded with
/// LoadOptions::profile; its counters restart.
llvm::Error profileRuns(CompiledModel &model, int threads, int runs,
                        llvm::ArrayRef<std::vector<HostTensor>> samples,
                        std::vector<double> &fastest);

} // namespace qdialect

#endif // QDIALECT_EXECUTION_STEPTIMES_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What layers cost at each precision, read off compiled programs: bytes of
// weights from their receipts, milliseconds from their profiles.

#ifndef QDIALECT_LIB_PIPELINES_LAYERCOSTS_H
#define QDIALECT_LIB_PIPELINES_LAYERCOSTS_H

#include "QDialect/Execution/CompiledModel.h"
#include "QDialect/Search/CostTable.h"

namespace qdialect {

/// A program whose layers are to be measured, with a choice for each.
struct MeasuredProgram {
  CompiledModel *model = nullptr; ///< loaded with LoadOptions::profile
  std::vector<unsigned> choices;
};

/// Fills the costs of the choices that `programs` make, and what the last one
/// of them spends besides its layers. Times are the fastest of several rounds
/// in which the programs take turns on `samples`.
llvm::Error measureCosts(CostTable &table,
                         llvm::ArrayRef<MeasuredProgram> programs,
                         llvm::ArrayRef<std::vector<HostTensor>> samples);

/// The milliseconds of a run, measured the same way.
llvm::Expected<double>
measureLatency(CompiledModel &model, int threads,
               llvm::ArrayRef<std::vector<HostTensor>> samples);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_LAYERCOSTS_H

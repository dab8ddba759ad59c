// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calibration: the observed float program, compiled and run over the data.

#ifndef QDIALECT_LIB_PIPELINES_CALIBRATE_H
#define QDIALECT_LIB_PIPELINES_CALIBRATE_H

#include "QDialect/PTQ/Statistics.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace qdialect {

/// Runs a copy of `module`, whose observers are in place, on every sample at
/// `path` and returns what they saw. Memory is that of one sample. Progress,
/// one line now and then, goes to `log` if not null.
llvm::Expected<Statistics>
calibrate(mlir::ModuleOp module, llvm::StringRef path, llvm::raw_ostream *log);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_CALIBRATE_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What passes over a calibrated program have in common: the statistics file
// that they read, and the one for the program that they leave.

#ifndef QDIALECT_LIB_TRANSFORMS_CALIBRATEDREWRITE_H
#define QDIALECT_LIB_TRANSFORMS_CALIBRATEDREWRITE_H

#include "QDialect/PTQ/Statistics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace qdialect {

/// Emits an error unless `statistics` are of the program that `function` says
/// it is: of each value that it observes (of nothing only in a branch), with as
/// many channels as that has.
mlir::LogicalResult checkStatistics(mlir::func::FuncOp function,
                                    const Statistics &statistics);

/// Reads the statistics at `path`, lets `rewrite` change program and
/// statistics, and writes these to `output`, if it is not empty, for the new
/// program, whose digest the function gets. Emits an error where something
/// fails; leaves a declaration alone.
mlir::LogicalResult rewriteCalibrated(
    mlir::func::FuncOp function, llvm::StringRef path, llvm::StringRef output,
    llvm::function_ref<mlir::LogicalResult(Statistics &)> rewrite);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_CALIBRATEDREWRITE_H

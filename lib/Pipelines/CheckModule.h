// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What somebody else's module must be before a phase works on it, beyond what
// its ops verify. Every error stands at its place in the module.

#ifndef QDIALECT_LIB_PIPELINES_CHECKMODULE_H
#define QDIALECT_LIB_PIPELINES_CHECKMODULE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace qdialect {

/// Do all constants in resources have their bytes? The verifier of MLIR looks
/// at a resource's type alone.
mlir::LogicalResult checkConstants(mlir::ModuleOp module);

/// Do the bounds that integer ops state (qd.acc_bound) hold? Those of sums of
/// codes are computed again, for the receipt repeats them.
mlir::LogicalResult checkBounds(mlir::func::FuncOp main);

/// Is @main a program: the only function of its module, of one block, without
/// calls?
mlir::LogicalResult checkProgramForm(mlir::func::FuncOp main);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_CHECKMODULE_H

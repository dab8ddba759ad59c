// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiling kernels on all cores, for whatever processor.

#ifndef QDIALECT_LIB_TARGET_SHAREDLIBRARY_PARALLELJOBS_H
#define QDIALECT_LIB_TARGET_SHAREDLIBRARY_PARALLELJOBS_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace qdialect {

/// Calls `job` with 0 ... count-1, on as many threads as the machine has cores
/// (on one where the context is single-threaded). Diagnostics come in the order
/// of the numbers.
void runJobs(mlir::MLIRContext &context, size_t count,
             llvm::function_ref<void(size_t)> job);

} // namespace qdialect

#endif // QDIALECT_LIB_TARGET_SHAREDLIBRARY_PARALLELJOBS_H

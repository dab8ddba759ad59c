// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pool of our own: a worker of the context's pool that waits inside a pass
// would start another of these jobs and meet the plan's lock it holds itself.

#include "ParallelJobs.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/ThreadPool.h"

void qdialect::runJobs(mlir::MLIRContext &context, size_t count,
                       llvm::function_ref<void(size_t)> job) {
  mlir::ParallelDiagnosticHandler diagnostics(&context);
  llvm::DefaultThreadPool pool(
      llvm::hardware_concurrency(context.isMultithreadingEnabled() ? 0 : 1));
  for (size_t i = 0; i < count; ++i)
    pool.async([&, i] {
      diagnostics.setOrderIDForThread(i);
      job(i);
      diagnostics.eraseOrderIDForThread();
    });
  pool.wait();
}

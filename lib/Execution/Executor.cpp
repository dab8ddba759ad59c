// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The temporary library lies in the system's folder for such and is removed as
// soon as it is loaded: a process that dies leaves nothing behind.

#include "QDialect/Execution/Executor.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include <cstdlib>

using namespace llvm;
using namespace qdialect;

/// The variant by name, or the best one that runs here.
static Expected<CpuTarget> chooseTarget(StringRef name) {
  for (const CpuTarget &target : allCpuTargets())
    if (name.empty() ? target.runsHere() : target.name == name)
      return target;
  return createStringError("unknown CPU variant '" + name + "'");
}

Expected<std::unique_ptr<Executor>>
Executor::create(mlir::ModuleOp dispatched, const ExecutorOptions &options) {
  std::string variant = options.variant;
  if (variant.empty())
    variant = options.load.variant;
  if (const char *forced = getenv("QDIALECT_CPU"); forced && variant.empty())
    variant = forced;
  Expected<CpuTarget> target = chooseTarget(variant);
  if (!target)
    return target.takeError();

  EmitOptions emit;
  emit.targets = {*target};
  emit.genericKernels = options.genericKernels;
  emit.cache = options.cache;
  emit.writeHeader = emit.writeReceipt = false;
  SmallString<128> path;
  if (std::error_code code =
          sys::fs::createTemporaryFile("qdialect", "so", path))
    return createStringError(code, "cannot create a temporary file: " +
                                       code.message());
  FileRemover remover(path);
  auto summary = emitSharedLibrary(dispatched, emit, path);
  if (!summary)
    return summary.takeError();
  auto model = CompiledModel::load(path, options.load);
  if (!model)
    return model.takeError();
  return std::unique_ptr<Executor>(new Executor(std::move(*model)));
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a module after the dispatch phase to a shared library with a C ABI
// (runtime/include/qdialect/model.h), its header and its receipt.

#ifndef QDIALECT_TARGET_SHAREDLIBRARY_SHAREDLIBRARY_H
#define QDIALECT_TARGET_SHAREDLIBRARY_SHAREDLIBRARY_H

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace qdialect {

class KernelCache;

/// What the receipt says about the model besides what stands in the IR.
struct ModelProvenance {
  std::string name;   ///< model name; empty: the output's file name
  std::string digest; ///< of the source model
  std::string recipe;
  std::string rescale; ///< "float" or "dyadic"
};

struct EmitOptions {
  /// CPU variants in the library; empty: all that CpuTarget.h knows.
  std::vector<CpuTarget> targets;
  /// Not empty: a library for these GPUs instead, newest first.
  std::vector<GpuTarget> gpuTargets;
  /// Prefix of the exported functions; a C identifier.
  std::string prefix = "qd_model";
  /// Compile every dispatch by the last-resort kernel family (a reference for
  /// tests, slow).
  bool genericKernels = false;
  /// Kernels compiled before (KernelCache.h); new ones are added. May be null.
  KernelCache *cache = nullptr;
  /// Write PATH without its `.so` + ".h" and ".receipt.json" too.
  bool writeHeader = true;
  bool writeReceipt = true;
  ModelProvenance provenance;
};

/// What emitSharedLibrary has made; the figures of the receipt.
struct EmitSummary {
  int64_t steps = 0;
  int64_t kernels = 0; ///< distinct, per variant
  int64_t fallbacks = 0;
  int64_t intMacs = 0;
  int64_t totalMacs = 0;
  int64_t weightsBytes = 0;
  int64_t arenaBytes = 0;
  int64_t fileBytes = 0;
};

/// Compiles `module` (docs/PhaseContract.md section 6) and writes `path` and
/// the files beside it. Each file appears complete under its name or not at
/// all; on an error nothing is left. Errors that belong to an op are also
/// emitted as its diagnostics. May be called from several threads on modules of
/// different contexts.
///
/// The linker (LLD, in process) resets every llvm::cl option of the process to
/// its default: a tool copies its options before it calls this.
llvm::Expected<EmitSummary> emitSharedLibrary(mlir::ModuleOp module,
                                              const EmitOptions &options,
                                              llvm::StringRef path);

} // namespace qdialect

#endif // QDIALECT_TARGET_SHAREDLIBRARY_SHAREDLIBRARY_H

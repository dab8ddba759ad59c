// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a user sees of a compilation: one line a phase, and a closing table.

#ifndef QDIALECT_LIB_PIPELINES_SUMMARY_H
#define QDIALECT_LIB_PIPELINES_SUMMARY_H

#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <string>
#include <vector>

namespace qdialect {

struct FallbackLayer {
  std::string name, op, reason;
};

class PhaseLog {
public:
  explicit PhaseLog(llvm::raw_ostream *os) : os(os) {}

  void start() { begin = last = Clock::now(); }
  /// The phase that ran since the last call has ended.
  void end(llvm::StringRef phase, const llvm::Twine &remark);
  void note(const llvm::Twine &text);
  /// Lines as they are.
  void text(llvm::StringRef lines);

  /// Remembers every op marked qd.fallback, and counts the layers by precision.
  void collectFallbacks(mlir::ModuleOp module);
  const std::vector<FallbackLayer> &fallbacks() const { return layers; }
  void printFallbacks();
  void printSummary(const EmitSummary &summary, llvm::StringRef path);

private:
  using Clock = std::chrono::steady_clock;
  llvm::raw_ostream *os;
  Clock::time_point begin, last;
  std::vector<FallbackLayer> layers;
  int64_t integerContractions = 0, floatContractions = 0;
};

/// Ops of @main that are no constants.
int64_t countOps(mlir::ModuleOp module);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_SUMMARY_H

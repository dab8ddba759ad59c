// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The codes that a tensor of an integer program can hold, read off the program
// alone: those of its element type, fewer where narrower codes were extended or
// split into bytes on the way there.

#ifndef QDIALECT_ANALYSIS_CODEINTERVALS_H
#define QDIALECT_ANALYSIS_CODEINTERVALS_H

#include "mlir/IR/Value.h"
#include <cstdint>
#include <optional>

namespace qdialect {

/// The smallest and largest code an operand can hold.
struct CodeInterval {
  int64_t min = -128;
  int64_t max = 127;

  void merge(const CodeInterval &other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
};

/// The interval of a tensor of integers of at most 16 bits, through what moves
/// codes and through dispatches. Nothing where an op stands on the way that may
/// be fed with narrower codes and is not known.
std::optional<CodeInterval> findCodeInterval(mlir::Value tensor);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CODEINTERVALS_H

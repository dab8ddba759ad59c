// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an element-wise payload does to factors, by degrees: with x -> f x for
// some of its operands and f > 0, is the result f times what it was (linear),
// or what it was (fixed)?

#ifndef QDIALECT_ANALYSIS_PAYLOADDEGREES_H
#define QDIALECT_ANALYSIS_PAYLOADDEGREES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qdialect {

/// Is the result f times what it was when these operands are, by number, and no
/// others?
bool isLinearIn(mlir::linalg::GenericOp op, llvm::ArrayRef<unsigned> operands);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_PAYLOADDEGREES_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The same linalg op over codes in place of floats.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZERETYPE_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZERETYPE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qdialect {

/// A copy of `op` over operands of other element types, with the payload of
/// those types: a named op, or a generic that multiplies and adds, only adds,
/// or takes the maximum. Discardable attributes are left behind.
mlir::Operation *retypeLinalg(mlir::OpBuilder &builder,
                              mlir::linalg::LinalgOp op,
                              mlir::ValueRange operands);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZERETYPE_H

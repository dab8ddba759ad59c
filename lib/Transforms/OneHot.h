// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one-hot rows with a constant matrix are look-ups of its rows.

#ifndef QDIALECT_LIB_TRANSFORMS_ONEHOT_H
#define QDIALECT_LIB_TRANSFORMS_ONEHOT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// Replaces one-hot products by look-ups, and what element-wise ops make of a
/// look-up in a constant table by one in another table. Returns how many
/// products it replaced.
int64_t raiseOneHotProducts(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_ONEHOT_H

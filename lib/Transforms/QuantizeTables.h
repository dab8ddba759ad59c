// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embedding tables to constant codes.

#ifndef QDIALECT_TRANSFORMS_QUANTIZETABLES_H
#define QDIALECT_TRANSFORMS_QUANTIZETABLES_H

#include "QDialect/PTQ/Recipe.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// Replaces the constant f32 tables that payloads of `function` read rows of by
/// dequantized codes, one scale a row. Returns how many there were.
int64_t quantizeTables(mlir::func::FuncOp function, const TensorRecipe &recipe);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_QUANTIZETABLES_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which ops were asked to be integer. Whoever quantizes marks every op that
// computes with the precision that was asked of it (qd.requested), floats
// included. An op without a mark, because the program was written by hand or
// because another pass made the op anew, is judged by the casts around it, so
// that losing a mark cannot hide a layer that stays float.

#ifndef QDIALECT_LIB_TRANSFORMS_REQUESTS_H
#define QDIALECT_LIB_TRANSFORMS_REQUESTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// Does `op` compute floats from an input of the program? Moving data is not
/// computing.
bool computesFloats(mlir::Operation *op);

/// By its mark or, without one, by the casts around it: it reads only
/// dequantized tensors and constants, and its result is quantized.
bool isAskedToBeInteger(mlir::Operation *op);

/// Marks what computes floats and has no mark yet as left in floats, but for
/// what keeps the grid of its operand. So are biases and clamps: what is asked
/// of a layer is asked of its first op.
void markKeptFloat(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_REQUESTS_H

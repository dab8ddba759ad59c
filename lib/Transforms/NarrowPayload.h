// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Payloads that compute on signed integers below eight bits, once their tensors
// hold bytes: computed in bytes where the result is the same, so that kernels
// find the ops that they know from codes of eight bits.

#ifndef QDIALECT_LIB_TRANSFORMS_NARROWPAYLOAD_H
#define QDIALECT_LIB_TRANSFORMS_NARROWPAYLOAD_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qdialect {

/// Rewrites the payload of `op`, whose operands are tensors of bytes, to
/// compute in i8 what it computes in fewer bits; leaves it alone if an op in it
/// would give something else. `isExtended` says whether every byte of an
/// operand is its code, sign-extended.
void widenPayload(mlir::linalg::GenericOp op,
                  llvm::function_ref<bool(mlir::Value)> isExtended);

/// Does the op give its only input?
bool isCopy(mlir::linalg::GenericOp op);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_NARROWPAYLOAD_H

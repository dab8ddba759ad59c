// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the named float functions.

#include "OpSyntax.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDNormOps.cpp.inc"

/// The axis of an op on a tensor.
static LogicalResult verifyAxis(Operation *op, Type input, int64_t axis) {
  int64_t rank = cast<RankedTensorType>(input).getRank();
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError("axis ") << axis << " is outside [0, " << rank << ")";
}

LogicalResult SoftmaxOp::verify() {
  // softmax_c2
  return verifyAxis(*this, getInput().getType(), getAxis());
}

LogicalResult LayerNormOp::verify() {
  // layer_norm_c2
  if (failed(verifyAxis(*this, getInput().getType(), getAxis())))
    return failure();
  // layer_norm_c3
  auto input = cast<RankedTensorType>(getInput().getType());
  auto expected = RankedTensorType::get(input.getShape().drop_front(getAxis()),
                                        input.getElementType());
  if (getGamma().getType() != expected)
    return emitOpError("gamma type ")
           << getGamma().getType() << " is not " << expected;
  // layer_norm_c4
  if (getBeta() && getBeta().getType() != expected)
    return emitOpError("beta type ")
           << getBeta().getType() << " is not " << expected;
  return success();
}

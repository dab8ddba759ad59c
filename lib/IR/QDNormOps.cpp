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

/// Axis and gamma.
template <typename Op>
static LogicalResult verifyNorm(Op op) {
  // layer_norm_c2, rms_norm_c2
  if (failed(verifyAxis(op, op.getInput().getType(), op.getAxis())))
    return failure();
  // layer_norm_c3, rms_norm_c3
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto expected = RankedTensorType::get(
      input.getShape().drop_front(op.getAxis()), input.getElementType());
  if (op.getGamma().getType() != expected)
    return op.emitOpError("gamma type ")
           << op.getGamma().getType() << " is not " << expected;
  return success();
}

LogicalResult LayerNormOp::verify() {
  if (failed(verifyNorm(*this)))
    return failure();
  // layer_norm_c4
  if (getBeta() && getBeta().getType() != getGamma().getType())
    return emitOpError("beta type ")
           << getBeta().getType() << " is not " << getGamma().getType();
  return success();
}

LogicalResult RmsNormOp::verify() { return verifyNorm(*this); }

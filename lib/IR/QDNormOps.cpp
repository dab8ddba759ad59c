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

static LogicalResult verifyEpsilon(Operation *op, const APFloat &epsilon) {
  if (epsilon.isFinite() && !epsilon.isNegative())
    return success();
  SmallString<16> text;
  epsilon.toString(text);
  return op->emitOpError("epsilon ")
         << text << " is not a finite number from 0 on";
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
  // layer_norm_c5
  return verifyEpsilon(*this, getEpsilon());
}

LogicalResult RmsNormOp::verify() {
  if (failed(verifyNorm(*this)))
    return failure();
  // rms_norm_c4
  return verifyEpsilon(*this, getEpsilon());
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of functions of codes, and the integers that they stand for.

#include "OpSyntax.h"
#include "QDialect/IR/IntegerOps.h"

using namespace mlir;
using namespace qdialect::qd;
using qdialect::IntegerGrid;
using qdialect::kLongestIntegerNorm;
using qdialect::kLongestIntegerSoftmax;

#define GET_OP_CLASSES
#include "QDialect/IR/QDIntegerOps.cpp.inc"

static unsigned codeBits(Value codes) {
  return getElementTypeOrSelf(codes.getType()).getIntOrFloatBitWidth();
}

/// C2 of all of them.
static LogicalResult verifySameShape(Operation *op) {
  auto input = cast<RankedTensorType>(op->getOperand(0).getType()),
       result = cast<RankedTensorType>(op->getResult(0).getType());
  if (input.getShape() == result.getShape())
    return success();
  return op->emitOpError("result ")
         << result << " does not have the shape of " << input;
}

static LogicalResult verifyAxis(Operation *op, int64_t axis) {
  int64_t rank = cast<RankedTensorType>(op->getOperand(0).getType()).getRank();
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError("axis ") << axis << " is outside [0, " << rank << ")";
}

static LogicalResult verifyZeroPoint(Operation *op, int64_t zero, Value codes) {
  int64_t half = int64_t(1) << (codeBits(codes) - 1);
  if (zero >= -half && zero < half)
    return success();
  return op->emitOpError("zero point ")
         << zero << " is no code of " << codes.getType();
}

namespace qdialect {

std::optional<IntegerSoftmax> integersOf(qd::IntSoftmaxOp op) {
  return chooseIntegerSoftmax(
      toNumerics(op.getScheme()), op.getInputScale().convertToFloat(),
      codeBits(op.getInput()),
      {op.getOutputScale().convertToFloat(),
       static_cast<int32_t>(op.getZeroPoint()), codeBits(op.getResult())});
}

template <typename Op>
static std::optional<IntegerCurve> curveOf(Op op, IntegerCurveKind kind) {
  IntegerGrid input{op.getInputScale().convertToFloat(),
                    static_cast<int32_t>(op.getInputZeroPoint()),
                    codeBits(op.getInput())},
      output{op.getOutputScale().convertToFloat(),
             static_cast<int32_t>(op.getOutputZeroPoint()),
             codeBits(op.getResult())};
  return chooseIntegerCurve(toNumerics(op.getScheme()), kind, input, output);
}

std::optional<IntegerCurve> integersOf(qd::IntGeluOp op) {
  return curveOf(op, IntegerCurveKind::Gelu);
}
std::optional<IntegerCurve> integersOf(qd::IntSiluOp op) {
  return curveOf(op, IntegerCurveKind::Silu);
}

} // namespace qdialect

LogicalResult IntSoftmaxOp::verify() {
  // int_softmax_c2
  if (failed(verifySameShape(*this)))
    return failure();
  // int_softmax_c3
  auto axis = static_cast<int64_t>(getAxis());
  if (failed(verifyAxis(*this, axis)))
    return failure();
  // int_softmax_c4
  int64_t length = getInput().getType().getDimSize(axis);
  if (length > kLongestIntegerSoftmax)
    return emitOpError("rows of ")
           << length << " elements are longer than " << kLongestIntegerSoftmax;
  // int_softmax_c6, before it becomes one of 32 bits
  if (failed(verifyZeroPoint(*this, static_cast<int64_t>(getZeroPoint()),
                             getResult())))
    return failure();
  // int_softmax_c5
  if (!qdialect::integersOf(*this))
    return emitOpError("has no integers for scale ")
           << getInputScaleAttr() << " to " << getOutputScaleAttr();
  return success();
}

template <typename Op>
static LogicalResult verifyCurve(Op op) {
  // int_gelu_c2, int_silu_c2
  if (failed(verifySameShape(op)))
    return failure();
  // int_gelu_c4, int_silu_c4, before they become numbers of 32 bits
  if (failed(verifyZeroPoint(op, static_cast<int64_t>(op.getInputZeroPoint()),
                             op.getInput())) ||
      failed(verifyZeroPoint(op, static_cast<int64_t>(op.getOutputZeroPoint()),
                             op.getResult())))
    return failure();
  // int_gelu_c3, int_silu_c3
  if (!qdialect::integersOf(op))
    return op.emitOpError("has no integers for scale ")
           << op.getInputScaleAttr() << " to " << op.getOutputScaleAttr()
           << " with scheme " << stringifyIntegerScheme(op.getScheme());
  return success();
}

LogicalResult IntGeluOp::verify() { return verifyCurve(*this); }
LogicalResult IntSiluOp::verify() { return verifyCurve(*this); }

template <typename Op>
static LogicalResult verifyNorm(Op op) {
  // int_layer_norm_c2, int_rms_norm_c2
  if (failed(verifySameShape(op)))
    return failure();
  // int_layer_norm_c3, int_rms_norm_c3
  if (failed(verifyAxis(op, static_cast<int64_t>(op.getAxis()))))
    return failure();
  // int_layer_norm_c4, int_rms_norm_c4
  ArrayRef<int64_t> row =
      op.getInput().getType().getShape().drop_front(op.getAxis());
  int64_t length = 1;
  for (int64_t size : row)
    if (length <= kLongestIntegerNorm)
      length =
          ShapedType::isDynamic(size) ? kLongestIntegerNorm + 1 : length * size;
  if (length < 1 || length > kLongestIntegerNorm)
    return op.emitOpError("rows of ")
           << op.getInput().getType() << " do not have 1 to "
           << kLongestIntegerNorm << " elements";
  // int_layer_norm_c5, int_rms_norm_c5
  for (Value parameter : {Value(op.getGain()), Value(op.getBias())})
    if (auto type = cast<RankedTensorType>(parameter.getType());
        type.getShape() != row)
      return op.emitOpError(parameter == op.getGain() ? "gain " : "bias ")
             << type << " does not have the shape of a row of "
             << op.getInput().getType();
  // int_layer_norm_c6, int_rms_norm_c6
  auto epsilon = static_cast<int64_t>(op.getEpsilon()),
       shift = static_cast<int64_t>(op.getShift());
  if (epsilon < 1 || epsilon > int64_t(1) << 60)
    return op.emitOpError("epsilon ") << epsilon << " is outside [1, 2^60]";
  if (shift < 0 || shift > 62)
    return op.emitOpError("shift ") << shift << " is outside [0, 62]";
  return success();
}

LogicalResult IntLayerNormOp::verify() { return verifyNorm(*this); }

LogicalResult IntRmsNormOp::verify() {
  if (failed(verifyNorm(*this)))
    return failure();
  // int_rms_norm_c7
  return verifyZeroPoint(*this, static_cast<int64_t>(getZeroPoint()),
                         getInput());
}

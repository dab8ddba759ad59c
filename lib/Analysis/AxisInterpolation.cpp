// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognizes interpolations along an axis by their payload; see
// AxisInterpolation.h.

#include "QDialect/Analysis/AxisInterpolation.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

std::optional<unsigned> walkedLoop(Value index) {
  while (auto cast = index.getDefiningOp<arith::IndexCastOp>())
    index = cast.getIn();
  if (auto loop = index.getDefiningOp<linalg::IndexOp>())
    return loop.getDim();
  return std::nullopt;
}

bool isAlignedRead(linalg::GenericOp generic, tensor::ExtractOp read) {
  if (read.getTensor().getParentRegion() == &generic.getRegion() ||
      read.getIndices().size() != generic.getNumLoops())
    return false;
  bool walks = false;
  for (auto [dim, index] : llvm::enumerate(read.getIndices()))
    if (std::optional<unsigned> loop = walkedLoop(index)) {
      if (*loop != dim)
        return false;
      walks = true;
    }
  return walks;
}

namespace {

class Reader {
public:
  explicit Reader(AxisInterpolation &result)
      : generic(result.op), result(result) {}

  /// Takes in a sum of taps.
  bool sum(Value value) {
    if (auto add = value.getDefiningOp<arith::AddFOp>())
      return sum(add.getLhs()) && sum(add.getRhs());
    if (auto read = value.getDefiningOp<tensor::ExtractOp>())
      return tap(read, Value());
    auto product = value.getDefiningOp<arith::MulFOp>();
    if (!product)
      return false;
    for (unsigned side : {0u, 1u})
      if (auto read =
              product->getOperand(side).getDefiningOp<tensor::ExtractOp>())
        return tap(read, product->getOperand(1 - side));
    return false;
  }

private:
  /// The numbers that `element` has along the axis.
  Value rowOf(Value element) {
    auto argument = dyn_cast<BlockArgument>(element);
    if (!argument || argument.getOwner() != generic.getBlock())
      return {};
    OpOperand *operand = generic.getMatchingOpOperand(argument);
    AffineMap map = generic.getMatchingIndexingMap(operand);
    bool isRow = map.getNumResults() == 1 && map.isFunctionOfDim(result.axis) &&
                 constantView(operand->get());
    return isRow ? operand->get() : Value();
  }

  bool tap(tensor::ExtractOp read, Value weight) {
    auto type = cast<RankedTensorType>(read.getTensor().getType());
    if (!isAlignedRead(generic, read) ||
        (result.source && result.source != read.getTensor()))
      return false;
    std::optional<unsigned> axis;
    for (auto [dim, index] : llvm::enumerate(read.getIndices())) {
      if (walkedLoop(index))
        continue;
      if (axis)
        return false;
      axis = dim;
    }
    if (!axis || (result.source && result.axis != *axis))
      return false;
    result.source = read.getTensor();
    result.axis = *axis;
    Value index = read.getIndices()[*axis];
    while (auto cast = index.getDefiningOp<arith::IndexCastOp>())
      index = cast.getIn();
    AxisInterpolation::Tap one;
    one.places = rowOf(index);
    if (!one.places || ShapedType::isDynamic(type.getDimSize(*axis)))
      return false;
    HostTensor places = constantView(one.places)->toHostTensor();
    for (int64_t i = 0; i < places.size(); ++i)
      if (places.asInteger(i) < 0 ||
          places.asInteger(i) >= type.getDimSize(*axis))
        return false;
    one.weights.assign(places.size(), 1);
    if (weight) {
      Value row = rowOf(weight);
      if (!row)
        return false;
      HostTensor numbers = constantView(row)->toHostTensor();
      for (int64_t i = 0; i < numbers.size(); ++i)
        one.weights[i] = numbers.asDouble(i);
    }
    result.taps.push_back(std::move(one));
    return true;
  }

  linalg::GenericOp generic;
  AxisInterpolation &result;
};

} // namespace

std::optional<AxisInterpolation> getAxisInterpolation(Operation *op) {
  if (!isElementwiseGeneric(op))
    return std::nullopt;
  AxisInterpolation result;
  result.op = cast<linalg::GenericOp>(op);
  if (!isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) ||
      !Reader(result).sum(result.op.getBlock()->getTerminator()->getOperand(0)))
    return std::nullopt;
  return result;
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes followed through the ops that programs are made of; tensor.dim where
// the trail ends.

#include "QDialect/Analysis/TensorSizes.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {
namespace {

using Sizes = SmallVector<OpFoldResult>;

Value asValue(OpBuilder &builder, Location loc, OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(builder, loc,
                                        *getConstantIntValue(size));
}

template <typename Op>
OpFoldResult combine(OpBuilder &builder, Location loc, OpFoldResult a,
                     OpFoldResult b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  constexpr bool isProduct = std::is_same_v<Op, arith::MulIOp>;
  if (x && y)
    return builder.getIndexAttr(isProduct ? *x * *y : *x + *y);
  int64_t neutral = isProduct ? 1 : 0;
  if (x == neutral)
    return b;
  if (y == neutral)
    return a;
  return Op::create(builder, loc, asValue(builder, loc, a),
                    asValue(builder, loc, b))
      .getResult();
}

Sizes dimsOf(OpBuilder &builder, Location loc, Value tensor) {
  Sizes sizes;
  for (auto [axis, size] :
       llvm::enumerate(cast<RankedTensorType>(tensor.getType()).getShape())) {
    if (ShapedType::isStatic(size))
      sizes.push_back(builder.getIndexAttr(size));
    else
      sizes.push_back(tensor::DimOp::create(builder, loc, tensor,
                                            static_cast<int64_t>(axis))
                          .getResult());
  }
  return sizes;
}

Sizes collapsed(OpBuilder &builder, Location loc, tensor::CollapseShapeOp op) {
  Sizes from = sizesOf(builder, loc, op.getSrc()), sizes;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    OpFoldResult product = builder.getIndexAttr(1);
    for (int64_t axis : group)
      product = combine<arith::MulIOp>(builder, loc, product, from[axis]);
    sizes.push_back(product);
  }
  return sizes;
}

Sizes padded(OpBuilder &builder, Location loc, tensor::PadOp op) {
  Sizes sizes = sizesOf(builder, loc, op.getSource());
  for (auto [size, low, high] :
       llvm::zip_equal(sizes, op.getMixedLowPad(), op.getMixedHighPad())) {
    size = combine<arith::AddIOp>(builder, loc, size, low);
    size = combine<arith::AddIOp>(builder, loc, size, high);
  }
  return sizes;
}

Sizes concatenated(OpBuilder &builder, Location loc, tensor::ConcatOp op) {
  Sizes sizes = sizesOf(builder, loc, op.getInputs().front());
  for (Value part : op.getInputs().drop_front())
    sizes[op.getDim()] =
        combine<arith::AddIOp>(builder, loc, sizes[op.getDim()],
                               sizesOf(builder, loc, part)[op.getDim()]);
  return sizes;
}

/// The first operand has the sizes of the result: every op of the dialect with
/// a tensor result that is not listed below.
bool keepsShape(Operation *op) {
  if (op->getNumOperands() == 0 || op->getNumRegions() != 0 ||
      op->getName().getDialectNamespace() != "qd")
    return false;
  auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  auto to = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return from && to && from.getShape() == to.getShape();
}

} // namespace

SmallVector<OpFoldResult> sizesOf(OpBuilder &builder, Location loc,
                                  Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.hasStaticShape())
    return getAsIndexOpFoldResult(builder.getContext(), type.getShape());
  Operation *op = tensor.getDefiningOp();
  if (!op) {
    // Loops do not change the shape of what they carry.
    auto argument = cast<BlockArgument>(tensor);
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop ? sizesOf(builder, loc, loop.getTiedLoopInit(argument)->get())
                : dimsOf(builder, loc, tensor);
  }
  return llvm::TypeSwitch<Operation *, Sizes>(op)
      .Case<tensor::EmptyOp>([](auto empty) { return empty.getMixedSizes(); })
      .Case<tensor::ExpandShapeOp>(
          [](auto expand) { return expand.getMixedOutputShape(); })
      .Case<tensor::CollapseShapeOp>(
          [&](auto collapse) { return collapsed(builder, loc, collapse); })
      .Case<tensor::PadOp>([&](auto pad) { return padded(builder, loc, pad); })
      .Case<tensor::ConcatOp>(
          [&](auto concat) { return concatenated(builder, loc, concat); })
      .Case<scf::ForOp>([&](auto loop) {
        unsigned number = cast<OpResult>(tensor).getResultNumber();
        return sizesOf(builder, loc, loop.getInitArgs()[number]);
      })
      .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp slice) {
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        Sizes kept;
        for (auto [axis, size] : llvm::enumerate(slice.getMixedSizes()))
          if (!dropped.test(axis))
            kept.push_back(size);
        return kept;
      })
      .Case<qd::AnySizeOp>([&](auto) { return dimsOf(builder, loc, tensor); })
      .Case<qd::SizedOp>([](auto sized) { return sized.getMixedSizes(); })
      .Case<qd::BlockMatmulOp>([&](auto product) {
        return Sizes{sizesOf(builder, loc, product.getLhs())[0],
                     sizesOf(builder, loc, product.getRhs())[1]};
      })
      .Case<DestinationStyleOpInterface>([&](auto styled) {
        OpOperand *init = styled.getTiedOpOperand(cast<OpResult>(tensor));
        return sizesOf(builder, loc, init->get());
      })
      .Default([&](Operation *other) {
        if (keepsShape(other))
          return sizesOf(builder, loc, other->getOperand(0));
        return dimsOf(builder, loc, tensor);
      });
}

Value makeEmptyLike(OpBuilder &builder, Location loc, Value like,
                    Type elementType) {
  return tensor::EmptyOp::create(builder, loc, sizesOf(builder, loc, like),
                                 elementType);
}

Value makePermutedEmpty(OpBuilder &builder, Location loc, Value like,
                        ArrayRef<int64_t> permutation) {
  Sizes from = sizesOf(builder, loc, like), sizes;
  for (int64_t axis : permutation)
    sizes.push_back(from[axis]);
  return tensor::EmptyOp::create(
      builder, loc, sizes,
      cast<RankedTensorType>(like.getType()).getElementType());
}

Value makeEmptyFor(OpBuilder &builder, Location loc, RankedTensorType type,
                   ValueRange inputs, ArrayRef<AffineMap> maps) {
  Sizes sizes = getAsIndexOpFoldResult(builder.getContext(), type.getShape());
  // Numbers may be more precise than a type with `?` for them.
  for (auto [input, map] : llvm::zip(inputs, maps)) {
    if (type.hasStaticShape())
      break;
    Sizes from = sizesOf(builder, loc, input);
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (type.isDynamicDim(dim.getPosition()))
          sizes[dim.getPosition()] = from[axis];
  }
  return tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
}

} // namespace qdialect

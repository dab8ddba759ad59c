// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row sum is sixteen lanes and a tree: the axis is split into (n / 16, 16),
// the outer part is reduced in ascending order, then halves are added until one
// element is left. A missing element counts as +0, which changes no lane.

#include "LinalgEmitter.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Numerics/Reductions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace qdialect;

static RankedTensorType typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

static Value ceilDiv(OpBuilder &builder, Location loc, Value size, int64_t by) {
  Value divisor = arith::ConstantIndexOp::create(builder, loc, by);
  Value rest = arith::ConstantIndexOp::create(builder, loc, by - 1);
  return arith::DivUIOp::create(
      builder, loc, arith::AddIOp::create(builder, loc, size, rest), divisor);
}

static RankedTensorType withoutDimension(RankedTensorType type, unsigned axis) {
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  return RankedTensorType::get(shape, type.getElementType());
}

AffineMap LinalgEmitter::identity(unsigned rank) {
  return builder.getMultiDimIdentityMap(rank);
}

AffineMap LinalgEmitter::without(unsigned rank, unsigned axis) {
  return identity(rank).dropResult(axis);
}

Value LinalgEmitter::elementwise(RankedTensorType type,
                                 ArrayRef<MappedTensor> inputs,
                                 Payload payload) {
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (const MappedTensor &input : inputs) {
    values.push_back(input.value);
    maps.push_back(input.map);
  }
  Value init = makeEmptyFor(builder, loc, type, values, maps);
  maps.push_back(identity(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, values, init, maps, iterators,
             [&](OpBuilder &b, Location loc, ValueRange arguments) {
               Value result = payload(b, loc, arguments.drop_back());
               linalg::YieldOp::create(b, loc, result);
             })
      .getResult(0);
}

Value LinalgEmitter::reduce(Value x, unsigned axis, double init,
                            Payload combine) {
  RankedTensorType from = typeOf(x);
  RankedTensorType type = withoutDimension(from, axis);
  Value start = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(from.getElementType(), init));
  SmallVector<OpFoldResult> sizes = sizesOf(builder, loc, x);
  sizes.erase(sizes.begin() + axis);
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  Value filled =
      linalg::FillOp::create(builder, loc, start, empty).getResult(0);
  SmallVector<utils::IteratorType> iterators(from.getRank(),
                                             utils::IteratorType::parallel);
  iterators[axis] = utils::IteratorType::reduction;
  AffineMap maps[] = {identity(from.getRank()), without(from.getRank(), axis)};
  return linalg::GenericOp::create(
             builder, loc, type, x, filled, maps, iterators,
             [&](OpBuilder &b, Location loc, ValueRange arguments) {
               linalg::YieldOp::create(b, loc, combine(b, loc, arguments));
             })
      .getResult(0);
}

Value LinalgEmitter::slice(Value x, unsigned axis, int64_t offset,
                           int64_t size) {
  SmallVector<OpFoldResult> offsets(typeOf(x).getRank(),
                                    builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(typeOf(x).getRank(),
                                    builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes = sizesOf(builder, loc, x);
  offsets[axis] = builder.getIndexAttr(offset);
  sizes[axis] = builder.getIndexAttr(size);
  return tensor::ExtractSliceOp::create(builder, loc, x, offsets, sizes,
                                        strides);
}

Value LinalgEmitter::padToMultiple(Value x, unsigned axis, int64_t multiple) {
  RankedTensorType from = typeOf(x);
  SmallVector<int64_t> shape(from.getShape());
  SmallVector<OpFoldResult> low(shape.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high = low;
  if (from.isDynamicDim(axis)) {
    Value size = cast<Value>(sizesOf(builder, loc, x)[axis]);
    Value lanes = arith::ConstantIndexOp::create(builder, loc, multiple);
    Value blocks = ceilDiv(builder, loc, size, multiple);
    Value whole = arith::MulIOp::create(builder, loc, blocks, lanes);
    high[axis] = arith::SubIOp::create(builder, loc, whole, size).getResult();
  } else {
    shape[axis] = llvm::alignTo(shape[axis], multiple);
    if (shape[axis] == from.getDimSize(axis))
      return x;
    high[axis] = builder.getIndexAttr(shape[axis] - from.getDimSize(axis));
  }
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(from.getElementType(), 0.0));
  return tensor::PadOp::create(
      builder, loc, RankedTensorType::get(shape, from.getElementType()), x, low,
      high, zero);
}

OpFoldResult LinalgEmitter::blocksOf(Value size) {
  return ceilDiv(builder, loc, size, kReductionLanes);
}

Value LinalgEmitter::rowMax(Value x, unsigned axis) {
  return reduce(x, axis, -std::numeric_limits<double>::infinity(),
                [](OpBuilder &b, Location loc, ValueRange arguments) -> Value {
                  return arith::MaximumFOp::create(b, loc, arguments[1],
                                                   arguments[0]);
                });
}

Value LinalgEmitter::rowSum(Value x, unsigned axis) {
  auto add = [](OpBuilder &b, Location loc, ValueRange arguments) -> Value {
    return arith::AddFOp::create(b, loc, arguments[1], arguments[0]);
  };
  Value padded = padToMultiple(x, axis, kReductionLanes);
  RankedTensorType type = typeOf(padded);

  // (..., n, ...) as (..., n / 16, 16, ...), of which the first part is
  // reduced.
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes = sizesOf(builder, loc, x), split;
  SmallVector<ReassociationIndices> groups;
  for (auto [dimension, size] : llvm::enumerate(type.getShape())) {
    auto next = static_cast<int64_t>(shape.size());
    if (dimension == axis) {
      bool isDynamic = ShapedType::isDynamic(size);
      shape.append(
          {isDynamic ? size : size / kReductionLanes, kReductionLanes});
      split.append({isDynamic ? blocksOf(cast<Value>(sizes[dimension]))
                              : builder.getIndexAttr(shape[next]),
                    builder.getIndexAttr(kReductionLanes)});
      groups.push_back({next, next + 1});
      continue;
    }
    shape.push_back(size);
    split.push_back(sizes[dimension]);
    groups.push_back({next});
  }
  auto laneType = RankedTensorType::get(shape, type.getElementType());
  Value expanded = tensor::ExpandShapeOp::create(builder, loc, laneType, padded,
                                                 groups, split);
  Value lanes = reduce(expanded, axis, 0.0, add);

  for (int64_t width = kReductionLanes / 2; width >= 1; width /= 2) {
    Value low = slice(lanes, axis, 0, width);
    Value high = slice(lanes, axis, width, width);
    AffineMap map = identity(typeOf(low).getRank());
    lanes =
        elementwise(typeOf(low), {{low, map}, {high, map}},
                    [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                      return arith::AddFOp::create(b, loc, args[0], args[1]);
                    });
  }
  // The axis has size 1 now: fold it into a neighbour.
  RankedTensorType result = withoutDimension(typeOf(lanes), axis);
  if (result.hasStaticShape())
    return tensor::CollapseShapeOp::create(
        builder, loc, result, lanes,
        *getReassociationIndicesForCollapse(typeOf(lanes).getShape(),
                                            result.getShape()));
  // Joined to the dimension before, or behind the first.
  SmallVector<ReassociationIndices> joinedGroups;
  unsigned joined = axis == 0 ? 1 : axis;
  for (unsigned dimension = 0; dimension < typeOf(lanes).getRank();
       ++dimension) {
    if (dimension == joined)
      joinedGroups.back().push_back(dimension);
    else
      joinedGroups.push_back({dimension});
  }
  return tensor::CollapseShapeOp::create(builder, loc, result, lanes,
                                         joinedGroups);
}

SmallVector<ReassociationIndices> qdialect::trailingGroups(int64_t rank,
                                                           int64_t axis) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dimension = 0; dimension < axis; ++dimension)
    groups.push_back({dimension});
  groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(axis, rank)));
  return groups;
}

Value qdialect::mergeTrailing(OpBuilder &builder, Location loc, Value x,
                              unsigned axis) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  if (rank == axis + 1)
    return x;
  return tensor::CollapseShapeOp::create(builder, loc, x,
                                         trailingGroups(rank, axis));
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Follows sizes from where they are used to the function's arguments, also out
// of and into dispatches.

#include "QDialect/Analysis/SymbolicShapes.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {

static constexpr int64_t kUnknown = ShapedType::kDynamic;

SymbolicShapes::SymbolicShapes(func::FuncOp function) {
  auto bounds = function->getAttrOfType<DictionaryAttr>(qd::kDimBoundsAttr);
  auto symbolOf = [&](StringAttr name) {
    DenseI64ArrayAttr range;
    if (bounds)
      range = bounds.getAs<DenseI64ArrayAttr>(name.getValue());
    if (!range)
      return sizes.symbol(name);
    return sizes.symbol(name, range[0], range[1],
                        range.size() > 2 ? range[2] : 1);
  };
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto names = function.getArgAttrOfType<ArrayAttr>(number, qd::kDimsAttr);
    if (argument.getType().isIndex() && names && names.size() == 1)
      if (auto name = dyn_cast<StringAttr>(names[0]))
        indices[argument] = symbolOf(name);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.hasStaticShape())
      continue;
    Shape shape(type.getShape());
    for (auto [axis, size] : llvm::enumerate(shape)) {
      if (ShapedType::isStatic(size))
        continue;
      StringAttr name;
      if (names && axis < names.size())
        name = dyn_cast<StringAttr>(names[axis]);
      if (!name) {
        size = sizes.symbol(("arg" + Twine(number) + ":" + Twine(axis)).str());
        continue;
      }
      size = symbolOf(name);
    }
    shapes[argument] = shape;
  }
}

SymbolicShapes::Shape SymbolicShapes::shapeOf(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.hasStaticShape())
    return Shape(type.getShape());
  auto known = shapes.find(tensor);
  if (known != shapes.end())
    return known->second;
  Shape shape = computeShape(tensor);
  for (auto [size, stated] : llvm::zip_equal(shape, type.getShape()))
    if (ShapedType::isStatic(stated))
      size = stated;
  return shapes[tensor] = shape;
}

int64_t SymbolicShapes::sizeOf(Value index) {
  auto known = indices.find(index);
  if (known != indices.end())
    return known->second;
  int64_t size = computeSize(index);
  return indices[index] = size;
}

int64_t SymbolicShapes::sizeOf(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return *number;
  return sizeOf(cast<Value>(size));
}

SymbolicShapes::Shape SymbolicShapes::sizesOf(ArrayRef<OpFoldResult> list) {
  return llvm::map_to_vector(list,
                             [&](OpFoldResult size) { return sizeOf(size); });
}

/// The operand of a dispatch that its body's argument stands for, or what a
/// loop carries into it first: loops do not change the shape of that, but for
/// what a qd.any_size made.
static Value outerValue(BlockArgument argument) {
  Operation *op = argument.getOwner()->getParentOp();
  unsigned number = argument.getArgNumber();
  if (auto dispatch = dyn_cast<qd::DispatchOp>(op))
    return dispatch.getInputs()[number];
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return argument.getOwner() == loop.getBeforeBody()
               ? loop.getInits()[number]
               : loop.getConditionOp().getArgs()[number];
  auto loop = dyn_cast<scf::ForOp>(op);
  return loop && number > 0 ? loop.getInitArgs()[number - 1] : Value();
}

SymbolicShapes::Shape SymbolicShapes::computeShape(Value tensor) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  Shape unknown(rank, kUnknown);
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    Value outer = outerValue(argument);
    return outer && outer.getType() == tensor.getType() ? shapeOf(outer)
                                                        : unknown;
  }
  auto result = cast<OpResult>(tensor);
  return llvm::TypeSwitch<Operation *, Shape>(result.getOwner())
      .Case<qd::DispatchOp>([&](auto dispatch) {
        return shapeOf(
            dispatch.getYield().getOperand(result.getResultNumber()));
      })
      .Case<scf::ForOp>([&](auto loop) {
        return shapeOf(loop.getInitArgs()[result.getResultNumber()]);
      })
      .Case<scf::WhileOp>([&](auto loop) {
        return shapeOf(
            loop.getConditionOp().getArgs()[result.getResultNumber()]);
      })
      .Case<qd::AnySizeOp>([&](auto) { return unknown; })
      .Case<qd::SizedOp>(
          [&](auto sized) { return sizesOf(sized.getMixedSizes()); })
      .Case<scf::IfOp>([&](auto branch) {
        return shapeOf(branch.thenYield().getOperand(result.getResultNumber()));
      })
      .Case<tensor::EmptyOp>(
          [&](auto empty) { return sizesOf(empty.getMixedSizes()); })
      .Case<tensor::ExpandShapeOp>(
          [&](auto expand) { return sizesOf(expand.getMixedOutputShape()); })
      .Case<tensor::CollapseShapeOp>([&](auto collapse) {
        Shape from = shapeOf(collapse.getSrc()), shape;
        for (const ReassociationIndices &group :
             collapse.getReassociationIndices()) {
          int64_t product = 1;
          for (int64_t axis : group)
            product = sizes.mul(product, from[axis]);
          shape.push_back(product);
        }
        return shape;
      })
      .Case<tensor::PadOp>([&](auto pad) {
        Shape shape = shapeOf(pad.getSource()),
              low = sizesOf(pad.getMixedLowPad()),
              high = sizesOf(pad.getMixedHighPad());
        for (int64_t axis = 0; axis < rank; ++axis)
          shape[axis] =
              sizes.add(shape[axis], sizes.add(low[axis], high[axis]));
        return shape;
      })
      .Case<tensor::ConcatOp>([&](auto concat) {
        Shape shape = shapeOf(concat.getInputs().front());
        for (Value part : concat.getInputs().drop_front())
          shape[concat.getDim()] =
              sizes.add(shape[concat.getDim()], shapeOf(part)[concat.getDim()]);
        return shape;
      })
      .Case<tensor::ExtractSliceOp>([&](auto slice) {
        Shape all = sizesOf(slice.getMixedSizes()), shape;
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [axis, size] : llvm::enumerate(all))
          if (!dropped.test(axis))
            shape.push_back(size);
        return shape;
      })
      .Case<qd::BlockMatmulOp>([&](auto product) {
        return Shape{shapeOf(product.getLhs())[0],
                     shapeOf(product.getRhs())[1]};
      })
      .Case<DestinationStyleOpInterface>([&](auto styled) {
        return shapeOf(styled.getTiedOpOperand(result)->get());
      })
      .Default([&](Operation *op) {
        // Every other op of the dialect keeps the shape of its first operand.
        if (op->getNumOperands() == 0 || op->getNumRegions() != 0)
          return unknown;
        auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
        return from && from.getRank() == rank ? shapeOf(op->getOperand(0))
                                              : unknown;
      });
}

int64_t SymbolicShapes::computeSize(Value index) {
  if (auto argument = dyn_cast<BlockArgument>(index)) {
    Value outer = outerValue(argument);
    return outer ? sizeOf(outer) : kUnknown;
  }
  Operation *op = index.getDefiningOp();
  if (std::optional<int64_t> number = getConstantIntValue(index))
    return *number;
  if (auto dataSize = dyn_cast<qd::DataSizeOp>(op)) {
    int64_t limit = SymbolicSizes::kUnbounded;
    if (Value most = dataSize.getLimit())
      limit = sizeOf(most);
    return sizes.computedSymbol(dataSize.getSymbol(),
                                limit == kUnknown ? SymbolicSizes::kUnbounded
                                                  : limit);
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!axis || !isa<RankedTensorType>(dim.getSource().getType()))
      return kUnknown;
    return shapeOf(dim.getSource())[*axis];
  }
  if (op->getNumOperands() != 2)
    return kUnknown;
  int64_t x = sizeOf(op->getOperand(0)), y = sizeOf(op->getOperand(1));
  if (x == kUnknown || y == kUnknown)
    return kUnknown;
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<arith::AddIOp>([&](auto) { return sizes.add(x, y); })
      .Case<arith::SubIOp>([&](auto) { return sizes.sub(x, y); })
      .Case<arith::MulIOp>([&](auto) { return sizes.mul(x, y); })
      .Case<arith::FloorDivSIOp>([&](auto) { return sizes.floorDiv(x, y); })
      .Case<arith::CeilDivSIOp>([&](auto) { return sizes.ceilDiv(x, y); })
      .Case<arith::MaxSIOp>([&](auto) { return sizes.max(x, y); })
      .Case<arith::MinSIOp>([&](auto) { return sizes.min(x, y); })
      .Default([](Operation *) { return kUnknown; });
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One element of a tensor of a dispatch, computed where it is asked for.

#include "ElementEmitter.h"
#include "Emitter.h"
#include "KernelFunction.h"
#include "KernelRegion.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace qdialect::gpu {

ElementEmitter::ElementEmitter(ImplicitLocOpBuilder &builder,
                               qd::DispatchOp dispatch, ValueRange pointers)
    : b(builder), dispatch(dispatch), pointers(pointers),
      constants(loadedConstants(dispatch)) {}

Value ElementEmitter::index(int64_t number) {
  return arith::ConstantIndexOp::create(b, number);
}

Value ElementEmitter::add(Value x, Value y) {
  return b.createOrFold<arith::AddIOp>(x, y);
}

Value ElementEmitter::mul(Value x, int64_t y) {
  return b.createOrFold<arith::MulIOp>(x, index(y));
}

Value ElementEmitter::linear(ValueRange indices, ArrayRef<int64_t> shape) {
  Value position = index(0);
  for (auto [i, size] : llvm::zip_equal(indices, shape))
    position = size == 1 ? position : add(mul(position, size), i);
  return position;
}

SmallVector<Value> ElementEmitter::indicesOf(Value position,
                                             ArrayRef<int64_t> shape) {
  SmallVector<Value> indices(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == 1) {
      indices[axis] = index(0);
      continue;
    }
    Value size = index(shape[axis]);
    indices[axis] = b.createOrFold<arith::RemUIOp>(position, size);
    position = b.createOrFold<arith::DivUIOp>(position, size);
  }
  return indices;
}

Value ElementEmitter::address(Value pointer, Value position, Type element) {
  Value bytes = arith::IndexCastOp::create(
      b, b.getI64Type(), mul(position, cpu::elementBytes(element)));
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

Value ElementEmitter::load(Value pointer, Value position, Type element) {
  bool isBool = element.isInteger(1);
  Value value = LLVM::LoadOp::create(b, isBool ? b.getI8Type() : element,
                                     address(pointer, position, element),
                                     cpu::elementBytes(element));
  if (isBool)
    return arith::TruncIOp::create(b, element, value);
  if (!cpu::isOffsetBinary(element))
    return value;
  return arith::XOrIOp::create(b, value,
                               arith::ConstantIntOp::create(b, element, -128));
}

void ElementEmitter::store(Value element, Value position) {
  Type type = element.getType();
  Value pointer = pointers[dispatch.getInputs().size()];
  if (type.isInteger(1))
    element = arith::ExtUIOp::create(b, b.getI8Type(), element);
  else if (cpu::isOffsetBinary(type))
    element = arith::XOrIOp::create(
        b, element, arith::ConstantIntOp::create(b, type, -128));
  LLVM::StoreOp::create(b, element, address(pointer, position, type),
                        cpu::elementBytes(type));
}

void ElementEmitter::define(Value tensor, Value element) {
  defined[tensor] = element;
  known.clear();
}

Value ElementEmitter::at(Value tensor, ValueRange indices) {
  std::vector<void *> places;
  for (Value i : indices)
    places.push_back(i.getAsOpaquePointer());
  auto key = std::make_pair(tensor.getAsOpaquePointer(), std::move(places));
  auto entry = known.find(key);
  if (entry != known.end())
    return entry->second;
  Value element = compute(tensor, indices);
  known[key] = element;
  return element;
}

Value ElementEmitter::compute(Value tensor, ValueRange indices) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type element = type.getElementType();
  if (Value value = defined.lookup(tensor))
    return value;
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return load(pointers[argument.getArgNumber()],
                linear(indices, type.getShape()), element);
  Operation *op = tensor.getDefiningOp();
  if (isa<arith::ConstantOp>(op)) {
    if (Attribute value = cpu::splatOf(tensor))
      return arith::ConstantOp::create(b, cast<TypedAttr>(value));
    size_t place = llvm::find(constants, tensor) - constants.begin();
    return load(pointers[dispatch.getInputs().size() + 1 + place],
                linear(indices, type.getShape()), element);
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return padElement(pad, indices);
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    Value source = op->getOperand(0);
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(source.getType()).getShape();
    return at(source, indicesOf(linear(indices, type.getShape()), shape));
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<Value> moved;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    size_t next = 0;
    for (auto [axis, offset, stride] :
         llvm::enumerate(slice.getStaticOffsets(), slice.getStaticStrides()))
      moved.push_back(dropped[axis]
                          ? index(offset)
                          : add(mul(indices[next++], stride), index(offset)));
    return at(slice.getSource(), moved);
  }
  return linalgElement(cast<linalg::LinalgOp>(op), indices);
}

Value ElementEmitter::padElement(tensor::PadOp op, ValueRange indices) {
  ArrayRef<int64_t> shape = op.getSourceType().getShape();
  Value inside;
  SmallVector<Value> moved;
  for (auto [axis, i] : llvm::enumerate(indices)) {
    int64_t low = op.getStaticLow()[axis];
    if (low == 0 && op.getStaticHigh()[axis] == 0) {
      moved.push_back(i);
      continue;
    }
    moved.push_back(b.createOrFold<arith::SubIOp>(i, index(low)));
    // Below 0 is a large number, too.
    Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                       moved.back(), index(shape[axis]));
    inside = inside ? arith::AndIOp::create(b, inside, fits) : fits;
  }
  if (!inside)
    return at(op.getSource(), moved);
  IRMapping mapping;
  Value padding = scalar(op.getConstantPaddingValue(), mapping);
  auto before = known;
  auto branch = scf::IfOp::create(b, padding.getType(), inside,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, at(op.getSource(), moved));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, padding);
  }
  known = std::move(before);
  return branch.getResult(0);
}

Value ElementEmitter::linalgElement(linalg::LinalgOp op, ValueRange indices) {
  OpOperand *init = op.getDpsInitOperand(0);
  SmallVector<Value> loops(op.getNumLoops());
  AffineMap map = op.getMatchingIndexingMap(init);
  for (auto [result, i] : llvm::zip_equal(map.getResults(), indices))
    loops[cast<AffineDimExpr>(result).getPosition()] = i;
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  Value accumulator;
  if (op.payloadUsesValueFromOperand(init))
    accumulator = at(init->get(), indices);
  return reduce(op, loops, reductions, accumulator);
}

Value ElementEmitter::reduce(linalg::LinalgOp op, MutableArrayRef<Value> loops,
                             ArrayRef<unsigned> reductions, Value accumulator) {
  if (reductions.empty())
    return payload(op, loops, accumulator);
  int64_t size = op.getStaticLoopRanges()[reductions.front()];
  auto loop = scf::ForOp::create(b, index(0), index(size), index(1),
                                 ValueRange{accumulator});
  auto before = known;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    loops[reductions.front()] = loop.getInductionVar();
    scf::YieldOp::create(b, reduce(op, loops, reductions.drop_front(),
                                   loop.getRegionIterArg(0)));
  }
  known = std::move(before);
  return loop.getResult(0);
}

/// A scalar of the payload, or a constant that stands around it.
Value ElementEmitter::scalar(Value value, IRMapping &mapping) {
  if (!mapping.contains(value))
    mapping.map(value, b.clone(*value.getDefiningOp())->getResult(0));
  return mapping.lookup(value);
}

Value ElementEmitter::payload(linalg::LinalgOp op, ArrayRef<Value> loops,
                              Value accumulator) {
  IRMapping mapping;
  Block *body = op.getBlock();
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = body->getArgument(operand.getOperandNumber());
    if (argument.use_empty())
      continue;
    if (op.isDpsInit(&operand)) {
      mapping.map(argument, accumulator);
      continue;
    }
    if (!isa<RankedTensorType>(operand.get().getType())) {
      mapping.map(argument, scalar(operand.get(), mapping));
      continue;
    }
    SmallVector<Value> indices(*affine::expandAffineMap(
        b, b.getLoc(), op.getMatchingIndexingMap(&operand), loops));
    mapping.map(argument, at(operand.get(), indices));
  }
  for (Operation &inner : body->without_terminator()) {
    if (auto position = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(position.getResult(), loops[position.getDim()]);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      SmallVector<Value> indices;
      for (Value i : extract.getIndices())
        indices.push_back(scalar(i, mapping));
      mapping.map(extract.getResult(), at(extract.getTensor(), indices));
    } else if (auto lookup = dyn_cast<qd::LookupOp>(inner)) {
      Value code = arith::IndexCastUIOp::create(
          b, b.getIndexType(), scalar(lookup.getCodes(), mapping));
      mapping.map(lookup.getResult(), at(lookup.getTable(), code));
    } else {
      for (Value operand : inner.getOperands())
        scalar(operand, mapping);
      b.clone(inner, mapping);
    }
  }
  return scalar(body->getTerminator()->getOperand(0), mapping);
}

} // namespace qdialect::gpu

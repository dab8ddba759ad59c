// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of a tensor of a dispatch, computed where they are asked for.

#include "ElementEmitter.h"
#include "KernelFunction.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace qdialect::gpu {

ElementEmitter::ElementEmitter(ImplicitLocOpBuilder &builder,
                               qd::DispatchOp dispatch, ValueRange pointers,
                               Operation *root)
    : b(builder), dispatch(dispatch), pointers(pointers),
      constants(loadedConstants(dispatch, root)) {}

ElementEmitter::ElementEmitter(ImplicitLocOpBuilder &builder,
                               const cpu::KernelRegion &region,
                               ValueRange pointers)
    : b(builder), dispatch(region.dispatch), pointers(pointers),
      constants(loadedConstants(dispatch)), shapes(region.shapes) {
  if (!shapes)
    return;
  sizes.emplace(b.getLoc(), b, threadTarget());
  Value generic = LLVM::AddrSpaceCastOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext()), pointers.back());
  sizes->bindSizes(region, generic);
}

Value ElementEmitter::index(int64_t number) {
  if (!SymbolicSizes::isSymbolic(number))
    return arith::ConstantIndexOp::create(b, number);
  sizes->restoreInsertionPoint(b.saveInsertionPoint());
  return b.createOrFold<arith::IndexCastOp>(b.getIndexType(),
                                            sizes->index(number));
}

SmallVector<int64_t> ElementEmitter::shapeOf(Value tensor) const {
  if (shapes)
    return shapes->shapeOf(tensor);
  return llvm::to_vector(cast<RankedTensorType>(tensor.getType()).getShape());
}

Value ElementEmitter::add(Value x, Value y) {
  return b.createOrFold<arith::AddIOp>(x, y);
}

Value ElementEmitter::mul(Value x, int64_t y) {
  return b.createOrFold<arith::MulIOp>(x, index(y));
}

static std::vector<void *> keyOf(ValueRange values) {
  std::vector<void *> key;
  for (Value value : values)
    key.push_back(value.getAsOpaquePointer());
  return key;
}

/// Dimensions of one element number nothing.
static std::pair<std::vector<void *>, std::vector<int64_t>>
withoutUnits(ValueRange indices, ArrayRef<int64_t> shape) {
  std::pair<std::vector<void *>, std::vector<int64_t>> result;
  for (auto [i, size] : llvm::zip_equal(indices, shape))
    if (size != 1) {
      result.first.push_back(i.getAsOpaquePointer());
      result.second.push_back(size);
    }
  return result;
}

void ElementEmitter::identify(ValueRange indices, ArrayRef<int64_t> shape,
                              Value position) {
  auto [key, sizes] = withoutUnits(indices, shape);
  numbers[key] = {sizes, position};
}

Value ElementEmitter::linear(ValueRange indices, ArrayRef<int64_t> shape) {
  auto [key, sizes] = withoutUnits(indices, shape);
  auto entry = numbers.find(key);
  if (entry != numbers.end() && entry->second.first == sizes)
    return entry->second.second;
  Value position = index(0);
  for (auto [i, size] : llvm::zip_equal(indices, shape))
    position = size == 1 ? position : add(mul(position, size), i);
  return position;
}

ElementEmitter::Values ElementEmitter::indicesOf(Value position,
                                                 ArrayRef<int64_t> shape) {
  // Divisions of 64 bits are long.
  double elements = 1;
  for (int64_t size : shape)
    elements *= static_cast<double>(SymbolicSizes::isSymbolic(size)
                                        ? shapes->sizes.bounds(size).high
                                        : size);
  Type type = elements <= INT32_MAX ? b.getI32Type() : b.getI64Type();
  Value whole = position;
  position = b.createOrFold<arith::IndexCastUIOp>(type, position);
  SmallVector<Value> indices(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == 1) {
      indices[axis] = index(0);
      continue;
    }
    Value here = position;
    bool isOutermost = llvm::all_of(shape.take_front(axis),
                                    [](int64_t outer) { return outer == 1; });
    // Nothing is left of it for an outermost dimension.
    if (!isOutermost) {
      Value size =
          b.createOrFold<arith::IndexCastUIOp>(type, index(shape[axis]));
      here = b.createOrFold<arith::RemUIOp>(position, size);
      position = b.createOrFold<arith::DivUIOp>(position, size);
    }
    indices[axis] =
        b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), here);
  }
  identify(indices, shape, whole);
  return indices;
}

Value ElementEmitter::address(Value pointer, Value position, Type element) {
  Value bytes = arith::IndexCastOp::create(
      b, b.getI64Type(), mul(position, cpu::elementBytes(element)));
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

Value ElementEmitter::load(Value pointer, Value position, Type element) {
  if (isa<qd::UIntType>(element)) {
    Type storage = qd::getStorageType(element);
    Value bits =
        LLVM::LoadOp::create(b, storage, address(pointer, position, element),
                             cpu::elementBytes(element));
    return qd::StorageCastOp::create(b, element, bits);
  }
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
  if (isa<qd::UIntType>(type))
    element = qd::StorageCastOp::create(b, qd::getStorageType(type), element);
  else if (type.isInteger(1))
    element = arith::ExtUIOp::create(b, b.getI8Type(), element);
  else if (cpu::isOffsetBinary(type))
    element = arith::XOrIOp::create(
        b, element, arith::ConstantIntOp::create(b, type, -128));
  LLVM::StoreOp::create(b, element, address(pointer, position, type),
                        cpu::elementBytes(type));
}

void ElementEmitter::define(Value tensor, Values elements) {
  defined[tensor] = std::move(elements);
  known.clear();
}

ElementEmitter::Values ElementEmitter::at(Value tensor, const Places &places) {
  SmallVector<std::pair<void *, std::vector<void *>>> keys;
  Places missing;
  for (const Values &indices : places) {
    keys.push_back({tensor.getAsOpaquePointer(), keyOf(indices)});
    if (!known.count(keys.back()))
      missing.push_back(indices);
  }
  if (!missing.empty()) {
    Values computed = compute(tensor, missing);
    for (auto [indices, element] : llvm::zip_equal(missing, computed))
      known[{tensor.getAsOpaquePointer(), keyOf(indices)}] = element;
  }
  return llvm::map_to_vector(keys, [&](const auto &key) { return known[key]; });
}

ElementEmitter::Values ElementEmitter::compute(Value tensor,
                                               const Places &places) {
  Type element = getElementTypeOrSelf(tensor.getType());
  SmallVector<int64_t> shape = shapeOf(tensor);
  if (auto entry = defined.find(tensor); entry != defined.end()) {
    assert(entry->second.size() == places.size() && "an element each");
    return entry->second;
  }
  auto loadAll = [&](Value pointer) {
    return llvm::map_to_vector(places, [&](const Values &indices) {
      return load(pointer, linear(indices, shape), element);
    });
  };
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return loadAll(pointers[argument.getArgNumber()]);
  Operation *op = tensor.getDefiningOp();
  if (isa<arith::ConstantOp>(op)) {
    if (Attribute value = cpu::splatOf(tensor))
      return Values(places.size(),
                    arith::ConstantOp::create(b, cast<TypedAttr>(value)));
    size_t place = llvm::find(constants, tensor) - constants.begin();
    return loadAll(pointers[dispatch.getInputs().size() + 1 + place]);
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return padElements(pad, places);
  Places moved;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    Value source = op->getOperand(0);
    for (const Values &indices : places)
      moved.push_back(indicesOf(linear(indices, shape), shapeOf(source)));
    return at(source, moved);
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (const Values &indices : places) {
      Values &here = moved.emplace_back();
      size_t next = 0;
      for (auto [axis, offset, stride] :
           llvm::enumerate(slice.getStaticOffsets(), slice.getStaticStrides()))
        here.push_back(dropped[axis]
                           ? index(offset)
                           : add(mul(indices[next++], stride), index(offset)));
    }
    return at(slice.getSource(), moved);
  }
  return linalgElements(cast<linalg::LinalgOp>(op), places);
}

ElementEmitter::Values ElementEmitter::padElements(tensor::PadOp op,
                                                   const Places &places) {
  SmallVector<int64_t> shape = shapeOf(op.getSource());
  Places moved;
  Values inside;
  for (const Values &indices : places) {
    Values &here = moved.emplace_back();
    Value &isInside = inside.emplace_back();
    for (auto [axis, i] : llvm::enumerate(indices)) {
      int64_t low = op.getStaticLow()[axis];
      if (low == 0 && op.getStaticHigh()[axis] == 0) {
        here.push_back(i);
        continue;
      }
      Value place = b.createOrFold<arith::SubIOp>(i, index(low));
      // Below 0 is a large number, too.
      Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place,
                                         index(shape[axis]));
      // No branch: outside another element is read and not taken.
      here.push_back(arith::SelectOp::create(b, fits, place, index(0)));
      isInside = isInside ? arith::AndIOp::create(b, isInside, fits) : fits;
    }
  }
  Values elements = at(op.getSource(), moved);
  IRMapping mapping;
  Value padding = scalar(op.getConstantPaddingValue(), mapping);
  for (auto [element, isInside] : llvm::zip_equal(elements, inside))
    if (isInside)
      element = arith::SelectOp::create(b, isInside, element, padding);
  return elements;
}

ElementEmitter::Values ElementEmitter::linalgElements(linalg::LinalgOp op,
                                                      const Places &places) {
  OpOperand *init = op.getDpsInitOperand(0);
  AffineMap map = op.getMatchingIndexingMap(init);
  Places loops;
  for (const Values &indices : places) {
    Values &here = loops.emplace_back(op.getNumLoops());
    for (auto [result, i] : llvm::zip_equal(map.getResults(), indices))
      here[cast<AffineDimExpr>(result).getPosition()] = i;
  }
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  Values accumulators(places.size());
  if (op.payloadUsesValueFromOperand(init))
    accumulators = at(init->get(), places);
  return reduce(op, loops, reductions, accumulators);
}

ElementEmitter::Values ElementEmitter::reduce(linalg::LinalgOp op,
                                              Places &loops,
                                              ArrayRef<unsigned> reductions,
                                              Values accumulators) {
  if (reductions.empty())
    return payload(op, loops, accumulators);
  int64_t size = op.getStaticLoopRanges()[reductions.front()];
  if (ShapedType::isDynamic(size)) {
    auto [tensor, axis] = *loopTensor(op, reductions.front());
    size = shapeOf(tensor)[axis];
  }
  auto loop =
      scf::ForOp::create(b, index(0), index(size), index(1), accumulators);
  auto before = known;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    for (Values &here : loops)
      here[reductions.front()] = loop.getInductionVar();
    scf::YieldOp::create(b, reduce(op, loops, reductions.drop_front(),
                                   Values(loop.getRegionIterArgs())));
  }
  known = std::move(before);
  return Values(loop.getResults());
}

/// A scalar of the payload, or a constant that stands around it.
Value ElementEmitter::scalar(Value value, IRMapping &mapping) {
  if (!mapping.contains(value))
    mapping.map(value, b.clone(*value.getDefiningOp())->getResult(0));
  return mapping.lookup(value);
}

ElementEmitter::Values ElementEmitter::payload(linalg::LinalgOp op,
                                               const Places &loops,
                                               const Values &accumulators) {
  SmallVector<IRMapping> mappings(loops.size());
  auto mapAll = [&](Value to, const Values &values) {
    for (auto [mapping, value] : llvm::zip_equal(mappings, values))
      mapping.map(to, value);
  };
  auto indicesOfAll =
      [&](function_ref<Values(const Values &, IRMapping &)> of) {
        Places places;
        for (auto [here, mapping] : llvm::zip_equal(loops, mappings))
          places.push_back(of(here, mapping));
        return places;
      };
  Block *body = op.getBlock();
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = body->getArgument(operand.getOperandNumber());
    if (argument.use_empty())
      continue;
    if (op.isDpsInit(&operand)) {
      mapAll(argument, accumulators);
    } else if (!isa<RankedTensorType>(operand.get().getType())) {
      for (IRMapping &mapping : mappings)
        mapping.map(argument, scalar(operand.get(), mapping));
    } else {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      mapAll(argument, at(operand.get(),
                          indicesOfAll([&](const Values &here, IRMapping &) {
                            return Values(*affine::expandAffineMap(
                                b, b.getLoc(), map, here));
                          })));
    }
  }
  for (Operation &inner : body->without_terminator()) {
    if (auto position = dyn_cast<linalg::IndexOp>(inner)) {
      for (auto [here, mapping] : llvm::zip_equal(loops, mappings))
        mapping.map(position.getResult(), here[position.getDim()]);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      mapAll(extract.getResult(),
             at(extract.getTensor(),
                indicesOfAll([&](const Values &, IRMapping &mapping) {
                  return llvm::map_to_vector(
                      extract.getIndices(),
                      [&](Value i) { return scalar(i, mapping); });
                })));
    } else if (auto lookup = dyn_cast<qd::LookupOp>(inner)) {
      mapAll(lookup.getResult(),
             at(lookup.getTable(),
                indicesOfAll([&](const Values &, IRMapping &mapping) -> Values {
                  return {arith::IndexCastUIOp::create(
                      b, b.getIndexType(), scalar(lookup.getCodes(), mapping))};
                })));
    } else {
      for (IRMapping &mapping : mappings) {
        for (Value operand : inner.getOperands())
          scalar(operand, mapping);
        b.clone(inner, mapping);
      }
    }
  }
  Value result = body->getTerminator()->getOperand(0);
  return llvm::map_to_vector(
      mappings, [&](IRMapping &mapping) { return scalar(result, mapping); });
}

} // namespace qdialect::gpu

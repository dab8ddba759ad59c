// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The general part of the payload vectoriser: operands, constants, and one
// vector op for each scalar op. The casts of codes are in PayloadCodes.cpp.

#include "Payload.h"

#include "PayloadFrame.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include <numeric>

using namespace mlir;

namespace qdialect::cpu {

Type loadedType(Type element) {
  if (auto integer = dyn_cast<IntegerType>(element))
    return integer.getWidth() < 8 ? IntegerType::get(element.getContext(), 8)
                                  : element;
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() >= 16)
    return element;
  return qd::getStorageType(element);
}

Position Position::at(Emitter &e, const Epilogue &epilogue, Value row,
                      Value column) {
  Position position;
  unsigned numOuter = epilogue.sizes.size() - 1;
  position.counters.resize(numOuter + 1);
  for (unsigned loop = numOuter; loop-- > 1;) {
    position.counters[loop] = e.rem(row, epilogue.sizes[loop]);
    row = e.div(row, epilogue.sizes[loop]);
  }
  if (numOuter > 0)
    position.counters[0] = row;
  position.counters[numOuter] = column;
  return position;
}

void PayloadEmitter::forEachInMemory(
    function_ref<void(const Epilogue::Operand &)> visit) {
  auto want = [&](const Epilogue::Operand &operand) {
    if (operand.kind == Epilogue::Operand::Memory)
      visit(operand);
  };
  if (epilogue.isPassThrough())
    want(epilogue.passThrough());
  for (Operation *step : epilogue.region->steps) {
    unsigned numInputs = isa<qd::LookupOp>(step)
                             ? 1
                             : cast<linalg::GenericOp>(step).getNumDpsInputs();
    for (OpOperand &use : step->getOpOperands().take_front(numInputs))
      want(epilogue.operand(use));
    step->walk([&](tensor::ExtractOp extract) {
      want(epilogue.operand(extract.getTensorMutable()));
    });
  }
}

void PayloadEmitter::begin() {
  forEachInMemory([&](const Epilogue::Operand &operand) {
    if (!pointers.contains(operand.argument))
      pointers[operand.argument] = e.argument(arguments, operand.argument);
  });
  if (epilogue.originArgument)
    pointers[epilogue.passThrough().argument] =
        passThroughStart(e, epilogue, arguments);
  unsigned output = epilogue.region->numInputs();
  pointers[output] = e.argument(arguments, output);
  for (auto [step, table] : epilogue.tables)
    pointers[table] = e.argument(arguments, table);
  for (auto [constant, place] : epilogue.parameters)
    parameters[constant] = loadParameter(e, epilogue, arguments, constant);
}

bool PayloadEmitter::isConstant(const Epilogue::Operand &operand) const {
  return operand.argument > epilogue.region->numInputs() &&
         elementBytes(operand.element) <= 4;
}

void PayloadEmitter::readColumns(Value column, int64_t channels) {
  Position position;
  position.counters.assign(epilogue.sizes.size(), e.index(0));
  position.counters.back() = column;
  forEachInMemory([&](const Epilogue::Operand &operand) {
    if (!isConstant(operand) ||
        llvm::any_of(ArrayRef(operand.form.coefficients).drop_back(),
                     [](int64_t step) { return step != 0; }))
      return;
    for (int64_t first = 0; first < channels; first += Emitter::kLanes) {
      position.laneOffset = first;
      columns[{&operand, first}] = load(operand, position);
    }
  });
}

Value loadParameter(Emitter &e, const Epilogue &epilogue, Value arguments,
                    Value constant) {
  int64_t number = epilogue.parameters.lookup(constant);
  Type element = getElementTypeOrSelf(constant.getType());
  if (element.isInteger(64))
    element = e.i32();
  Value place = e.argument(arguments, epilogue.parametersArgument);
  return e.broadcast(e.load(element, e.at(place, 4 * number), 4),
                     Emitter::vector(element));
}

Value passThroughStart(Emitter &e, const Epilogue &epilogue, Value arguments) {
  const Epilogue::Operand &from = epilogue.passThrough();
  Value start = e.argument(arguments, from.argument);
  if (epilogue.originArgument)
    return e.at(
        start,
        e.load(e.i64(), e.argument(arguments, *epilogue.originArgument), 8));
  return e.at(start, from.form.offset * elementBytes(from.element));
}

Value PayloadEmitter::address(unsigned argument, Type element,
                              const LinearForm &form,
                              const Position &position) {
  int64_t bytes = elementBytes(element);
  Value offset = e.index(0);
  for (auto [counter, coefficient] :
       llvm::zip(position.counters, form.coefficients))
    if (SymbolicSizes::isSymbolic(coefficient))
      offset = e.add(offset, e.mul(e.mul(counter, coefficient), bytes));
    else if (coefficient != 0)
      offset = e.add(offset, e.mul(counter, coefficient * bytes));
  int64_t constant =
      form.offset + position.laneOffset * form.coefficients.back();
  return e.at(e.at(pointers.lookup(argument), offset), constant * bytes);
}

unsigned PayloadEmitter::alignmentOf(Type element, const LinearForm &form,
                                     const Position &position) const {
  int64_t bytes = elementBytes(element);
  auto known = [](int64_t size) {
    return SymbolicSizes::isSymbolic(size) ? 1 : size;
  };
  int64_t last = known(form.coefficients.back());
  int64_t alignment = std::gcd(
      baseAlignment, bytes * (known(form.offset) + position.laneOffset * last));
  for (int64_t coefficient : ArrayRef(form.coefficients).drop_back())
    alignment = std::gcd(alignment, bytes * known(coefficient));
  alignment = std::gcd(alignment, bytes * columnAlignment * last);
  return static_cast<unsigned>(alignment);
}

Lanes PayloadEmitter::load(const Epilogue::Operand &operand,
                           const Position &position) {
  if (operand.kind == Epilogue::Operand::Splat)
    return splat(operand.splat);
  if (operand.kind == Epilogue::Operand::Parameter)
    return constantLanes(operand.value);
  auto known = columns.find({&operand, position.laneOffset});
  if (known != columns.end())
    return known->second;
  Type element = loadedType(operand.element);
  int64_t bytes = elementBytes(operand.element);
  auto type = Emitter::vector(element);
  Value pointer =
      address(operand.argument, operand.element, operand.form, position);
  unsigned alignment = alignmentOf(operand.element, operand.form, position);
  auto load = [&](Type type) -> Value {
    return LLVM::LoadOp::create(e, type, pointer, alignment,
                                /*isVolatile=*/false, /*isNonTemporal=*/false,
                                /*isInvariant=*/isConstant(operand));
  };
  Value raw;
  int64_t stride = operand.form.coefficients.back();
  if (stride == 0) {
    raw = e.broadcast(load(element), type);
  } else if (stride != 1) {
    // Lanes that do not exist must not be read: the stride may leave the
    // buffer.
    Value lanes = e.mul(e.iota(e.i64()), e.constantInt(Emitter::vector(e.i64()),
                                                       stride * bytes));
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i8(), pointer,
        ArrayRef<LLVM::GEPArg>{lanes}, LLVM::GEPNoWrapFlags::inbounds);
    Value mask = position.mask ? position.mask : e.prefixMask(Emitter::kLanes);
    raw = LLVM::masked_gather::create(e, type, addresses, mask,
                                      ValueRange{e.constant(type, 0)},
                                      e.getI32IntegerAttr(1));
  } else if (position.mask && !isConstant(operand) &&
             !isOffsetBinary(operand.element)) {
    // It may be the caller's own buffer.
    raw = e.maskedLoad(type, pointer, position.mask);
  } else {
    // Codes and constants lie in buffers with slack behind them: a whole vector
    // may be read.
    raw = load(type);
  }
  return ofLoaded(raw, operand.element);
}

/// Lanes of a vector as `loadedType` says it lies in memory.
Lanes PayloadEmitter::ofLoaded(Value raw, Type stored) {
  if (isOffsetBinary(stored))
    return Lanes::codes(
        arith::ExtUIOp::create(e, Emitter::vector(e.i32()), raw));
  if (stored.isInteger(1))
    return Lanes::of(arith::CmpIOp::create(e, arith::CmpIPredicate::ne, raw,
                                           e.constantInt(raw.getType(), 0)));
  if (getElementTypeOrSelf(raw) == stored)
    return Lanes::of(raw);
  auto wanted = Emitter::vector(stored);
  if (isa<IntegerType>(stored))
    return Lanes::of(arith::TruncIOp::create(e, wanted, raw));
  return Lanes::of(qd::StorageCastOp::create(e, wanted, raw));
}

Lanes PayloadEmitter::splat(Attribute attribute) {
  Lanes lanes;
  if (auto integer = dyn_cast<IntegerAttr>(attribute)) {
    lanes.known = integer.getInt();
    if (isOffsetBinary(integer.getType()))
      lanes.offset =
          e.constantInt(Emitter::vector(e.i32()), integer.getInt() + 128);
    else
      lanes.plain =
          e.constantInt(Emitter::vector(integer.getType()), integer.getInt());
    return lanes;
  }
  auto real = cast<FloatAttr>(attribute);
  auto type = Emitter::vector(real.getType());
  lanes.plain =
      arith::ConstantOp::create(e, DenseElementsAttr::get(type, attribute));
  return lanes;
}

Lanes PayloadEmitter::constantLanes(Value constant) {
  if (Value parameter = parameters.lookup(constant))
    return getElementTypeOrSelf(constant.getType()).isInteger(64)
               ? Lanes::ofWords(parameter, 64)
               : Lanes::of(parameter);
  Attribute value;
  bool isConstant = matchPattern(constant, m_Constant(&value));
  assert(isConstant && "payload uses a value that nothing computed");
  (void)isConstant;
  return splat(value);
}

Value PayloadEmitter::offset(Lanes &lanes) {
  auto type = Emitter::vector(e.i32());
  if (!lanes.offset && lanes.fixed)
    lanes.offset = rounded(*lanes.fixed);
  if (!lanes.offset) {
    Value flipped = arith::XOrIOp::create(
        e, lanes.plain, e.constantInt(lanes.plain.getType(), -128));
    lanes.offset = arith::ExtUIOp::create(e, type, flipped);
  }
  if (lanes.pending) {
    lanes.offset =
        arith::MaxSIOp::create(e, lanes.offset, e.constantInt(type, lanes.low));
    lanes.offset = arith::MinSIOp::create(e, lanes.offset,
                                          e.constantInt(type, lanes.high));
    lanes.pending = false;
  }
  return lanes.offset;
}

Value PayloadEmitter::plain(Lanes &lanes) {
  if (!lanes.plain && lanes.mantissa) {
    auto type = Emitter::vector(e.i32());
    lanes.plain = arith::AddIOp::create(
        e, lanes.mantissa,
        arith::SubIOp::create(e, lanes.addend, e.constantInt(type, kBits)));
  } else if (!lanes.plain && !lanes.offset && (lanes.words || lanes.wide)) {
    lanes.plain = plainOfWide(lanes);
  } else if (!lanes.plain) {
    auto type = Emitter::vector(e.i8());
    lanes.plain = arith::XOrIOp::create(
        e, arith::TruncIOp::create(e, type, offset(lanes)),
        e.constantInt(type, -128));
  }
  return lanes.plain;
}

Lanes PayloadEmitter::operandValue(Frame &frame, OpOperand &use) {
  const Epilogue::Operand &operand = epilogue.operand(use);
  if (operand.kind == Epilogue::Operand::Chain)
    return tensorValue(frame, operand.value);
  return load(operand, frame.position);
}

Lanes PayloadEmitter::tensorValue(Frame &frame, Value tensor) {
  auto [known, isNew] = frame.values.try_emplace(tensor.getAsOpaquePointer());
  if (!isNew)
    return known->second;
  Operation *op = tensor.getDefiningOp();
  Lanes result;
  if (auto lookupOp = dyn_cast<qd::LookupOp>(op)) {
    result = lookup(operandValue(frame, lookupOp->getOpOperand(0)), lookupOp);
  } else {
    auto generic = cast<linalg::GenericOp>(op);
    Block &body = *generic.getBlock();
    for (OpOperand *input : generic.getDpsInputOperands()) {
      BlockArgument argument = generic.getMatchingBlockArgument(input);
      if (!argument.use_empty())
        frame.values[argument.getAsOpaquePointer()] =
            operandValue(frame, *input);
    }
    for (Operation &scalar : body.without_terminator())
      frame.values[scalar.getResult(0).getAsOpaquePointer()] =
          scalarOp(frame, &scalar);
    result = frame.scalar(*this, body.getTerminator()->getOperand(0));
  }
  frame.values[tensor.getAsOpaquePointer()] = result;
  return result;
}

Lanes &PayloadEmitter::Frame::scalar(PayloadEmitter &emitter, Value value) {
  auto [entry, isNew] = values.try_emplace(value.getAsOpaquePointer());
  if (isNew) // a constant of the dispatch, used inside a payload
    entry->second = emitter.constantLanes(value);
  return entry->second;
}

Lanes PayloadEmitter::scalarOp(Frame &frame, Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>())
    return constantLanes(op->getResult(0));
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    unsigned dim = index.getDim();
    auto type = Emitter::vector(e.i64());
    Value counter = e.broadcast(frame.position.counters[dim], type);
    if (dim + 1 == frame.position.counters.size())
      counter =
          e.add(counter, e.add(e.iota(e.i64()),
                               e.constantInt(type, frame.position.laneOffset)));
    return Lanes::of(arith::IndexCastOp::create(
        e, Emitter::vector(e.getIndexType()), counter));
  }
  if (auto lookupOp = dyn_cast<qd::LookupOp>(op))
    return lookup(frame.scalar(*this, lookupOp.getCodes()), lookupOp);
  if (auto extractOp = dyn_cast<tensor::ExtractOp>(op))
    return extract(frame, extractOp);
  if (std::optional<Lanes> lanes = codeOp(frame, op))
    return *lanes;
  if (std::optional<Lanes> lanes = wideOp(frame, op))
    return *lanes;
  return cloned(frame, op);
}

Lanes PayloadEmitter::cloned(Frame &frame, Operation *op) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, plain(frame.scalar(*this, operand)));
  Operation *copy = e.clone(*op, mapping);
  copy->setDiscardableAttrs(DictionaryAttr::get(e.getContext()));
  Value result = copy->getResult(0);
  result.setType(Emitter::vector(result.getType()));
  return Lanes::of(result);
}

Lanes PayloadEmitter::lookup(Lanes codes, qd::LookupOp op) {
  auto type = Emitter::vector(e.i32());
  Type code = op.getCodes().getType(), entry = op.getTable().getType();
  code = getElementTypeOrSelf(code), entry = getElementTypeOrSelf(entry);
  Value table = pointers.lookup(epilogue.tables.lookup(op));
  auto gather = [&](Type step, Value index, int32_t alignment) -> Value {
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), step, table,
        ArrayRef<LLVM::GEPArg>{index}, LLVM::GEPNoWrapFlags::inbounds);
    Value all = e.prefixMask(Emitter::kLanes);
    return LLVM::masked_gather::create(e, type, addresses, all,
                                       ValueRange{e.constantInt(type, 0)},
                                       e.getI32IntegerAttr(alignment));
  };
  // See lookupBlob for the layouts.
  if (isOffsetBinary(code) && isOffsetBinary(entry))
    return Lanes::codes(gather(e.i32(), offset(codes), 4));
  Value index = arith::ExtUIOp::create(e, type, plain(codes));
  return Lanes::of(arith::TruncIOp::create(e, Emitter::vector(entry),
                                           gather(entry, index, 1)));
}

Lanes PayloadEmitter::evaluate(const Position &position,
                               std::optional<Lanes> root) {
  if (epilogue.isPassThrough())
    return load(epilogue.passThrough(), position);
  Frame frame{position, {}};
  const KernelRegion &region = *epilogue.region;
  if (root)
    frame.values[region.root->getResult(0).getAsOpaquePointer()] = *root;
  return tensorValue(frame, region.result);
}

void PayloadEmitter::storeRow(Position position, int64_t channels,
                              llvm::function_ref<Lanes(int64_t)> root) {
  SmallVector<Lanes> parts;
  for (int64_t first = 0; first < channels; first += Emitter::kLanes) {
    Position here = position;
    here.laneOffset = first;
    int64_t left = channels - first;
#if QDIALECT_MUTATE == 21 // a lane too many of the last vector
    left += left < Emitter::kLanes;
#endif
    if (left < Emitter::kLanes)
      here.mask = e.prefixMask(left);
    parts.push_back(evaluate(here, root(first / Emitter::kLanes)));
    position.mask = here.mask;
  }
  store(parts, position);
}

} // namespace qdialect::cpu

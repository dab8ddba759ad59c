// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of kernels, spelled in upstream ops.

#include "Emitter.h"
#include "KernelRegion.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::cpu {

Type Emitter::ptr() { return LLVM::LLVMPointerType::get(getContext()); }

void Emitter::bindSizes(const KernelRegion &region, Value arguments,
                        size_t numConstants) {
  if (region.shapes)
    bindSizes(region,
              argument(arguments, static_cast<int64_t>(region.numInputs() + 1 +
                                                       numConstants)));
}

void Emitter::bindSizes(const KernelRegion &region, Value sizes) {
  table = &region.shapes->sizes;
  symbols.clear();
  for (std::optional<unsigned> place : region.symbolPlaces())
    symbols.push_back(place ? load(i64(), at(sizes, int64_t(8) * *place), 8)
                            : Value());
}

Value Emitter::symbolic(int64_t size) {
  assert(table && "no sizes were bound");
  auto atomOf = [&](unsigned number) -> Value {
    const SymbolicSizes::Atom &atom = table->atom(number);
    if (atom.kind == SymbolicSizes::Atom::Symbol)
      return div(symbols[atom.symbol], table->symbols()[atom.symbol].step);
    Value a = index(atom.lhs), b = index(atom.rhs);
    switch (atom.kind) {
    case SymbolicSizes::Atom::FloorDiv:
      return createOrFold<arith::DivUIOp>(a, b);
    case SymbolicSizes::Atom::Max:
      return createOrFold<arith::MaxSIOp>(a, b);
    case SymbolicSizes::Atom::Min:
      return min(a, b);
    default:
      return mul(a, b);
    }
  };
  Value sum;
  for (const SymbolicSizes::Term &term : table->terms(size)) {
    Value product = index(term.factor);
    for (unsigned number : term.atoms)
      product = mul(product, atomOf(number));
    sum = sum ? add(sum, product) : product;
  }
  return sum ? sum : index(0);
}

Value Emitter::index(int64_t value) {
  if (SymbolicSizes::isSymbolic(value))
    return symbolic(value);
  return constantInt(i64(), value);
}

Value Emitter::constantInt(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  unsigned width = cast<IntegerType>(element).getWidth();
  auto attr = IntegerAttr::get(
      element, APInt(width, value, /*isSigned=*/true, /*implicitTrunc=*/true));
  if (auto vectorType = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(*this,
                                     DenseElementsAttr::get(vectorType, attr));
  return arith::ConstantOp::create(*this, attr);
}

Value Emitter::constant(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  if (isa<IntegerType>(element))
    return constantInt(type, static_cast<int64_t>(value));
  auto attr = FloatAttr::get(element, value);
  if (auto vectorType = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(*this,
                                     DenseElementsAttr::get(vectorType, attr));
  return arith::ConstantOp::create(*this, attr);
}

Value Emitter::iota(Type element, int64_t lanes) {
  SmallVector<Attribute> values;
  for (int64_t lane = 0; lane < lanes; ++lane)
    values.push_back(IntegerAttr::get(element, lane));
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(vector(element, lanes), values));
}

Value Emitter::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value Emitter::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value Emitter::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value Emitter::div(Value a, int64_t b) {
  return createOrFold<arith::DivUIOp>(a, index(b));
}
Value Emitter::rem(Value a, int64_t b) {
  return createOrFold<arith::RemUIOp>(a, index(b));
}
Value Emitter::min(Value a, Value b) {
  return createOrFold<arith::MinSIOp>(a, b);
}
Value Emitter::less(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}

Value Emitter::at(Value pointer, Value byteOffset) {
  return LLVM::GEPOp::create(*this, ptr(), i8(), pointer,
                             ArrayRef<LLVM::GEPArg>{byteOffset},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value Emitter::at(Value pointer, int64_t byteOffset) {
  if (byteOffset == 0)
    return pointer;
  // A GEP constant is 32 bits wide.
  if (byteOffset != static_cast<int32_t>(byteOffset))
    return at(pointer, index(byteOffset));
  return LLVM::GEPOp::create(
      *this, ptr(), i8(), pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(byteOffset)},
      LLVM::GEPNoWrapFlags::inbounds);
}

Value Emitter::load(Type type, Value pointer, unsigned alignment) {
  return LLVM::LoadOp::create(*this, type, pointer, alignment);
}

void Emitter::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(*this, value, pointer, alignment);
}

Value Emitter::maskedLoad(VectorType type, Value pointer, Value mask) {
  Value zero = constant(type, 0);
  return LLVM::MaskedLoadOp::create(*this, type, pointer, mask, zero,
                                    /*alignment=*/1u);
}

void Emitter::maskedStore(Value value, Value pointer, Value mask) {
  // LLVM 22 turns a masked store of truncated lanes whose constant mask has one
  // lane into a store of the lane before truncation (x86): write that lane
  // alone.
  DenseElementsAttr constant;
  if (matchPattern(mask, m_Constant(&constant)) &&
      llvm::count(constant.getValues<bool>(), true) == 1 &&
      *constant.getValues<bool>().begin()) {
    store(vector::ExtractOp::create(*this, value, int64_t(0)), pointer);
    return;
  }
  LLVM::MaskedStoreOp::create(*this, value, pointer, mask, 1);
}

Value Emitter::prefixMask(int64_t count, int64_t lanes) {
  SmallVector<bool> bits(lanes, false);
  std::fill(bits.begin(), bits.begin() + count, true);
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(vector(getI1Type(), lanes), bits));
}

Value Emitter::prefixMask(Value count, int64_t lanes) {
  // maskedStore must see that a mask is constant.
  APInt known;
  if (matchPattern(count, m_ConstantInt(&known)))
    return prefixMask(std::min(known.getSExtValue(), lanes), lanes);
  Value narrow =
      arith::TruncIOp::create(*this, i32(), min(count, index(lanes)));
  Value all = broadcast(narrow, vector(i32(), lanes));
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt,
                               iota(i32(), lanes), all);
}

Value Emitter::argument(Value arguments, int64_t position) {
  return load(ptr(), at(arguments, 8 * position), 8);
}

Value Emitter::broadcast(Value scalar, VectorType type) {
  return vector::BroadcastOp::create(*this, type, scalar);
}

Value Emitter::intrinsic(StringRef name, Type result, ValueRange args) {
  return LLVM::CallIntrinsicOp::create(*this, result, getStringAttr(name), args)
      .getResult(0);
}

void Emitter::instruction(StringRef name, ValueRange args) {
  LLVM::CallIntrinsicOp::create(*this, getStringAttr(name), args);
}

Value Emitter::bitcast(Value value, VectorType type) {
  return vector::BitCastOp::create(*this, type, value);
}

Value Emitter::slice(Value value, int64_t first, int64_t count) {
  return vector::ExtractStridedSliceOp::create(
      *this, value, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{count},
      ArrayRef<int64_t>{1});
}

Value Emitter::concat(Value low, Value high) {
  int64_t lanes = cast<VectorType>(low.getType()).getNumElements();
  SmallVector<int64_t> lane(2 * lanes);
  for (int64_t i = 0; i < 2 * lanes; ++i)
    lane[i] = i;
  return vector::ShuffleOp::create(*this, low, high, lane);
}

Value Emitter::interleave(Value a, Value b, bool upper) {
  auto type = cast<VectorType>(a.getType());
  int64_t lanes = type.getNumElements(),
          together = 128 / type.getElementTypeBitWidth();
  SmallVector<int64_t> order;
  for (int64_t first = 0; first < lanes; first += together)
    for (int64_t i = 0; i < together / 2; ++i) {
      int64_t lane = first + i + (upper ? together / 2 : 0);
      order.push_back(lane);
      order.push_back(lanes + lane);
    }
  return vector::ShuffleOp::create(*this, a, b, order);
}

Attribute keepRolledAttr(MLIRContext *context) {
  auto unroll = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true),
                                          {}, {}, {}, {}, {}, {});
  return LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {},
                                       {}, {}, {}, {}, {}, {}, {}, {});
}

SmallVector<Value> Emitter::loop(Value from, Value to, int64_t step,
                                 ValueRange init, LoopBody body,
                                 bool keepRolled) {
  auto forOp =
      scf::ForOp::create(*this, from, to, index(step), init,
                         [&](OpBuilder &nested, Location nestedLoc,
                             Value counter, ValueRange carried) {
                           OpBuilder::InsertionGuard guard(*this);
                           setInsertionPoint(nested.getInsertionBlock(),
                                             nested.getInsertionPoint());
                           SmallVector<Value> next = body(counter, carried);
                           scf::YieldOp::create(*this, next);
                         });
  // "loop_annotation" without the dialect prefix is what convert-scf-to-cf
  // carries to the latch; with it the attribute would be dropped silently.
  if (keepRolled)
    forOp->setAttr("loop_annotation", keepRolledAttr(getContext()));
  return SmallVector<Value>(forOp.getResults());
}

void Emitter::loop(Value from, Value to, int64_t step,
                   function_ref<void(Value)> body) {
  loop(from, to, step, {}, [&](Value counter, ValueRange) {
    body(counter);
    return SmallVector<Value>();
  });
}

SmallVector<Value> Emitter::loopBlocks(int64_t depth, int64_t block,
                                       ValueRange init, BlockBody body) {
  int64_t whole = depth / block, rest = depth % block;
  SmallVector<Value> carried = loop(
      index(0), index(whole), 1, init,
      [&](Value number, ValueRange values) {
        return body(number, block, values);
      },
      /*keepRolled=*/true);
  return rest == 0 ? carried : body(index(whole), rest, carried);
}

void Emitter::ifThen(Value condition, function_ref<void()> then,
                     function_ref<void()> otherwise) {
  auto ifOp =
      scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(ifOp.thenBlock());
  then();
  if (otherwise) {
    setInsertionPointToStart(ifOp.elseBlock());
    otherwise();
  }
}

LLVM::LLVMFuncOp Emitter::startFunction(StringRef name,
                                        ArrayRef<Type> arguments,
                                        bool internal) {
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()),
                                          arguments);
  auto func = LLVM::LLVMFuncOp::create(*this, name, type,
                                       internal ? LLVM::Linkage::Internal
                                                : LLVM::Linkage::External);
  setFunctionTarget(func, target);
  // Helpers stay functions: inlined, their loops would share registers with
  // the driver's bookkeeping and the code would be repeated per call.
  if (internal)
    func.setNoInline(true);
  setInsertionPointToStart(func.addEntryBlock(*this));
  return func;
}

void setFunctionTarget(LLVM::LLVMFuncOp func, const CpuTarget &target) {
  MLIRContext *context = func.getContext();
  if (!target.features.empty())
    func.setTargetFeaturesAttr(
        LLVM::TargetFeaturesAttr::get(context, target.features));
  if (!target.tune.empty())
    func.setTuneCpu(target.tune);
  if (target.hasAvx512())
    func.setPreferVectorWidth("512");
}

void Emitter::ret() { LLVM::ReturnOp::create(*this, ValueRange()); }

void Emitter::call(LLVM::LLVMFuncOp callee, ValueRange arguments) {
  LLVM::CallOp::create(*this, callee, arguments);
}

int64_t elementBytes(Type element) {
  Type storage = qd::getStorageType(element);
  unsigned bits = (storage ? storage : element).getIntOrFloatBitWidth();
  return bits <= 8 ? 1 : bits / 8;
}

bool isOffsetBinary(Type element) { return element.isInteger(8); }

} // namespace qdialect::cpu

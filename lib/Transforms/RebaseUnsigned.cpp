// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unsigned codes become signed ones, 2^(N-1) lower:
//
//   quantize x scale s zero_point 128 : f32 -> !qd.uint<8>
//     =>  quantize x scale s zero_point 0 : f32 -> i8
//
// Codes and zero point move together, so (q - z) * s is unchanged and so is
// every rounding and saturation. Integer linalg has signed operands only. Where
// the program itself goes from unsigned to signed codes or back (the top bit
// flipped behind a storage_cast), the two forms are one value afterwards.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#define DEBUG_TYPE "qd-rebase-unsigned"

namespace qdialect {
#define GEN_PASS_DEF_REBASEUNSIGNEDPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

/// The alphabet of unsigned codes; numbers of 32 and 64 bits are none.
qd::UIntType unsignedElement(Value value) {
  auto type = dyn_cast<qd::UIntType>(getElementTypeOrSelf(value.getType()));
  return type && type.getWidth() <= 16 ? type : qd::UIntType();
}

class Rebaser {
public:
  explicit Rebaser(func::FuncOp function) : function(function) {}
  void run();

private:
  static int64_t offsetOf(qd::UIntType type) {
    return int64_t(1) << (type.getWidth() - 1);
  }
  Type signedType(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    unsigned width = cast<qd::UIntType>(type.getElementType()).getWidth();
    return type.clone(IntegerType::get(function.getContext(), width));
  }
  Value signedForm(Value value);
  Value flipTopBit(OpBuilder &builder, Location loc, Value codes);
  void lowerZeroPoint(OpBuilder &builder, Operation *op,
                      MutableOperandRange zero, int64_t offset);
  bool canMove(Operation *op);
  void moveCodes(Operation *op);

  func::FuncOp function;
  llvm::DenseMap<Value, Value> forms;
  SmallVector<Operation *> dead;
};

/// codes ^ 2^(N-1), which is codes - 2^(N-1) modulo 2^N: bits read as signed.
Value Rebaser::flipTopBit(OpBuilder &builder, Location loc, Value codes) {
  auto type = cast<RankedTensorType>(codes.getType());
  Type element = type.getElementType();
  Value empty = makeEmptyLike(builder, loc, codes, element);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  auto flip = linalg::GenericOp::create(
      builder, loc, type, ValueRange{codes}, ValueRange{empty},
      ArrayRef<AffineMap>{identity, identity},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange args) {
        unsigned width = element.getIntOrFloatBitWidth();
        Value top = arith::ConstantOp::create(
            b, l, b.getIntegerAttr(element, APInt::getSignMask(width)));
        Value result = arith::XOrIOp::create(b, l, args[0], top);
        linalg::YieldOp::create(b, l, result);
      });
  return flip.getResult(0);
}

/// The codes whose top bit `value` has flipped; null if it is no such thing.
Value flippedSource(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || !isElementwiseGeneric(generic) ||
      generic.getNumDpsInputs() != 1 ||
      !generic.getMatchingIndexingMap(generic.getDpsInputOperand(0))
           .isIdentity())
    return {};
  Block &body = *generic.getBlock();
  auto flip =
      body.getTerminator()->getOperand(0).getDefiningOp<arith::XOrIOp>();
  if (!flip)
    return {};
  for (unsigned side : {0u, 1u}) {
    APInt mask;
    if (flip->getOperand(side) == body.getArgument(0) &&
        matchPattern(flip->getOperand(1 - side), m_ConstantInt(&mask)) &&
        mask.isSignMask())
      return generic.getDpsInputs()[0];
  }
  return {};
}

/// What `leaf` makes of the value behind the rearrangements that lead to
/// `value`, rearranged likewise; null if it makes nothing.
Value behindRearrangements(Value value, llvm::function_ref<Value(Value)> leaf) {
  if (Value found = leaf(value))
    return found;
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                       linalg::TransposeOp>(op))
    return {};
  Value inner = behindRearrangements(op->getOperand(0), leaf);
  if (!inner)
    return {};
  OpBuilder builder(op);
  IRMapping map;
  map.map(op->getOperand(0), inner);
  return builder.clone(*op, map)->getResult(0);
}

/// The codes of a constant less `offset`.
template <typename Unsigned, typename Signed>
HostTensor lowered(const ConstantView &view, DType dtype, int64_t offset) {
  ArrayRef<int64_t> shape = view.type.getShape();
  HostTensor codes(dtype, std::vector<int64_t>(shape.begin(), shape.end()));
  Signed *out = codes.mutableData<Signed>();
  for (int64_t i = 0, e = view.numElements(); i < e; ++i)
    out[i] = static_cast<Signed>(view.get<Unsigned>(i) - offset);
  return codes;
}

/// The signed codes of an unsigned value, made where the value is defined.
Value Rebaser::signedForm(Value value) {
  if (Value known = forms.lookup(value))
    return known;
  OpBuilder builder(function.getContext());
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(signedType(value));
  Value result;
  auto cast = value.getDefiningOp<qd::StorageCastOp>();
  if (Value codes = cast ? behindRearrangements(cast.getInput(), flippedSource)
                         : Value()) {
    result = codes;
  } else if (std::optional<ConstantView> view = constantView(value);
             view && view->dtype == DType::U8) {
    HostTensor codes = lowered<uint8_t, int8_t>(
        *view, DType::I8, offsetOf(unsignedElement(value)));
    result = makeConstant(builder, loc, type, "codes", std::move(codes));
    copyMarks(value.getDefiningOp(), result.getDefiningOp());
  } else if (view && view->dtype == DType::U16) {
    HostTensor codes = lowered<uint16_t, int16_t>(
        *view, DType::I16, offsetOf(unsignedElement(value)));
    result = makeConstant(builder, loc, type, "codes", std::move(codes));
    copyMarks(value.getDefiningOp(), result.getDefiningOp());
  } else {
    Value bits = qd::StorageCastOp::create(builder, loc, type, value);
    result = flipTopBit(builder, loc, bits);
  }
  forms[value] = result;
  return result;
}

/// Replaces the zero point by one `offset` lower.
void Rebaser::lowerZeroPoint(OpBuilder &builder, Operation *op,
                             MutableOperandRange zero, int64_t offset) {
  if (zero.empty()) {
    Value lowered =
        makeZeroPoint(builder, op->getLoc(), static_cast<int32_t>(-offset));
    // A zero point has the scale's shape.
    auto scaleType = cast<RankedTensorType>(op->getOperand(1).getType());
    if (scaleType.getRank() != 0) {
      auto type = scaleType.clone(builder.getI32Type());
      lowered = arith::ConstantOp::create(
          builder, op->getLoc(),
          DenseElementsAttr::get(
              type, builder.getI32IntegerAttr(static_cast<int32_t>(-offset))));
    }
    zero.assign(lowered);
    return;
  }
  std::optional<ConstantView> view = constantView(zero[0].get());
  if (!view) {
    auto type = cast<RankedTensorType>(zero[0].get().getType());
    ElementwiseInput input{zero[0].get(),
                           builder.getMultiDimIdentityMap(type.getRank())};
    auto lowered = makeElementwise(
        builder, op->getLoc(), type, input,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value by = arith::ConstantOp::create(
              b, l, b.getI32IntegerAttr(static_cast<int32_t>(offset)));
          return arith::SubIOp::create(b, l, args[0], by);
        });
    zero.assign(lowered.getResult(0));
    return;
  }
  HostTensor values(DType::I32,
                    std::vector<int64_t>(view->type.getShape().begin(),
                                         view->type.getShape().end()));
  for (int64_t i = 0, e = view->numElements(); i < e; ++i)
    values.mutableData<int32_t>()[i] =
        static_cast<int32_t>(view->integer(i) - offset);
  auto type =
      RankedTensorType::get(view->type.getShape(), builder.getI32Type());
  zero.assign(makeConstant(builder, op->getLoc(), type, "zero_points",
                           std::move(values)));
}

/// Ops that move codes and read no bit of them.
bool Rebaser::canMove(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, tensor::ConcatOp>(op) ||
         isa<linalg::TransposeOp>(op);
}

void Rebaser::moveCodes(Operation *op) {
  OpBuilder builder(op);
  Value result = op->getResult(0);
  IRMapping map;
  for (Value operand : op->getOperands())
    if (unsignedElement(operand)) {
      if (auto empty = operand.getDefiningOp<tensor::EmptyOp>())
        map.map(
            operand,
            tensor::EmptyOp::create(
                builder, op->getLoc(), empty.getMixedSizes(),
                cast<RankedTensorType>(signedType(operand)).getElementType()));
      else
        map.map(operand, signedForm(operand));
    }
  Operation *copy;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    copy = linalg::TransposeOp::create(
        builder, op->getLoc(), map.lookup(transpose.getInput()),
        map.lookup(transpose.getInit()), transpose.getPermutation());
  else {
    copy = builder.clone(*op, map);
    copy->getResult(0).setType(signedType(result));
  }
  copyMarks(op, copy);
  forms[result] = copy->getResult(0);
  dead.push_back(op);
}

void Rebaser::run() {
  SmallVector<Operation *> ops;
  for (Block *block : programBlocks(function))
    for (Operation &op : *block)
      ops.push_back(&op);
  for (Operation *op : ops) {
    OpBuilder builder(op);
    if (auto quantize = dyn_cast<qd::QuantizeOp>(op)) {
      auto type = unsignedElement(quantize.getResult());
      if (!type || quantize.getZeroPointDomain() != qd::ZeroPointDomain::Code)
        continue;
      auto copy = cast<qd::QuantizeOp>(builder.clone(*op));
      copy.getResult().setType(signedType(quantize.getResult()));
      lowerZeroPoint(builder, copy, copy.getZeroPointMutable(), offsetOf(type));
      // The new constant was created behind the copy's place in the block.
      copy->moveBefore(op);
      forms[quantize.getResult()] = copy.getResult();
      dead.push_back(op);
    } else if (auto dequantize = dyn_cast<qd::DequantizeOp>(op)) {
      auto type = unsignedElement(dequantize.getInput());
      if (!type || dequantize.getZeroPointDomain() != qd::ZeroPointDomain::Code)
        continue;
      lowerZeroPoint(builder, op, dequantize.getZeroPointMutable(),
                     offsetOf(type));
      dequantize.getInputMutable().assign(signedForm(dequantize.getInput()));
    } else if (Value source = flippedSource(
                   op->getNumResults() == 1 ? op->getResult(0) : Value())) {
      // Signed codes that the program made itself.
      Value codes = behindRearrangements(source, [&](Value value) -> Value {
        auto bits = value.getDefiningOp<qd::StorageCastOp>();
        return bits && unsignedElement(bits.getInput())
                   ? signedForm(bits.getInput())
                   : Value();
      });
      if (codes)
        op->getResult(0).replaceAllUsesWith(codes);
    } else if (canMove(op) && unsignedElement(op->getResult(0))) {
      moveCodes(op);
    }
  }
  // What still reads the unsigned codes (the function's results) gets them
  // back.
  for (Operation *op : llvm::reverse(dead)) {
    Value value = op->getResult(0);
    if (!value.use_empty()) {
      OpBuilder builder(function.getContext());
      Value codes = forms[value];
      builder.setInsertionPointAfterValue(codes);
      Value bits = flipTopBit(builder, op->getLoc(), codes);
      Value restored = qd::StorageCastOp::create(builder, op->getLoc(),
                                                 value.getType(), bits);
      value.replaceUsesWithIf(restored, [&](OpOperand &use) {
        return !llvm::is_contained(dead, use.getOwner());
      });
    }
    if (value.use_empty())
      op->erase();
  }
}

struct RebaseUnsignedPass
    : public impl::RebaseUnsignedPassBase<RebaseUnsignedPass> {
  using RebaseUnsignedPassBase::RebaseUnsignedPassBase;

  void runOnOperation() override {
    if (!getOperation().isExternal())
      Rebaser(getOperation()).run();
  }
};

} // namespace
} // namespace qdialect

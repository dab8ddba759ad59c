// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// softmax, norms, gelu and silu between casts to their integer forms,
// where `qd.integer_scheme` asks for it:
//
//   quantize(softmax(dequantize(x)))   =>   qd.int_softmax x scheme(...)

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/IR/IntegerOps.h"
#include "QDialect/Numerics/IntegerBounds.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Observers.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

bool hasWholeBytes(const CodeGrid &grid) {
  return grid.isInteger() && (grid.bits() == 8 || grid.bits() == 16);
}

IntegerGrid integerGrid(const CodeGrid &grid) {
  return {grid.scale, grid.zeroPoint, grid.bits()};
}

/// The numbers of a constant, also of one that is filled when the program runs;
/// empty if it is none.
std::vector<float> numbersOf(Value constant) {
  FloatAttr filled;
  auto fill = constant.getDefiningOp<linalg::FillOp>();
  auto type = cast<RankedTensorType>(constant.getType());
  if (fill && type.hasStaticShape() &&
      matchPattern(fill.getInputs()[0], m_Constant(&filled)))
    return std::vector<float>(type.getNumElements(),
                              filled.getValue().convertToFloat());
  std::optional<ConstantView> view = constantView(constant);
  std::vector<float> numbers;
  for (int64_t i = 0; view && i < view->numElements(); ++i)
    numbers.push_back(static_cast<float>(view->number(view->splat ? 0 : i)));
  return numbers;
}

class Nonlinear {
public:
  Nonlinear(IntegerizeContext &context, qd::QuantizeOp quantize, Value codes,
            const CodeGrid &from, const CodeGrid &to, qd::IntegerScheme scheme)
      : context(context), builder(context.builder), loc(quantize.getLoc()),
        type(quantize.getType()), codes(codes), from(from), to(to),
        scheme(scheme) {}

  /// How far the result may be off before its rounding.
  double error = 0;
  /// What is computed on the way, at most.
  IntermediateBits bits;

  Operation *emit(Operation *op) {
    if (auto softmax = dyn_cast<qd::SoftmaxOp>(op))
      return emitSoftmax(softmax);
    if (auto norm = dyn_cast<qd::LayerNormOp>(op))
      return emitNorm(norm, norm.getBeta());
    if (auto norm = dyn_cast<qd::RmsNormOp>(op))
      return emitNorm(norm, /*beta=*/{});
    if (isa<qd::SiluOp>(op))
      return emitCurve<qd::IntSiluOp>(IntegerCurveKind::Silu);
    if (cast<qd::GeluOp>(op).getApproximate() == qd::GeluApproximation::None)
      return emitCurve<qd::IntGeluOp>(IntegerCurveKind::Gelu);
    return nullptr; // a table of it is exact
  }

private:
  Operation *refuse(const Twine &why) {
    context.refuse(why);
    return nullptr;
  }
  FloatAttr real(float value) { return builder.getF32FloatAttr(value); }
  IntegerAttr integer(int64_t value) {
    return builder.getI64IntegerAttr(value);
  }

  Operation *emitSoftmax(qd::SoftmaxOp op) {
    std::optional<IntegerSoftmax> integers = chooseIntegerSoftmax(
        toNumerics(scheme), from.scale, from.bits(), integerGrid(to));
    auto axis = static_cast<int64_t>(op.getAxis());
    int64_t length = op.getType().getDimSize(axis);
    if (!integers)
      return refuse("its scales have no integer softmax");
    if (length > kLongestIntegerSoftmax)
      return refuse("its rows of " + Twine(length) +
                    " elements are too long for an integer softmax");
    if (ShapedType::isDynamic(length))
      length = kLongestIntegerSoftmax;
    error = softmaxErrorLsb(*integers, from.scale, from.bits(), to.scale,
                            std::max<int64_t>(length, 1));
    bits = softmaxBits(*integers, from.bits(), std::max<int64_t>(length, 1));
    return qd::IntSoftmaxOp::create(builder, loc, type, codes, scheme, axis,
                                    llvm::APFloat(from.scale),
                                    llvm::APFloat(to.scale), to.zeroPoint);
  }

  template <typename Op>
  Operation *emitNorm(Op op, Value offset) {
    auto axis = static_cast<int64_t>(op.getAxis());
    ArrayRef<int64_t> row = op.getType().getShape().drop_front(axis);
    if (llvm::any_of(row, ShapedType::isDynamic))
      return refuse("the length of its rows is symbolic");
    std::vector<float> gamma = numbersOf(op.getGamma()), beta;
    if (offset)
      beta = numbersOf(offset);
    auto length = static_cast<int64_t>(gamma.size());
    if (gamma.empty() || (offset && beta.size() != gamma.size()))
      return refuse("its gain is not a constant");
    std::optional<IntegerNorm> integers = chooseIntegerNorm(
        toNumerics(scheme), gamma.data(), beta.empty() ? nullptr : beta.data(),
        length, from.scale, op.getEpsilon().convertToFloat(), integerGrid(to));
    if (!integers)
      return refuse("its scales have no integer norm");
    error = normErrorLsb(toNumerics(scheme), *integers, integerGrid(to));
    bits = normBits(toNumerics(scheme), std::is_same_v<Op, qd::LayerNormOp>,
                    *integers, from.bits(), from.zeroPoint, length);
    std::vector<int64_t> shape = row.vec();
    Value gain = makeConstant(
        builder, loc, RankedTensorType::get(row, builder.getI32Type()), "gain",
        HostTensor::of<int32_t>(DType::I32, shape, integers->gain));
    Value bias = makeConstant(
        builder, loc, RankedTensorType::get(row, builder.getI64Type()), "bias",
        HostTensor::of<int64_t>(DType::I64, shape, integers->bias));
    if constexpr (std::is_same_v<Op, qd::RmsNormOp>)
      return qd::IntRmsNormOp::create(builder, loc, type, codes, gain, bias,
                                      scheme, axis, integers->epsilon,
                                      integers->shift, from.zeroPoint);
    else
      return qd::IntLayerNormOp::create(builder, loc, type, codes, gain, bias,
                                        scheme, axis, integers->epsilon,
                                        integers->shift);
  }

  template <typename Op>
  Operation *emitCurve(IntegerCurveKind kind) {
    std::optional<IntegerCurve> curve = chooseIntegerCurve(
        toNumerics(scheme), kind, integerGrid(from), integerGrid(to));
    if (!curve)
      return refuse("its scales have no integer form");
    error = curveErrorLsb(*curve);
    bits = curveBits(*curve);
    return Op::create(builder, loc, type, codes, scheme,
                      llvm::APFloat(from.scale), from.zeroPoint,
                      llvm::APFloat(to.scale), to.zeroPoint);
  }

  IntegerizeContext &context;
  OpBuilder &builder;
  Location loc;
  Type type;
  Value codes;
  const CodeGrid &from, &to;
  qd::IntegerScheme scheme;
};

} // namespace

Value integerizeNonlinear(IntegerizeContext &context, qd::QuantizeOp quantize) {
  Operation *op = quantize.getInput().getDefiningOp();
  auto scheme =
      op ? op->getAttrOfType<qd::IntegerSchemeAttr>(qd::kIntegerSchemeAttr)
         : qd::IntegerSchemeAttr();
  if (!scheme || !roundsToNearest(quantize))
    return {};
  auto source = op->getOperand(0).getDefiningOp<qd::DequantizeOp>();
  if (!source)
    return context.refuse("it does not read codes");
  std::string reason;
  std::optional<CodeGrid> from = getGrid(source, &reason),
                          to = getGrid(quantize, &reason);
  if (!from || !to)
    return context.refuse(reason);
  if (!hasWholeBytes(*from) || !hasWholeBytes(*to))
    return context.refuse("its codes have neither 8 nor 16 bits");
  Nonlinear nonlinear(context, quantize, source.getInput(), *from, *to,
                      scheme.getValue());
  Operation *integer = nonlinear.emit(op);
  if (!integer)
    return {};
  copyMarks(op, integer);
  integer->removeAttr(qd::kIntegerSchemeAttr);
  if (!nonlinear.bits.fits()) {
    integer->erase();
    return context.refuse("its intermediate results need " +
                          Twine(nonlinear.bits.word) + " of 32 or " +
                          Twine(nonlinear.bits.dword) + " of 64 bits");
  }
  integer->setAttr(qd::kErrorLsbAttr,
                   context.builder.getF64FloatAttr(nonlinear.error));
  integer->setAttr(qd::kIntermediateBitsAttr,
                   context.builder.getDenseI64ArrayAttr(
                       {nonlinear.bits.word, nonlinear.bits.dword}));
  return integer->getResult(0);
}

} // namespace qdialect

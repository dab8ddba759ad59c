// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every family ends in: an element-wise op with a rounding and a clamp.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Numerics/Rescale.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// The numbers as a tensor of `element` (f32, i32 or i64).
Value makeTensor(OpBuilder &builder, Location loc, const Coefficient &values,
                 Type element) {
  std::vector<int64_t> shape(values.sizes.begin(), values.sizes.end());
  auto type = RankedTensorType::get(shape, element);
  if (element.isF32()) {
    HostTensor tensor(DType::F32, shape);
    for (size_t i = 0; i < values.values.size(); ++i)
      tensor.mutableData<float>()[i] = static_cast<float>(values.values[i]);
    return makeConstant(builder, loc, type, "scales", std::move(tensor));
  }
  bool isWide = element.isInteger(64);
  HostTensor tensor(isWide ? DType::I64 : DType::I32, shape);
  for (size_t i = 0; i < values.values.size(); ++i)
    if (isWide)
      tensor.mutableData<int64_t>()[i] = static_cast<int64_t>(values.values[i]);
    else
      tensor.mutableData<int32_t>()[i] = static_cast<int32_t>(values.values[i]);
  return makeConstant(builder, loc, type, "integers", std::move(tensor));
}

/// Half a step of every rounding that f32 makes on the way, for results inside
/// the grid: conversion of the accumulator, two roundings of the scale and the
/// product. Values beyond the grid saturate alike.
double float32Error(const CodeGrid &grid) {
  return 4 * (grid.range() + 1) * std::ldexp(1.0, -24) * 1.001;
}

} // namespace

linalg::GenericOp makeElementwise(
    OpBuilder &builder, Location loc, RankedTensorType type,
    ArrayRef<ElementwiseInput> inputs,
    llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> payload,
    Value like) {
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (const ElementwiseInput &input : inputs) {
    values.push_back(input.value);
    maps.push_back(input.map);
  }
  Value empty = like ? makeEmptyLike(builder, loc, like, type.getElementType())
                     : makeEmptyFor(builder, loc, type, values, maps);
  maps.push_back(builder.getMultiDimIdentityMap(type.getRank()));
  return linalg::GenericOp::create(
      builder, loc, type, values, ValueRange{empty}, maps,
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange arguments) {
        linalg::YieldOp::create(b, l, payload(b, l, arguments));
      });
}

PayloadConstant::PayloadConstant(IntegerizeContext &context, Location loc,
                                 const Coefficient &values, Type element,
                                 unsigned rank,
                                 SmallVectorImpl<ElementwiseInput> &inputs) {
  OpBuilder &builder = context.builder;
  if (values.isScalar()) {
    scalar = element.isF32()
                 ? TypedAttr(builder.getF32FloatAttr(
                       static_cast<float>(values.values[0])))
                 : TypedAttr(builder.getIntegerAttr(
                       element, static_cast<int64_t>(values.values[0])));
    return;
  }
  argument = inputs.size();
  inputs.push_back({makeTensor(builder, loc, values, element),
                    values.indexingMap(rank, builder.getContext())});
}

Value PayloadConstant::get(OpBuilder &builder, Location loc,
                           ValueRange arguments) const {
  if (scalar)
    return arith::ConstantOp::create(builder, loc, scalar);
  return arguments[argument];
}

Value makeClamp(OpBuilder &builder, Location loc, const Island &island,
                Value code) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        builder, loc, builder.getIntegerAttr(island.grid.alphabet, value));
  };
  if (std::optional<int64_t> lower = island.lowerCode())
    code = arith::MaxSIOp::create(builder, loc, code, constant(*lower));
  if (std::optional<int64_t> upper = island.upperCode())
    code = arith::MinSIOp::create(builder, loc, code, constant(*upper));
  return code;
}

void finish(const Island &island, Operation *op, double error) {
  copyMarks(island.nameSource(), op);
  for (Operation *member : island.members)
    if (Attribute request = member->getAttr("qd.requested"))
      if (!op->hasAttr("qd.requested"))
        op->setAttr("qd.requested", request);
  op->removeAttr("qd.macs");
  op->setAttr("qd.error_lsb", Builder(op->getContext()).getF64FloatAttr(error));
}

Value makeRequantize(IntegerizeContext &context, const Island &island,
                     const Accumulator &accumulator) {
  OpBuilder &builder = context.builder;
  Location loc = island.quantize->getLoc();
  Type i32 = builder.getI32Type(), code = island.grid.alphabet;
  SmallVector<ElementwiseInput> inputs(accumulator.inputs.begin(),
                                       accumulator.inputs.end());
  double error = accumulator.error;
  linalg::GenericOp op;
  int32_t z = island.grid.zeroPoint;
  PayloadConstant zero(
      context, loc, accumulator.zeroShift.map([&](double m) { return z + m; }),
      i32, island.rank(), inputs);
  if (!context.dyadic) {
    PayloadConstant scale(context, loc, accumulator.scaleF32,
                          builder.getF32Type(), island.rank(), inputs);
    error += float32Error(island.grid);
    op = makeElementwise(
        builder, loc, island.type(), inputs,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value q = qd::RequantizeOp::create(
              b, l, code, accumulator.value(b, l, args), scale.get(b, l, args),
              zero.get(b, l, args),
              qd::RoundingAttr::get(b.getContext(), qd::Rounding::HalfEven),
              qd::OverflowAttr::get(b.getContext(), qd::Overflow::Saturate));
          return makeClamp(b, l, island, q);
        });
  } else {
    double worst = 0;
    Coefficient multipliers = accumulator.scale, shifts = accumulator.scale;
    for (size_t i = 0; i < multipliers.values.size(); ++i) {
      std::optional<Dyadic> pair =
          chooseDyadic(accumulator.scale.values[i], accumulator.maxAbs);
      if (!pair)
        return context.refuse(
            llvm::formatv("its rescale by {0:e3} has no dyadic form",
                          accumulator.scale.values[i])
                .str());
      multipliers.values[i] = pair->multiplier;
      shifts.values[i] = pair->shift;
      worst = std::max(worst, pair->error);
    }
    error += worst;
    PayloadConstant multiplier(context, loc, multipliers, i32, island.rank(),
                               inputs);
    PayloadConstant shift(context, loc, shifts, i32, island.rank(), inputs);
    op = makeElementwise(
        builder, loc, island.type(), inputs,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value q = qd::RescaleOp::create(
              b, l, code, accumulator.value(b, l, args),
              multiplier.get(b, l, args), shift.get(b, l, args),
              zero.get(b, l, args),
              qd::RoundingAttr::get(b.getContext(), qd::Rounding::HalfEven),
              qd::OverflowAttr::get(b.getContext(), qd::Overflow::Saturate));
          return makeClamp(b, l, island, q);
        });
  }
  finish(island, op, error);
  return op.getResult(0);
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interpolation along an axis, as resized images are made of, on codes:
//
//   sum of w_t * (q_t - z) * s   =>   2^-b * s * sum of W_t * (q_t - z)
//
// W_t = round(2^b * w_t), and where the weights of a position add up to one so
// do those of the integers, so that a plain area keeps its code. b is the
// largest up to 14 with which the sum fits 32 bits.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/AxisInterpolation.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

constexpr int kMostBits = 14, kLeastBits = 6;

struct IntegerTaps {
  int bits = 0;
  std::vector<std::vector<int64_t>> weights; ///< of each tap
  int64_t maxAbs = 0;                        ///< of the sum and its parts
  AccumulatorBound bound;                    ///< of the sum
  double error = 0; ///< of the sum, as a share of the largest |code - z|
};

/// Of codes less their zero point within `codes`.
IntegerTaps roundTaps(const AxisInterpolation &op, int bits,
                      CodeInterval codes) {
  int64_t largest = std::max(codes.max, -codes.min);
  IntegerTaps result;
  result.bits = bits;
  result.weights.resize(op.taps.size());
  size_t positions = op.taps[0].weights.size();
  for (size_t o = 0; o < positions; ++o) {
    double sum = 0, lost = 0;
    int64_t rounded = 0, magnitude = 0;
    size_t heaviest = 0;
    for (auto [t, tap] : llvm::enumerate(op.taps)) {
      int64_t weight = std::llround(std::ldexp(tap.weights[o], bits));
      result.weights[t].push_back(weight);
      rounded += weight;
      sum += tap.weights[o];
      if (std::fabs(tap.weights[o]) > std::fabs(op.taps[heaviest].weights[o]))
        heaviest = t;
    }
    if (std::fabs(sum - 1) < 0x1p-20)
      result.weights[heaviest][o] += (int64_t(1) << bits) - rounded;
    WeightSums weights;
    for (auto [t, tap] : llvm::enumerate(op.taps)) {
      int64_t weight = result.weights[t][o];
      lost += std::fabs(std::ldexp(static_cast<double>(weight), -bits) -
                        tap.weights[o]);
      magnitude += std::abs(weight) * largest;
      (weight > 0 ? weights.positive : weights.negative) += weight;
    }
    AccumulatorBound bound = boundAccumulator(weights, codes, 0);
    if (o == 0)
      result.bound = bound;
    result.bound.merge(bound);
    result.error = std::max(result.error, lost);
    result.maxAbs = std::max(result.maxAbs, magnitude);
  }
  return result;
}

} // namespace

Value integerizeInterpolation(IntegerizeContext &context,
                              const Island &island) {
  const Term &term = island.formula.terms[0];
  const Leaf &leaf = island.leaves[term.leaves[0]];
  std::optional<AxisInterpolation> op = getAxisInterpolation(leaf.root);
  if (!island.formula.constant.isExactly(0))
    return context.refuse("an offset follows its sum without a rounding");
  if (!leaf.map.isIdentity())
    return context.refuse("its result is rearranged before it is rounded");
  auto dequantize = op->source.getDefiningOp<qd::DequantizeOp>();
  if (!dequantize)
    return context.refuse("its input is not quantized");
  std::optional<CodeGrid> grid = activationGrid(context, op->source);
  if (!grid)
    return {};
  if (!llvm::all_of(op->taps, [](const AxisInterpolation::Tap &tap) {
        return llvm::all_of(tap.weights,
                            [](double w) { return std::fabs(w) <= 4; });
      }))
    return context.refuse("a weight of it exceeds 4");
  int64_t zero = grid->zeroPoint;
  CodeInterval centred{grid->min - zero, grid->max - zero};
  IntegerTaps taps = roundTaps(*op, kMostBits, centred);
  while (taps.maxAbs > INT32_MAX && taps.bits > kLeastBits)
    taps = roundTaps(*op, taps.bits - 1, centred);
  if (taps.maxAbs > INT32_MAX)
    return context.refuse("its sum does not fit 32 bits");

  OpBuilder &builder = context.builder;
  Type i32 = builder.getI32Type();
  AffineMap row =
      AffineMap::get(island.rank(), 0, builder.getAffineDimExpr(op->axis));
  Accumulator accumulator;
  accumulator.like = op->op->getResult(0);
  for (auto [tap, weights] : llvm::zip_equal(op->taps, taps.weights)) {
    auto positions = static_cast<int64_t>(weights.size());
    Value constant =
        makeConstant(builder, op->op.getLoc(),
                     RankedTensorType::get({positions}, i32), "tap_weights",
                     HostTensor::of<int64_t>(DType::I64, {positions}, weights)
                         .converted(DType::I32));
    accumulator.inputs.push_back({tap.places, row});
    accumulator.inputs.push_back({constant, row});
  }
  Value codes = dequantize.getInput();
  size_t count = op->taps.size();
  unsigned rank = island.rank(), axis = op->axis;
  accumulator.value = [=](OpBuilder &b, Location l, ValueRange args) -> Value {
    SmallVector<Value> places;
    for (unsigned dim = 0; dim < rank; ++dim)
      places.push_back(dim == axis ? Value()
                                   : linalg::IndexOp::create(b, l, dim));
    Value offset = arith::ConstantOp::create(
        b, l, b.getI32IntegerAttr(static_cast<int32_t>(zero)));
    Value sum;
    for (size_t tap = 0; tap < count; ++tap) {
      places[axis] =
          arith::IndexCastOp::create(b, l, b.getIndexType(), args[2 * tap]);
      Value code = tensor::ExtractOp::create(b, l, codes, places);
      code = arith::ExtSIOp::create(b, l, b.getI32Type(), code);
      code = arith::SubIOp::create(b, l, code, offset);
      Value part = arith::MulIOp::create(b, l, code, args[2 * tap + 1]);
      sum = sum ? arith::AddIOp::create(b, l, sum, part) : part;
    }
    return sum;
  };
  double sx = grid->scale, sy = island.grid.scale;
  accumulator.maxAbs = taps.maxAbs;
  accumulator.bound = taps.bound;
  accumulator.scale = term.factor.map(
      [&](double f) { return std::ldexp(f * sx / sy, -taps.bits); });
  accumulator.scaleF32 = accumulator.scale;
  accumulator.error = taps.error *
                      static_cast<double>(std::max(centred.max, -centred.min)) *
                      term.factor.magnitude() * sx / sy;
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect

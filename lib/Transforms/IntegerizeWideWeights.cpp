// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A weight of more than 8 bits is 256 * high + low + offset with signed bytes
// high and low. The offset is 0, or 128 where 0 would ask for a high byte of
// 128. With the activation's bytes a[i], code = sum of 256^i * a[i] + start,
//
//   init + sum of code * (w - zw)
//     = init + start * (sum of w - zw)
//       + sum of 256^(i + j) * (sum of a[i] * w[j])
//       - (zw - offset) * (sum of 256^i * (sum of a[i]))
//
// The second line is constant, the last one (a contraction with ones) is there
// if some channel needs it. Each sum of products of bytes is an i32.

#include "IntegerizeWideWeights.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// Weights as bytes, the high ones first.
struct WeightBytes {
  std::vector<int8_t> high, low;
  int offset = 0;

  explicit WeightBytes(ArrayRef<int16_t> weights) {
    constexpr int kLargestSigned = 127 * 256 + 127;
    for (int16_t w : weights)
      if (w > kLargestSigned)
        offset = 128;
    for (int w : weights) {
      auto byte = static_cast<int8_t>((w - offset) & 255);
      low.push_back(byte);
      high.push_back(static_cast<int8_t>((w - offset - byte) >> 8));
    }
  }
};

/// A sum of products in the accumulator: what it is multiplied by is 2^shift.
struct ByteSum {
  Value value;
  unsigned shift;
};

class Multiplier {
public:
  Multiplier(IntegerizeContext &context, linalg::LinalgOp op,
             const ContractionStructure &s, const CodeBytes &activation,
             const IntegerWeights &weights)
      : context(context), builder(context.builder), loc(op.getLoc()), op(op),
        s(s), weights(weights),
        parts(splitCodes(builder, activation.codes, activation.grid)) {}

  Value run(ArrayRef<WeightSums> sums, const Coefficient &zeroPoint,
            const Coefficient &init, const WideJoin &join);

private:
  ByteSum multiply(unsigned part, ArrayRef<int8_t> bytes, unsigned shift);
  unsigned shiftOf(unsigned part) const {
    return 8 * (parts.size() - 1 - part);
  }

  IntegerizeContext &context;
  OpBuilder &builder;
  Location loc;
  linalg::LinalgOp op;
  const ContractionStructure &s;
  const IntegerWeights &weights;
  SmallVector<CodeBytes, 2> parts; ///< of the activation, the high bytes first
};

ByteSum Multiplier::multiply(unsigned part, ArrayRef<int8_t> bytes,
                             unsigned shift) {
  std::vector<int64_t> shape(weights.shape.begin(), weights.shape.end());
  HostTensor tensor(DType::I8, shape);
  llvm::copy(bytes, tensor.mutableData<int8_t>());
  const CodeGrid &grid = parts[part].grid;
  AccumulatorBound bound;
  for (const WeightSums &sum : sumWeights(s, weights.shape, bytes))
    bound.merge(boundAccumulator(sum, {grid.min, grid.max}, 0));

  SmallVector<Value> operands(3);
  operands[s.activationOperand] = parts[part].codes;
  operands[s.weightOperand] = makeConstant(
      builder, loc, RankedTensorType::get(shape, builder.getI8Type()),
      "weights", std::move(tensor));
  operands[2] =
      makeZeroSums(builder, loc, sizesOf(builder, loc, op.getDpsInits()[0]));
  Operation *integer = retypeLinalg(builder, op, operands);
  copyMarks(op, integer);
  integer->setAttr(qd::kMacsAttr, builder.getI64IntegerAttr(s.macs()));
  integer->setAttr(qd::kAccBoundAttr,
                   builder.getDenseI64ArrayAttr({bound.low, bound.high}));
  return {integer->getResult(0), shiftOf(part) + shift};
}

Value Multiplier::run(ArrayRef<WeightSums> sums, const Coefficient &zeroPoint,
                      const Coefficient &init, const WideJoin &join) {
  WeightBytes bytes(weights.wide);
  SmallVector<ByteSum, 4> products;
  for (unsigned part = 0; part < parts.size(); ++part) {
    products.push_back(multiply(part, bytes.high, 8));
    products.push_back(multiply(part, bytes.low, 0));
  }
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  unsigned rank = type.getRank();
  SmallVector<ElementwiseInput> inputs;
  for (const ByteSum &product : products)
    inputs.push_back({product.value, builder.getMultiDimIdentityMap(rank)});

  Type integer = join.isExact ? builder.getI32Type() : builder.getI64Type();
  Coefficient zero = zeroPoint.map([&](double z) { return z - bytes.offset; });
  std::optional<PayloadConstant> factor;
  if (!zero.isExactly(0)) {
    for (const CodeBytes &part : parts)
      inputs.push_back(sumActivations(context, op, s, part));
    factor.emplace(context, loc, zero, integer, rank, inputs);
  }
  double half = join.shift == 0 ? 0 : std::ldexp(0.5, join.shift);
  Coefficient totals = perOutputChannel(s);
  for (const WeightSums &sum : sums)
    totals.values.push_back(static_cast<double>(sum.sum));
  // Seeded fault 88: low bytes of activations count from 0.
  double start = parts.size() == 2 && QDIALECT_MUTATE != 88 ? 128 : 0;
  Coefficient first = combine(init, totals, [&](double constant, double total) {
    double all = constant + start * total + half;
    return join.isExact ? static_cast<int32_t>(static_cast<int64_t>(all)) : all;
  });
  PayloadConstant constant(context, loc, first, integer, rank, inputs);

  auto payload = [&](OpBuilder &b, Location l, ValueRange args) -> Value {
    auto widened = [&](Value sum, unsigned shift) -> Value {
      if (!join.isExact)
        sum = arith::ExtSIOp::create(b, l, integer, sum);
      if (shift == 0)
        return sum;
      Value power = arith::ConstantOp::create(
          b, l, b.getIntegerAttr(integer, int64_t(1) << shift));
      return arith::MulIOp::create(b, l, sum, power);
    };
    Value total = constant.get(b, l, args);
    for (auto [i, product] : llvm::enumerate(products))
      total =
          arith::AddIOp::create(b, l, total, widened(args[i], product.shift));
    if (factor) {
      Value codes;
      for (unsigned part = 0; part < parts.size(); ++part) {
        Value sum = widened(args[products.size() + part], shiftOf(part));
        codes = codes ? arith::AddIOp::create(b, l, codes, sum) : sum;
      }
      // Seeded fault 89: weights without their zero point.
      if (QDIALECT_MUTATE != 89)
        total = arith::SubIOp::create(
            b, l, total,
            arith::MulIOp::create(b, l, codes, factor->get(b, l, args)));
    }
    if (join.shift == 0)
      return total;
    Value shift =
        arith::ConstantOp::create(b, l, b.getIntegerAttr(integer, join.shift));
    total = arith::ShRSIOp::create(b, l, total, shift);
    return arith::TruncIOp::create(b, l, b.getI32Type(), total);
  };
  Type result = join.shift == 0 ? integer : builder.getI32Type();
  return makeElementwise(builder, loc, type.clone(result), inputs, payload,
                         op.getDpsInits()[0])
      .getResult(0);
}

} // namespace

Value multiplyWide(IntegerizeContext &context, linalg::LinalgOp op,
                   const ContractionStructure &s, const CodeBytes &activation,
                   const IntegerWeights &weights, ArrayRef<WeightSums> sums,
                   const Coefficient &zeroPoint, const Coefficient &init,
                   const WideJoin &join) {
  return Multiplier(context, op, s, activation, weights)
      .run(sums, zeroPoint, init, join);
}

} // namespace qdialect

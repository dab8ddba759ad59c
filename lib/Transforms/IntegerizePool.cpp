// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums over windows or axes, which average pools and means are up to a factor:
//
//   factor * sum of (q - z) * s = factor * s * (sum of q - z * count)
//
// The i32 accumulator starts from -z * count. Maxima need no arithmetic:
// qd-commute-dequantize has them on codes already.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

Value integerizePool(IntegerizeContext &context, const Island &island) {
  const Term &term = island.formula.terms[0];
  const Leaf &leaf = island.leaves[term.leaves[0]];
  auto op = cast<linalg::LinalgOp>(leaf.root);
  if (!island.formula.constant.isExactly(0))
    return context.refuse("an offset follows its sum without a rounding");
  if (!term.factor.allOf([](double f) { return f > 0; }))
    return context.refuse("its sum is scaled by a factor that is not positive");
  std::optional<Attribute> fill = getSplatValue(op.getDpsInits()[0]);
  auto start = fill ? dyn_cast<FloatAttr>(*fill) : FloatAttr();
  if (!start || !start.getValue().isZero())
    return context.refuse("its accumulator does not start from zero");
  auto dequantize = op->getOperand(0).getDefiningOp<qd::DequantizeOp>();
  std::string why = "its input is not quantized";
  std::optional<CodeGrid> grid;
  if (dequantize)
    grid = getGrid(dequantize, &why);
  if (!grid)
    return context.refuse(why);
  if (!grid->isInteger())
    return context.refuse(
        "its input has codes other than integers of 2 to 16 bits");

  int64_t count = 1;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [iterator, size] :
       llvm::zip_equal(iterators, op.getStaticLoopRanges())) {
    if (iterator != utils::IteratorType::reduction)
      continue;
    if (ShapedType::isDynamic(size))
      return context.refuse("its shape is not static");
    count *= size;
  }
  // Seeded fault 32: one element too many is compensated.
  if constexpr (QDIALECT_MUTATE == 32)
    count += 1;
  int64_t init = -static_cast<int64_t>(grid->zeroPoint) * count;
  WeightSums ones{count, count, 0};
  AccumulatorBound bound = boundAccumulator(ones, {grid->min, grid->max}, init);
  if (!bound.fitsInt32())
    return context.refuse("its sum of " + llvm::Twine(count) +
                          " codes does not fit 32 bits");

  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto sum = [&](Value codes, int64_t first, AccumulatorBound reached) {
    Value empty =
        makeEmptyLike(builder, loc, op->getResult(0), builder.getI32Type());
    Value start = arith::ConstantOp::create(builder, loc,
                                            builder.getI32IntegerAttr(first));
    SmallVector<Value> operands{codes};
    if (op.getNumDpsInputs() ==
        2) // a pool's window, of which only the shape counts
      operands.push_back(tensor::EmptyOp::create(
          builder, loc,
          cast<RankedTensorType>(op->getOperand(1).getType()).getShape(),
          builder.getI8Type()));
    operands.push_back(
        linalg::FillOp::create(builder, loc, start, empty).getResult(0));
    Operation *integer = retypeLinalg(builder, op, operands);
    copyMarks(op, integer);
    integer->setAttr("qd.acc_bound",
                     builder.getDenseI64ArrayAttr({reached.low, reached.high}));
    return integer->getResult(0);
  };
  SmallVector<Value, 2> bytes = splitCodes(builder, dequantize.getInput());
  Value total;
  if (bytes.size() == 1) {
    total = sum(bytes[0], init, bound);
  } else {
    AccumulatorBound ofBytes = boundAccumulator(ones, {-128, 127}, 0);
    Value high = sum(bytes[0], 0, ofBytes);
    int64_t start = init + 128 * count;
    Value low =
        sum(bytes[1], start, boundAccumulator(ones, {-128, 127}, start));
    total = joinSums(builder, loc, high, low, /*coarse=*/false);
  }

  double sx = grid->scale, sy = island.grid.scale;
  Accumulator accumulator;
  accumulator.inputs = {{total, leaf.map}};
  accumulator.value = [](OpBuilder &, Location, ValueRange args) {
    return args[0];
  };
  accumulator.maxAbs = bound.maxAbs();
  accumulator.scale = term.factor.map([&](double f) { return f * sx / sy; });
  accumulator.scaleF32 = accumulator.scale;
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect

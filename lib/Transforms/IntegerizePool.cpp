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

#include "IntegerizePool.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {
namespace {

std::optional<PooledGrid> readGrid(IntegerizeContext &context,
                                   linalg::LinalgOp op) {
  auto refuse = [&](StringRef why) {
    context.reason = why.str();
    return std::nullopt;
  };
  auto dequantize = op->getOperand(0).getDefiningOp<qd::DequantizeOp>();
  if (!dequantize)
    return refuse("its input is not quantized");
  std::string why;
  PooledGrid result;
  if (std::optional<CodeGrid> grid = getGrid(dequantize, &why)) {
    result = {*grid, Coefficient::scalar(grid->scale),
              Coefficient::scalar(grid->zeroPoint)};
  } else {
    std::optional<IndexedGrid> indexed = getIndexedGrid(
        dequantize, op.getMatchingIndexingMap(&op->getOpOperand(0)));
    if (!indexed)
      return refuse("its input is quantized, but " + why);
    SmallVector<unsigned> toOutput(op.getNumLoops(), ~0u);
    for (auto [dim, expr] : llvm::enumerate(
             op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        toOutput[loop.getPosition()] = dim;
    for (const Coefficient *numbers : {&indexed->scale, &indexed->zeroPoint})
      for (unsigned loop : numbers->dims)
        if (toOutput[loop] == ~0u)
          return refuse("its input's grid varies along a summed dimension");
    result = {indexed->codes, indexed->scale.renumbered(toOutput),
              indexed->zeroPoint.renumbered(toOutput)};
  }
  if (!result.codes.isInteger())
    return refuse("its input has codes other than integers of 2 to 16 bits");
  return result;
}

} // namespace

Value sumCodes(IntegerizeContext &context, linalg::LinalgOp op,
               const CodeBytes &bytes, const Coefficient &init,
               const AccumulatorBound &bound) {
  OpBuilder &builder = context.builder;
  SmallVector<Value> operands{bytes.codes};
  if (op.getNumDpsInputs() ==
      2) // a pool's window, of which only the shape counts
    operands.push_back(tensor::EmptyOp::create(
        builder, op.getLoc(),
        cast<RankedTensorType>(op->getOperand(1).getType()).getShape(),
        builder.getI8Type()));
  operands.push_back(makeInit(context, op, init));
  Operation *integer = retypeLinalg(builder, op, operands);
  copyMarks(op, integer);
  integer->setAttr(qd::kAccBoundAttr,
                   builder.getDenseI64ArrayAttr({bound.low, bound.high}));
  return integer->getResult(0);
}

SmallVector<unsigned> islandDims(const Leaf &leaf) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : leaf.map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    dims.push_back(dim ? dim.getPosition() : ~0u);
  }
  return dims;
}

Value integerizePool(IntegerizeContext &context, const Island &island) {
  const Term &term = island.formula.terms[0];
  const Leaf &leaf = island.leaves[term.leaves[0]];
  auto op = cast<linalg::LinalgOp>(leaf.root);
  if (!island.formula.constant.isExactly(0))
    return context.refuse("an offset follows its sum without a rounding");
  // Neg(mean): the sum is negated, what rounds it knows positive scales.
  bool isNegated = term.factor.allOf([](double f) { return f < 0; });
  if (!isNegated && !term.factor.allOf([](double f) { return f > 0; }))
    return context.refuse("its sum is scaled by factors that are neither all "
                          "positive nor all negative");
  if (!startsFromZero(op))
    return context.refuse("its accumulator does not start from zero");
  std::optional<PooledGrid> grid = readGrid(context, op);
  if (!grid)
    return {};

  int64_t count = 1;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [iterator, size] :
       llvm::zip_equal(iterators, op.getStaticLoopRanges())) {
    if (iterator != utils::IteratorType::reduction)
      continue;
    if (ShapedType::isDynamic(size))
      return integerizeSymbolicPool(context, island, *grid, isNegated);
    count *= size;
  }
  if (term.divisor)
    return context.refuse("its sum is divided by a size that is not the number "
                          "of its terms");
  // Seeded fault 32: one element too many is compensated.
  if constexpr (QDIALECT_MUTATE == 32)
    count += 1;
  WeightSums ones{count, count, 0};
  auto boundSums = [&](const Coefficient &starts, CodeInterval codes) {
    AccumulatorBound bound =
        boundAccumulator(ones, codes, static_cast<int64_t>(starts.values[0]));
    for (double start : starts.values)
      bound.merge(boundAccumulator(ones, codes, static_cast<int64_t>(start)));
    return bound;
  };
  Coefficient init = grid->zeroPoint.map(
      [&](double zero) { return -zero * static_cast<double>(count); });
  AccumulatorBound bound = boundSums(init, {grid->codes.min, grid->codes.max});
  // Its negative fits, too.
  if (!bound.fitsInt32() || bound.low == INT32_MIN)
    return context.refuse("its sum of " + llvm::Twine(count) +
                          " codes does not fit 32 bits");

  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto sum = [&](const CodeBytes &bytes, const Coefficient &first) {
    return sumCodes(context, op, bytes, first,
                    boundSums(first, {bytes.grid.min, bytes.grid.max}));
  };
  SmallVector<CodeBytes, 2> bytes = splitCodes(
      builder, op->getOperand(0).getDefiningOp()->getOperand(0), grid->codes);
  Value total;
  if (bytes.size() == 1) {
    total = sum(bytes[0], init);
  } else {
    Value high = sum(bytes[0], Coefficient::scalar(0));
    Coefficient start = init.map(
        [&](double first) { return first + 128 * static_cast<double>(count); });
    Value low = sum(bytes[1], start);
    total = joinSums(builder, loc, high, low, SumJoin::Exact);
  }

  SmallVector<unsigned> toIsland = islandDims(leaf);
  double sy = island.grid.scale;
  Accumulator accumulator;
  accumulator.inputs = {{total, leaf.map}};
  accumulator.value = [=](OpBuilder &nested, Location at,
                          ValueRange args) -> Value {
    if (!isNegated)
      return args[0];
    Value zero = arith::ConstantIntOp::create(nested, at, args[0].getType(), 0);
    return arith::SubIOp::create(nested, at, zero, args[0]);
  };
  accumulator.maxAbs = bound.maxAbs();
  accumulator.scale =
      combine(term.factor, grid->scale.renumbered(toIsland),
              [&](double f, double sx) { return std::fabs(f) * sx / sy; });
  accumulator.scaleF32 = accumulator.scale;
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of codes over axes of symbolic size, and means: with n the number of
// codes, which the program knows when it runs,
//
//   sum of (q - z) = sum of q - z * n
//   mean of (q - z) = (sum of q - z * n) * 2^k / n,  in steps of 2^-k
//
// A mean is rounded to those steps (ties away from zero) by an integer division
// in i64 for each element of the result; k leaves it 30 bits, far finer than
// any grid. So a mean of any size is an accumulator with one scale. The mean of
// nothing is 0, the real value of the code that a float NaN becomes.

#include "IntegerizePool.h"
#include "QDialect/Analysis/SymbolicShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

constexpr unsigned kMeanBits = 30;

/// How many codes a sum has: the index, and the most that it can be.
struct Count {
  Value size;
  int64_t most = 0;
};

std::optional<Count> countCodes(IntegerizeContext &context, linalg::LinalgOp op,
                                Value divisor) {
  auto refuse = [&](StringRef why) {
    context.reason = why.str();
    return std::nullopt;
  };
  SymbolicShapes shapes(op->getParentOfType<func::FuncOp>());
  OpOperand *input = op.getDpsInputOperand(0);
  AffineMap map = op.getMatchingIndexingMap(input);
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  if (op.getNumDpsInputs() != 1 || !map.isProjectedPermutation())
    return refuse("it is a pool over windows of symbolic size");
  SmallVector<int64_t> sizes = shapes.shapeOf(input->get()), summed;
  for (auto [size, expr] : llvm::zip_equal(sizes, map.getResults()))
    if (iterators[cast<AffineDimExpr>(expr).getPosition()] ==
        utils::IteratorType::reduction)
      summed.push_back(size);
  if (llvm::any_of(summed, ShapedType::isDynamic))
    return refuse("the number of its terms is not known to be a size");
  int64_t count = shapes.sizes.product(summed);
  Count result;
  result.most = shapes.sizes.bounds(count).high;
  if (result.most >= SymbolicSizes::kUnbounded)
    return refuse("the number of its terms has no bound (--dim name=low..high "
                  "gives one)");
  if (!divisor)
    return refuse("it is a sum, no mean, over axes of symbolic size");
  if (shapes.sizeOf(divisor) != count)
    return refuse("its sum is divided by a size that is not the number of its "
                  "terms");
  result.size = divisor;
  return result;
}

/// Of as many codes as there can be.
std::optional<AccumulatorBound> boundSum(const CodeGrid &grid, int64_t most) {
  // 2^31 codes are too many for any grid.
  if (most > std::numeric_limits<int32_t>::max())
    return std::nullopt;
  AccumulatorBound bound =
      boundAccumulator({most, most, 0}, {grid.min, grid.max}, 0);
  bound.merge({});
  if (!bound.fitsInt32())
    return std::nullopt;
  return bound;
}

/// Integers of 64 bits in a payload.
struct Wide {
  OpBuilder &b;
  Location l;

  Value number(int64_t value) const {
    return arith::ConstantOp::create(b, l, b.getI64IntegerAttr(value));
  }
  template <class Op>
  Value make(Value x, Value y) const {
    return Op::create(b, l, x, y);
  }
  /// Rounded, ties away from zero; 0 where there is nothing to divide by.
  Value divide(Value x, Value count) const {
    count = make<arith::MaxSIOp>(count, number(1));
    Value half = make<arith::ShRSIOp>(count, number(1));
    Value isNegative =
        arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, x, number(0));
    Value away = arith::SelectOp::create(
        b, l, isNegative, make<arith::SubIOp>(number(0), half), half);
    return make<arith::DivSIOp>(make<arith::AddIOp>(x, away), count);
  }
};

} // namespace

Value integerizeSymbolicPool(IntegerizeContext &context, const Island &island,
                             const PooledGrid &grid, bool isNegated) {
  const Term &term = island.formula.terms[0];
  const Leaf &leaf = island.leaves[term.leaves[0]];
  auto op = cast<linalg::LinalgOp>(leaf.root);
  std::optional<Count> count = countCodes(context, op, term.divisor);
  if (!count)
    return {};
  OpBuilder &builder = context.builder;
  SmallVector<CodeGrid, 2> byteGrid = byteGrids(grid.codes);
  SmallVector<AccumulatorBound, 2> bounds;
  for (const CodeGrid &codes : byteGrid) {
    std::optional<AccumulatorBound> bound = boundSum(codes, count->most);
    if (!bound)
      return context.refuse("its sum of up to " + llvm::Twine(count->most) +
                            " codes does not fit 32 bits");
    bounds.push_back(*bound);
  }
  // The largest difference to a zero point takes so many steps.
  CodeInterval centred{0, 0};
  for (double zero : grid.zeroPoint.values) {
    centred.min =
        std::min(centred.min, grid.codes.min - static_cast<int64_t>(zero));
    centred.max =
        std::max(centred.max, grid.codes.max - static_cast<int64_t>(zero));
  }
  int64_t reach = std::max<int64_t>({1, centred.max, -centred.min});
  int bits =
      static_cast<int>(kMeanBits) - static_cast<int>(llvm::Log2_64(reach)) - 1;
  if (bits < 0)
    return context.refuse("its zero point is too far from its codes");
  int64_t steps = int64_t(1) << bits;

  Accumulator accumulator;
  Value codes = op->getOperand(0).getDefiningOp()->getOperand(0);
  for (auto [part, bound] :
       llvm::zip_equal(splitCodes(builder, codes, grid.codes), bounds))
    accumulator.inputs.push_back(
        {sumCodes(context, op, part, Coefficient::scalar(0), bound), leaf.map});
  bool isSplit = bounds.size() == 2;
  SmallVector<unsigned> toIsland = islandDims(leaf);
  // Low bytes are 128 lower than they count.
  Coefficient zero = grid.zeroPoint.renumbered(toIsland).map(
      [&](double z) { return isSplit ? z - 128 : z; });
  PayloadConstant zeros(context, op.getLoc(), zero, builder.getI64Type(),
                        island.rank(), accumulator.inputs);
  accumulator.value = [=](OpBuilder &nested, Location at,
                          ValueRange args) -> Value {
    Wide wide{nested, at};
    Type i64 = nested.getI64Type();
    auto extended = [&](Value sum) -> Value {
      return arith::ExtSIOp::create(nested, at, i64, sum);
    };
    Value total = extended(args[0]);
    if (isSplit)
      total = wide.make<arith::AddIOp>(
          wide.make<arith::MulIOp>(total, wide.number(256)), extended(args[1]));
    Value size = arith::IndexCastOp::create(nested, at, i64, count->size);
    // Seeded fault 90: the zero points stay in the mean.
    if constexpr (QDIALECT_MUTATE != 90)
      total = wide.make<arith::SubIOp>(
          total, wide.make<arith::MulIOp>(zeros.get(nested, at, args), size));
    total = wide.make<arith::MulIOp>(total,
                                     wide.number(isNegated ? -steps : steps));
    return arith::TruncIOp::create(nested, at, nested.getI32Type(),
                                   wide.divide(total, size));
  };
  // A mean of integers is none beyond them, its sum so many times as large.
  accumulator.bound = boundAccumulator(isNegated ? WeightSums{-steps, 0, -steps}
                                                 : WeightSums{steps, steps, 0},
                                       centred, 0);
  accumulator.maxAbs = reach * steps + 1;
  accumulator.intermediate = static_cast<double>(count->most) *
                             (static_cast<double>(accumulator.maxAbs) + 0.5);
  double sy = island.grid.scale;
  accumulator.scale = combine(
      term.factor, grid.scale.renumbered(toIsland), [&](double f, double sx) {
        return std::ldexp(std::fabs(f) * sx, -bits) / sy;
      });
  accumulator.scaleF32 = accumulator.scale;
  accumulator.error = accumulator.scale.magnitude() / 2;
  return makeRequantize(context, island, accumulator);
}

} // namespace qdialect

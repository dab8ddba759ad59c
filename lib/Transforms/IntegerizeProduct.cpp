// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of two activations (attention):
//
//   sum of (q - zq) * sq * (k - zk) * sk = sq * sk * sum of (q - zq) * (k - zk)
//
// Neither operand is known, so nothing folds: the zero points stand in the
// payload, and the kernel takes them out of the sum by the sums of rows and
// columns. The bound is that of the widest codes, K * max|q - zq| * max|k -
// zk|, with the largest K where that is symbolic. Codes of more than 8 bits
// make a product for each pair of their bytes:
//
//   q - zq = 256 * (high(q) - high(zq)) + (low(q) - low(zq))

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// The largest |code - zero point|.
int64_t reach(const CodeGrid &grid) {
  return std::max(std::abs(grid.min - grid.zeroPoint),
                  std::abs(grid.max - grid.zeroPoint));
}

/// ext(code) - zero point, as i32.
Value centred(OpBuilder &builder, Location loc, Value code, int32_t zeroPoint) {
  Type i32 = builder.getI32Type();
  Value wide = arith::ExtSIOp::create(builder, loc, i32, code);
  if (zeroPoint == 0)
    return wide;
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getI32IntegerAttr(zeroPoint));
  return arith::SubIOp::create(builder, loc, wide, zero);
}

/// The largest number of products in a sum; nothing if it has no bound.
std::optional<int64_t> mostProducts(linalg::LinalgOp op,
                                    const ContractionStructure &s) {
  std::optional<SymbolicShapes> shapes;
  int64_t count = 1;
  for (unsigned loop : s.inputChannel) {
    int64_t size = s.loopSizes[loop];
    if (ShapedType::isDynamic(size)) {
      if (!shapes)
        shapes.emplace(op->getParentOfType<func::FuncOp>());
      size = shapes->shapeOf(
          op->getOperand(s.activationOperand))[*s.activationDim(loop)];
      if (ShapedType::isDynamic(size))
        return std::nullopt;
      size = shapes->sizes.bounds(size).high;
    }
    if (size >= SymbolicSizes::kUnbounded ||
        llvm::MulOverflow(count, size, count))
      return std::nullopt;
  }
  return count;
}

/// One product of activations on its way to integers.
class ProductRewriter {
public:
  ProductRewriter(IntegerizeContext &context, linalg::LinalgOp op)
      : context(context), op(op), s(*getContractionStructure(op)) {}

  std::optional<IntegerContraction>
  run(const Coefficient &factor, const Coefficient &offset, bool isRounded);

private:
  bool refuse(const llvm::Twine &why) {
    context.reason = why.str();
    return false;
  }
  bool readOperands(const Coefficient &offset);
  bool proveBound(bool isRounded);
  Value multiply(const CodeBytes &left, const CodeBytes &right,
                 int32_t start = 0);
  Value joinProducts();

  IntegerizeContext &context;
  linalg::LinalgOp op;
  ContractionStructure s;
  SmallVector<CodeGrid, 2> grids;
  SmallVector<Value, 2> codes;
  int64_t count = 1; ///< products of a sum, at most
  SumJoin how = SumJoin::Exact;
  int64_t maxAbs = 0;
};

bool ProductRewriter::readOperands(const Coefficient &offset) {
  if (s.isConvolution())
    return refuse("its filter is an activation");
  if (!offset.isExactly(0))
    return refuse("a constant is added to a product of two activations "
                  "without a rounding in between");
  if (!startsFromZero(op))
    return refuse("its accumulator does not start from zero");
  for (Value input : op.getDpsInputs()) {
    std::optional<CodeGrid> grid = activationGrid(context, input);
    if (!grid)
      return false;
    grids.push_back(*grid);
    codes.push_back(input.getDefiningOp<qd::DequantizeOp>().getInput());
  }
  return true;
}

/// Sums in any order, with the zero points or before they are taken out, are
/// sums modulo 2^32; the finished one must fit, in steps of 256 or in i64 if
/// need be.
bool ProductRewriter::proveBound(bool isRounded) {
  std::optional<int64_t> most = mostProducts(op, s);
  if (!most)
    return refuse("the number of its products has no bound (--dim "
                  "name=low..high gives one)");
  count = *most;
  int64_t each = reach(grids[0]) * reach(grids[1]);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  bool isWide = grids[0].bits() > 8 || grids[1].bits() > 8;
  if (isWide && count > kMost / std::max<int64_t>(each, 1))
    how = isRounded ? SumJoin::Coarse : SumJoin::Wide;
  bool coarse = how == SumJoin::Coarse;
  // Rounding the low bytes' sum adds less than a step.
  int64_t step = std::max<int64_t>(coarse ? each / 256 + 1 : each, 1);
  int64_t rounding = coarse ? 1 : 0;
  // Each sum of products of bytes fits too: what is shifted or extended must.
  int64_t ofBytes = 1;
  for (const CodeGrid &left : byteGrids(grids[0]))
    for (const CodeGrid &right : byteGrids(grids[1]))
      ofBytes = std::max(ofBytes, reach(left) * reach(right));
  if ((how != SumJoin::Wide && count > (kMost - rounding) / step) ||
      (isWide && count > (kMost - kHalfCoarseStep) / ofBytes))
    return refuse("its " + llvm::Twine(count) + " products of up to " +
                  llvm::Twine(each) + " need more than " +
                  llvm::Twine(isWide ? 40 : 32) + " bits");
  maxAbs = count * step + rounding;
  return true;
}

/// The sums of products, from `start`.
Value ProductRewriter::multiply(const CodeBytes &left, const CodeBytes &right,
                                int32_t start) {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  Type i32 = builder.getI32Type();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Value first =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(start));
  Value empty = makeEmptyLike(builder, loc, op.getDpsInits()[0], i32);
  Value init = linalg::FillOp::create(builder, loc, first, empty).getResult(0);
  auto product = linalg::GenericOp::create(
      builder, loc, type.clone(i32), ValueRange{left.codes, right.codes},
      ValueRange{init}, op.getIndexingMapsArray(), op.getIteratorTypesArray(),
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value x = centred(b, l, args[0], left.grid.zeroPoint);
        Value y = centred(b, l, args[1], right.grid.zeroPoint);
        Value term = arith::MulIOp::create(b, l, x, y);
        Value sum = arith::AddIOp::create(b, l, args[2], term);
        linalg::YieldOp::create(b, l, sum);
      });
  copyMarks(op, product);
  product->setAttr(qd::kMacsAttr, builder.getI64IntegerAttr(s.macs()));
  int64_t bound = count * reach(left.grid) * reach(right.grid);
  product->setAttr(qd::kAccBoundAttr, builder.getDenseI64ArrayAttr(
                                          {start - bound, start + bound}));
  return product.getResult(0);
}

/// 256^2 * (high * high) + 256 * (high * low + low * high) + low * low, the
/// last rounded where the steps are coarse.
Value ProductRewriter::joinProducts() {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  SmallVector<CodeBytes, 2> left = splitCodes(builder, codes[0], grids[0]),
                            right = splitCodes(builder, codes[1], grids[1]);
  Value high = multiply(left[0], right[0]);
  if (left.size() == 1 && right.size() == 1)
    return high;
  Value low = multiply(left.back(), right.back(),
                       how == SumJoin::Coarse ? kHalfCoarseStep : 0);
  if (left.size() == 1 || right.size() == 1)
    return joinSums(builder, loc, high, low, how);
  // Both of the mixed sums fit i32, together they may not.
  Value upper = joinSums(builder, loc, high, multiply(left[0], right[1]),
                         how == SumJoin::Wide ? how : SumJoin::Exact);
  upper = addSums(builder, loc, upper, multiply(left[1], right[0]));
  return joinSums(builder, loc, upper, low, how);
}

std::optional<IntegerContraction>
ProductRewriter::run(const Coefficient &factor, const Coefficient &offset,
                     bool isRounded) {
  if (!readOperands(offset) || !proveBound(isRounded))
    return std::nullopt;
  IntegerContraction result;
  result.value = joinProducts();
  result.maxAbs = maxAbs;
  bool coarse = how == SumJoin::Coarse;
  double step = coarse ? 256 : 1;
  double unit =
      static_cast<double>(grids[0].scale) * static_cast<double>(grids[1].scale);
  result.scale = Coefficient::scalar(step * unit);
  if (coarse) // half of a step
    result.error = 128 * unit * factor.magnitude();
  result.scaleF32 =
      Coefficient::scalar(step * (grids[0].scale * grids[1].scale));
  return result;
}

} // namespace

std::optional<IntegerContraction> makeIntegerProduct(IntegerizeContext &context,
                                                     linalg::LinalgOp op,
                                                     const Coefficient &factor,
                                                     const Coefficient &offset,
                                                     bool isRounded) {
  return ProductRewriter(context, op).run(factor, offset, isRounded);
}

} // namespace qdialect

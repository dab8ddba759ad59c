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
// zk|, with the largest K where that is symbolic.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

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

} // namespace

std::optional<IntegerContraction>
makeIntegerProduct(IntegerizeContext &context, linalg::LinalgOp op,
                   const Coefficient &offset) {
  auto refuse = [&](const llvm::Twine &why) {
    context.reason = why.str();
    return std::nullopt;
  };
  ContractionStructure s = *getContractionStructure(op);
  if (s.isConvolution())
    return refuse("its filter is an activation");
  if (!offset.isExactly(0))
    return refuse("a constant is added to a product of two activations "
                  "without a rounding in between");
  std::optional<Attribute> fill = getSplatValue(op.getDpsInits()[0]);
  auto start = fill ? dyn_cast<FloatAttr>(*fill) : FloatAttr();
  if (!start || !start.getValue().isZero())
    return refuse("its accumulator does not start from zero");
  SmallVector<CodeGrid, 2> grids;
  SmallVector<Value, 2> codes;
  for (Value input : op.getDpsInputs()) {
    std::optional<CodeGrid> grid = activationGrid(context, input);
    if (!grid)
      return std::nullopt;
    grids.push_back(*grid);
    codes.push_back(input.getDefiningOp<qd::DequantizeOp>().getInput());
  }
  // Sums in any order, with the zero points or before they are taken out, are
  // sums modulo 2^32; the finished one must fit.
  int64_t each = reach(grids[0]) * reach(grids[1]);
  std::optional<int64_t> most = mostProducts(op, s);
  if (!most)
    return refuse("the number of its products has no bound (--dim "
                  "name=low..high gives one)");
  int64_t count = *most;
  if (count > std::numeric_limits<int32_t>::max() / std::max<int64_t>(each, 1))
    return refuse("its " + llvm::Twine(count) + " products of up to " +
                  llvm::Twine(each) + " need more than 32 bits");

  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  Type i32 = builder.getI32Type();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  Value empty = makeEmptyLike(builder, loc, op.getDpsInits()[0], i32);
  Value init = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  auto product = linalg::GenericOp::create(
      builder, loc, type.clone(i32), codes, ValueRange{init},
      op.getIndexingMapsArray(), op.getIteratorTypesArray(),
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value left = centred(b, l, args[0], grids[0].zeroPoint);
        Value right = centred(b, l, args[1], grids[1].zeroPoint);
        Value term = arith::MulIOp::create(b, l, left, right);
        Value sum = arith::AddIOp::create(b, l, args[2], term);
        linalg::YieldOp::create(b, l, sum);
      });
  copyMarks(op, product);
  product->setAttr("qd.macs", builder.getI64IntegerAttr(s.macs()));
  product->setAttr("qd.acc_bound",
                   builder.getDenseI64ArrayAttr({-count * each, count * each}));
  IntegerContraction result;
  result.value = product.getResult(0);
  result.maxAbs = count * each;
  result.scale = Coefficient::scalar(static_cast<double>(grids[0].scale) *
                                     static_cast<double>(grids[1].scale));
  result.scaleF32 = Coefficient::scalar(grids[0].scale * grids[1].scale);
  result.offsetError = Coefficient::scalar(0);
  return result;
}

} // namespace qdialect

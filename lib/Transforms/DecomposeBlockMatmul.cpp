// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd.block_matmul, block by block in a loop (the last, if short, behind it):
//
//   scf.for %b = 0 to %blocks iter_args(%total = zeros) {
//     %acc = linalg.generic { acc + ext(%x) * (ext(%w) - %z) } : i32
//     %next = linalg.generic { fma(f32(%acc), %sx * %sw, %total) } }

#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Expand.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace qdialect;

namespace {

class BlockLoop {
public:
  BlockLoop(qd::BlockMatmulOp op, OpBuilder &builder)
      : op(op), loc(op.getLoc()), result(op.getType()),
        sizes(sizesOf(builder, loc, op.getLhs())) {
    sizes[1] = sizesOf(builder, loc, op.getRhs())[1];
  }

  /// A matrix of zeros of the result's shape.
  Value zeros(OpBuilder &b, Type element);
  /// The totals with block number `block`, of `size` indices, added.
  Value addBlock(OpBuilder &b, Value block, int64_t size, Value totals);

private:
  Value slice(OpBuilder &b, Value from, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> shape);
  /// Row or column `number` of a matrix, as a vector.
  Value vectorOf(OpBuilder &b, Value matrix, OpFoldResult number, bool isRow);
  Value codesToI32(OpBuilder &b, Location at, Value code);

  qd::BlockMatmulOp op;
  Location loc;
  RankedTensorType result;
  SmallVector<OpFoldResult> sizes; ///< M, N
};

Value BlockLoop::zeros(OpBuilder &b, Type element) {
  Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

Value BlockLoop::slice(OpBuilder &b, Value from, ArrayRef<OpFoldResult> offsets,
                       ArrayRef<OpFoldResult> shape) {
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, from, offsets, shape, strides);
}

Value BlockLoop::vectorOf(OpBuilder &b, Value matrix, OpFoldResult number,
                          bool isRow) {
  auto type = cast<RankedTensorType>(matrix.getType());
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult length = sizes[isRow ? 1 : 0];
  SmallVector<OpFoldResult> offsets{number, zero}, shape{one, length},
      strides(2, one);
  if (!isRow) {
    std::swap(offsets[0], offsets[1]);
    std::swap(shape[0], shape[1]);
  }
  auto vector = RankedTensorType::get(
      {getConstantIntValue(length).value_or(ShapedType::kDynamic)},
      type.getElementType());
  return tensor::ExtractSliceOp::create(b, loc, vector, matrix, offsets, shape,
                                        strides);
}

Value BlockLoop::codesToI32(OpBuilder &b, Location at, Value code) {
  Type type = code.getType();
  if (auto integer = dyn_cast<IntegerType>(type);
      integer && integer.isSignless())
    return arith::ExtSIOp::create(b, at, b.getI32Type(), code);
  Value bits = qd::StorageCastOp::create(b, at, qd::getStorageType(type), code);
  return arith::ExtUIOp::create(b, at, b.getI32Type(), bits);
}

Value BlockLoop::addBlock(OpBuilder &b, Value block, int64_t size,
                          Value totals) {
  Value first =
      arith::MulIOp::create(b, loc, block,
                            arith::ConstantIndexOp::create(
                                b, loc, static_cast<int64_t>(op.getBlock())));
  OpFoldResult zero = b.getIndexAttr(0), length = b.getIndexAttr(size);
  AffineExpr m = b.getAffineDimExpr(0), n = b.getAffineDimExpr(1),
             k = b.getAffineDimExpr(2);
  SmallVector<Value> inputs{
      slice(b, op.getLhs(), {zero, first}, {sizes[0], length}),
      slice(b, op.getRhs(), {first, zero}, {length, sizes[1]})};
  SmallVector<AffineMap> maps{AffineMap::get(3, 0, {m, k}, b.getContext()),
                              AffineMap::get(3, 0, {k, n}, b.getContext())};
  if (op.getRhsZeroPoint()) {
    inputs.push_back(vectorOf(b, op.getRhsZeroPoint(), block, /*isRow=*/true));
    maps.push_back(AffineMap::get(3, 0, n));
  }
  maps.push_back(AffineMap::get(3, 0, {m, n}, b.getContext()));
  constexpr auto parallel = utils::IteratorType::parallel;
  utils::IteratorType loops[] = {parallel, parallel,
                                 utils::IteratorType::reduction};
  Value start = zeros(b, b.getI32Type());
  Value acc =
      linalg::GenericOp::create(
          b, loc, start.getType(), inputs, start, maps, loops,
          [&](OpBuilder &nested, Location at, ValueRange v) {
            Value x =
                arith::ExtSIOp::create(nested, at, nested.getI32Type(), v[0]);
            Value w = codesToI32(nested, at, v[1]);
            if (op.getRhsZeroPoint())
              w = arith::SubIOp::create(nested, at, w, v[2]);
            Value product = arith::MulIOp::create(nested, at, x, w);
            Value sum = arith::AddIOp::create(nested, at, v.back(), product);
            linalg::YieldOp::create(nested, at, sum);
          })
          .getResult(0);
  bool isOneColumn = op.getLhsScale().getType().getDimSize(1) == 1;
  Value lhsScale = vectorOf(b, op.getLhsScale(),
                            isOneColumn ? zero : OpFoldResult(block),
                            /*isRow=*/false),
        rhsScale = vectorOf(b, op.getRhsScale(), block, /*isRow=*/true);
  AffineMap all = b.getMultiDimIdentityMap(2);
  AffineMap scaled[] = {all, AffineMap::get(2, 0, m), AffineMap::get(2, 0, n),
                        all};
  return linalg::GenericOp::create(
             b, loc, totals.getType(), ValueRange{acc, lhsScale, rhsScale},
             totals, scaled, ArrayRef(loops).take_front(2),
             [&](OpBuilder &nested, Location at, ValueRange v) {
               Value real = arith::SIToFPOp::create(nested, at,
                                                    nested.getF32Type(), v[0]);
               Value scale = arith::MulFOp::create(nested, at, v[1], v[2]);
               Value total = math::FmaOp::create(nested, at, real, scale, v[3]);
               linalg::YieldOp::create(nested, at, total);
             })
      .getResult(0);
}

struct DecomposeBlockMatmul : OpRewritePattern<qd::BlockMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::BlockMatmulOp op,
                                PatternRewriter &rewriter) const override {
    int64_t depth = op.getRhs().getType().getDimSize(0),
            block = static_cast<int64_t>(op.getBlock());
    if (ShapedType::isDynamic(depth))
      return rewriter.notifyMatchFailure(op, "the sum has a dynamic size");
    Location loc = op.getLoc();
    BlockLoop blocks(op, rewriter);
    Value totals = blocks.zeros(rewriter, rewriter.getF32Type());
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0),
          one = arith::ConstantIndexOp::create(rewriter, loc, 1),
          whole = arith::ConstantIndexOp::create(rewriter, loc, depth / block);
    if (depth >= block)
      totals =
          scf::ForOp::create(
              rewriter, loc, zero, whole, one, totals,
              [&](OpBuilder &b, Location at, Value number, ValueRange carried) {
                Value next = blocks.addBlock(b, number, block, carried.front());
                scf::YieldOp::create(b, at, next);
              })
              .getResult(0);
    if (depth % block != 0)
      totals = blocks.addBlock(rewriter, whole, depth % block, totals);
    if (Operation *last = totals.getDefiningOp())
      last->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, totals);
    return success();
  }
};

} // namespace

void qdialect::populateDecomposeBlockMatmulPatterns(
    RewritePatternSet &patterns) {
  patterns.add<DecomposeBlockMatmul>(patterns.getContext());
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd.choose_params as two reductions and what the scale and the zero point are
// of their results:
//
//   qd.choose_params %x for i8 block_sizes = [1, 0]   : tensor<16x64xf32>
//   ->
//   %lo = linalg.generic reduce over d1: min(acc, finite(x)), from 0
//   %hi = linalg.generic reduce over d1: max(acc, finite(x)), from 0
//   %s  = linalg.generic %lo, %hi { (hi - lo) / 255, 1 where that is no scale }
//   %z  = linalg.generic %lo, %s { rne(clamp(-128 - lo / s, -128, 127)) }
//
// Symmetric codes want max(acc, |finite(x)|) alone.
//
// A value that is not finite counts as 0, which every range contains. A
// reduction of everything goes by rows of many columns first, so that its inner
// loop has no dependence.

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Expand.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include <limits>

using namespace mlir;
using namespace qdialect;

namespace {

using Payload =
    llvm::function_ref<Value(OpBuilder &, Location, ValueRange arguments)>;

/// Columns of the first step of a reduction of everything.
constexpr int64_t kColumns = 4096;

Value constantOf(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(
      b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

/// |x| < inf ? f32(x) : 0
Value finite(OpBuilder &b, Location loc, Value x) {
  if (!x.getType().isF32())
    x = arith::ExtFOp::create(b, loc, b.getF32Type(), x);
  Value magnitude = math::AbsFOp::create(b, loc, x);
  Value inside = arith::CmpFOp::create(
      b, loc, arith::CmpFPredicate::OLT, magnitude,
      constantOf(b, loc, std::numeric_limits<double>::infinity()));
  return arith::SelectOp::create(b, loc, inside, x, constantOf(b, loc, 0));
}

enum class Extreme { Least, Greatest, Magnitude };

class Lowering {
public:
  Lowering(qd::ChooseParamsOp op, PatternRewriter &rewriter)
      : op(op), b(rewriter), loc(op.getLoc()), x(op.getInput()) {}

  /// Splits blocked dimensions in two, the second of which is reduced; false
  /// if one has a dynamic size.
  bool splitBlocks();
  /// The extreme of the finite values of each block, and 0.
  Value reduceBlocks(Extreme extreme);
  /// An element-wise op over blocks, of the type of a result of the op.
  Value combine(ValueRange inputs, RankedTensorType type, Payload payload);

  /// `value`, which lacks the reduced dimensions, with size one in their place.
  Value withUnitDims(Value value, RankedTensorType type);

private:
  /// Fills up a block that is cut short with 0, which every range contains.
  void padBlock(int64_t dim, int64_t count);
  Value reduce(Value from, ArrayRef<bool> reduced, Extreme extreme);

  qd::ChooseParamsOp op;
  PatternRewriter &b;
  Location loc;
  Value x;
  SmallVector<bool> isReduced; ///< of the split dimensions
  SmallVector<bool> isUnit;    ///< of the input's: one block alone
};

void Lowering::padBlock(int64_t dim, int64_t count) {
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] += count;
  SmallVector<OpFoldResult> low(shape.size(), b.getIndexAttr(0)), high(low);
  high[dim] = b.getIndexAttr(count);
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  x = tensor::PadOp::create(b, loc,
                            RankedTensorType::get(shape, type.getElementType()),
                            x, low, high, zero);
}

bool Lowering::splitBlocks() {
  auto type = cast<RankedTensorType>(x.getType());
  bool whole = cast<RankedTensorType>(op.getScale().getType()).getRank() == 0;
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    int64_t block =
        whole || dim >= op.getBlockSizes().size() ? 0 : op.getBlockSizes()[dim];
    auto next = static_cast<int64_t>(shape.size());
    if (block <= 1 || block == size) {
      shape.push_back(size);
      isReduced.push_back(block != 1);
      isUnit.push_back(block != 1);
      groups.push_back({next});
      continue;
    }
    if (ShapedType::isDynamic(size))
      return false;
    if (size % block != 0)
      padBlock(dim, block - size % block);
    shape.append({llvm::divideCeilSigned(size, block), block});
    isReduced.append({false, true});
    isUnit.push_back(false);
    groups.push_back({next, next + 1});
  }
  bool all = llvm::all_of(isReduced, [](bool r) { return r; });
  if (all && type.hasStaticShape() && type.getNumElements() > kColumns) {
    // Rows of at most kColumns columns.
    int64_t count = type.getNumElements(), columns = kColumns;
    while (count % columns != 0)
      --columns;
    if (type.getRank() != 1)
      x = tensor::CollapseShapeOp::create(
          b, loc, x,
          ArrayRef<ReassociationIndices>{
              llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()))});
    shape = {count / columns, columns};
    groups = {{0, 1}};
    isReduced = {true, true};
  }
  if (shape.size() != groups.size())
    x = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), x, groups);
  return true;
}

Value Lowering::reduce(Value from, ArrayRef<bool> reduced, Extreme extreme) {
  auto type = cast<RankedTensorType>(from.getType());
  unsigned rank = type.getRank();
  SmallVector<utils::IteratorType> iterators;
  SmallVector<AffineExpr> kept;
  SmallVector<OpFoldResult> sizes, all = tensor::getMixedSizes(b, loc, from);
  for (unsigned dim = 0; dim < rank; ++dim) {
    iterators.push_back(reduced[dim] ? utils::IteratorType::reduction
                                     : utils::IteratorType::parallel);
    if (reduced[dim])
      continue;
    kept.push_back(b.getAffineDimExpr(dim));
    sizes.push_back(all[dim]);
  }
  Value empty = tensor::EmptyOp::create(b, loc, sizes, b.getF32Type());
  Value init =
      linalg::FillOp::create(b, loc, constantOf(b, loc, 0), empty).getResult(0);
  AffineMap maps[] = {b.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, b.getContext())};
  return linalg::GenericOp::create(
             b, loc, init.getType(), from, init, maps, iterators,
             [&](OpBuilder &nested, Location at, ValueRange v) {
               Value value = finite(nested, at, v[0]);
               if (extreme == Extreme::Magnitude)
                 value = math::AbsFOp::create(nested, at, value);
               Value result =
                   extreme == Extreme::Least
                       ? Value(
                             arith::MinimumFOp::create(nested, at, v[1], value))
                       : Value(arith::MaximumFOp::create(nested, at, v[1],
                                                         value));
               linalg::YieldOp::create(nested, at, result);
             })
      .getResult(0);
}

Value Lowering::reduceBlocks(Extreme extreme) {
  bool all = llvm::all_of(isReduced, [](bool r) { return r; });
  if (!all || isReduced.size() < 2)
    return reduce(x, isReduced, extreme);
  SmallVector<bool> rows(isReduced.size(), true);
  rows.back() = false;
  return reduce(reduce(x, rows, extreme), {true}, extreme);
}

Value Lowering::combine(ValueRange inputs, RankedTensorType type,
                        Payload payload) {
  auto shape = cast<RankedTensorType>(inputs[0].getType());
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              b.getMultiDimIdentityMap(shape.getRank()));
  SmallVector<utils::IteratorType> iterators(shape.getRank(),
                                             utils::IteratorType::parallel);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, inputs[0]), type.getElementType());
  return linalg::GenericOp::create(
             b, loc, empty.getType(), inputs, empty, maps, iterators,
             [&](OpBuilder &nested, Location at, ValueRange v) {
               linalg::YieldOp::create(nested, at,
                                       payload(nested, at, v.drop_back()));
             })
      .getResult(0);
}

Value Lowering::withUnitDims(Value value, RankedTensorType type) {
  auto from = cast<RankedTensorType>(value.getType());
  if (from == type)
    return value;
  // A group begins at every kept dimension but the first.
  SmallVector<ReassociationIndices> groups;
  unsigned next = 0;
  for (int64_t dim = 0; dim < type.getRank() && from.getRank() > 0; ++dim) {
    if (groups.empty() || (!isUnit[dim] && next > 0))
      groups.emplace_back();
    groups.back().push_back(dim);
    next += !isUnit[dim];
  }
  return tensor::ExpandShapeOp::create(b, loc, type, value, groups);
}

struct ChooseParamsToLinalg : OpRewritePattern<qd::ChooseParamsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::ChooseParamsOp op,
                                PatternRewriter &rewriter) const override {
    auto alphabet = dyn_cast<qd::AlphabetTypeInterface>(op.getAlphabet());
    if (!alphabet)
      return rewriter.notifyMatchFailure(op, "alphabet without integers");
    double qmin = alphabet.getMinFinite(), qmax = alphabet.getMaxFinite();
    double middle = op.getSymmetric() ? (qmin + qmax + 1) / 2 : 0;
    Lowering lowering(op, rewriter);
    if (!lowering.splitBlocks())
      return rewriter.notifyMatchFailure(
          op, "blocks of a dimension of dynamic size");
    bool symmetric = op.getSymmetric();
    // What the scale is made of.
    SmallVector<Value, 2> extremes;
    if (symmetric)
      extremes = {lowering.reduceBlocks(Extreme::Magnitude)};
    else
      extremes = {lowering.reduceBlocks(Extreme::Least),
                  lowering.reduceBlocks(Extreme::Greatest)};
    auto scaleType = cast<RankedTensorType>(op.getScale().getType());
    auto zeroType = cast<RankedTensorType>(op.getZeroPoint().getType());
    Value scale = lowering.combine(
        extremes, scaleType,
        [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          Value extent, steps;
          if (symmetric) {
            extent = v[0];
            steps = constantOf(b, loc, qmax - middle);
          } else {
            extent = arith::SubFOp::create(b, loc, v[1], v[0]);
            steps = constantOf(b, loc, qmax - qmin);
          }
          Value s = arith::DivFOp::create(b, loc, extent, steps);
          Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                              s, constantOf(b, loc, 0));
          Value below = arith::CmpFOp::create(
              b, loc, arith::CmpFPredicate::OLT, s,
              constantOf(b, loc, std::numeric_limits<double>::infinity()));
          Value isScale = arith::AndIOp::create(b, loc, above, below);
          return arith::SelectOp::create(b, loc, isScale, s,
                                         constantOf(b, loc, 1));
        });
    Value shapedScale = lowering.withUnitDims(scale, scaleType);
    scale.getDefiningOp()->setDiscardableAttrs(
        op->getDiscardableAttrDictionary());
    if (op.getZeroPoint().use_empty()) {
      rewriter.replaceAllUsesWith(op.getScale(), shapedScale);
      rewriter.eraseOp(op);
      return success();
    }
    Value zero = lowering.combine(
        {extremes[0], scale}, zeroType,
        [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          if (symmetric)
            return arith::ConstantOp::create(
                b, loc, b.getI32IntegerAttr(static_cast<int32_t>(middle)));
          Value steps = arith::DivFOp::create(b, loc, v[0], v[1]);
          Value real =
              arith::SubFOp::create(b, loc, constantOf(b, loc, qmin), steps);
          real =
              arith::MaximumFOp::create(b, loc, real, constantOf(b, loc, qmin));
          real =
              arith::MinimumFOp::create(b, loc, real, constantOf(b, loc, qmax));
          Value rounded = math::RoundEvenOp::create(b, loc, real);
          return arith::FPToSIOp::create(b, loc, b.getI32Type(), rounded);
        });
    rewriter.replaceOp(op,
                       {shapedScale, lowering.withUnitDims(zero, zeroType)});
    return success();
  }
};

} // namespace

void qdialect::populateChooseParamsToLinalgPatterns(
    RewritePatternSet &patterns) {
  patterns.add<ChooseParamsToLinalg>(patterns.getContext());
}

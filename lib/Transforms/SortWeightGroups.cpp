// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-sort-weight-groups: weights whose groups are scattered along the summed
// dimension (GPTQ's act order, MatMulNBits' g_idx) become blocks; the
// activations are read in the same order:
//
//   %w = qd.dequantize %codes scale %s group_index %g block_sizes = [32, 1]
//   linalg.matmul ins(%x, %w)
//   ->
//   %w = qd.dequantize %sorted scale %s block_sizes = [32, 1]
//   %y = linalg.generic ins(%order) { %x[row, order] }
//   linalg.matmul ins(%y, %w)
//
// A sum does not depend on the order of its terms but for the roundings of a
// float sum, which has a bound, not bits.

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include <numeric>

namespace qdialect {
#define GEN_PASS_DEF_SORTWEIGHTGROUPSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;

/// The indices of the grouped dimension, group after group; empty if a group
/// is no whole block.
static std::vector<int32_t> sortByGroup(const ConstantView &groups,
                                        int64_t block) {
  std::vector<int32_t> order(groups.numElements());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](int32_t a, int32_t b) {
    return std::pair(groups.integer(a), a) < std::pair(groups.integer(b), b);
  });
  for (auto [place, index] : llvm::enumerate(order))
    if (groups.integer(index) != static_cast<int64_t>(place) / block)
      return {};
  return order;
}

/// The tensor whose index i along `dim` is index `order[i]` of `from`.
static HostTensor reorder(const HostTensor &from, int64_t dim,
                          ArrayRef<int32_t> order) {
  HostTensor to(from.type(), from.shape());
  auto width = static_cast<int64_t>(byteWidth(from.type()));
  for (size_t i = dim + 1; i < from.shape().size(); ++i)
    width *= from.shape()[i];
  auto count = static_cast<int64_t>(order.size());
  int64_t outer = count ? from.sizeInBytes() / (width * count) : 0;
  char *out = to.mutableBytes();
  for (int64_t row = 0; row < outer; ++row)
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(out + (row * count + i) * width,
                  from.bytes() + (row * count + order[i]) * width, width);
  return to;
}

/// `x` read in the order of `places` along `dim`.
static Value gather(OpBuilder &builder, Location loc, Value x, unsigned dim,
                    Value places) {
  auto type = cast<RankedTensorType>(x.getType());
  unsigned rank = type.getRank();
  Value init = makeEmptyLike(builder, loc, x, type.getElementType());
  AffineMap maps[] = {AffineMap::get(rank, 0, builder.getAffineDimExpr(dim)),
                      builder.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, TypeRange{type}, ValueRange{places},
             ValueRange{init}, maps, loops,
             [&](OpBuilder &b, Location at, ValueRange v) {
               SmallVector<Value> position;
               for (unsigned axis = 0; axis < rank; ++axis)
                 if (axis == dim)
                   position.push_back(arith::IndexCastOp::create(
                       b, at, b.getIndexType(), v[0]));
                 else
                   position.push_back(linalg::IndexOp::create(b, at, axis));
               Value element = tensor::ExtractOp::create(b, at, x, position);
               linalg::YieldOp::create(b, at, element);
             })
      .getResult(0);
}

namespace {

struct SortWeightGroups : OpRewritePattern<qd::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getGroupIndex())
      return rewriter.notifyMatchFailure(op, "no group index");
    std::optional<ConstantView> codes = constantView(op.getInput()),
                                groups = constantView(op.getGroupIndex());
    if (!codes || !groups)
      return rewriter.notifyMatchFailure(op, "codes or groups not constant");
    unsigned dim = 0;
    while (dim < op.getBlockSizes().size() && op.getBlockSizes()[dim] <= 1)
      ++dim;
    if (dim == op.getBlockSizes().size())
      return rewriter.notifyMatchFailure(op, "no dimension with blocks");
    std::vector<int32_t> order = sortByGroup(*groups, op.getBlockSizes()[dim]);
    if (order.empty())
      return rewriter.notifyMatchFailure(op, "a group is no whole block");
    for (OpOperand &use : op->getUses())
      if (!activationDim(use, dim))
        return rewriter.notifyMatchFailure(op, "not the weights of a product");
    replace(op, rewriter, dim, order, codes->toHostTensor());
    return success();
  }

private:
  /// The dimension of the product's activations that is summed along `dim` of
  /// its weights.
  static std::optional<unsigned> activationDim(OpOperand &use, unsigned dim) {
    auto product = dyn_cast<linalg::LinalgOp>(use.getOwner());
    std::optional<ContractionStructure> s =
        product ? getContractionStructure(product) : std::nullopt;
    if (!s || s->kind != ContractionStructure::Kind::Matmul ||
        s->weightOperand != use.getOperandNumber() ||
        s->inputChannel.size() != 1 || s->weightDim(s->inputChannel[0]) != dim)
      return std::nullopt;
    return s->activationDim(s->inputChannel[0]);
  }

  static void replace(qd::DequantizeOp op, PatternRewriter &rewriter,
                      unsigned dim, ArrayRef<int32_t> order,
                      const HostTensor &codes) {
    Location loc = op.getLoc();
    // Names are those of the file, whose order this is no more.
    Value sorted =
        makeConstant(rewriter, loc, cast<ShapedType>(op.getInput().getType()),
                     "weight", reorder(codes, dim, order));
    Value weights = qd::DequantizeOp::create(
        rewriter, loc, op.getType(), sorted, op.getScales(), op.getZeroPoint(),
        /*group_index=*/Value(), op.getBlockSizesAttr(),
        op.getZeroPointDomainAttr());
    Value places;
    if (!llvm::is_sorted(order)) {
      auto count = static_cast<int64_t>(order.size());
      places = makeConstant(
          rewriter, loc, RankedTensorType::get({count}, rewriter.getI32Type()),
          "order", HostTensor::of(DType::I32, {count}, order.vec()));
    }
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      Operation *product = use.getOwner();
      unsigned summed = *activationDim(use, dim);
      unsigned other = 1 - use.getOperandNumber();
      rewriter.setInsertionPoint(product);
      Value x = product->getOperand(other);
      if (places)
        x = gather(rewriter, product->getLoc(), x, summed, places);
      rewriter.modifyOpInPlace(product, [&] {
        product->setOperand(other, x);
        use.set(weights);
      });
    }
    rewriter.eraseOp(op);
  }
};

struct SortWeightGroupsPass
    : qdialect::impl::SortWeightGroupsPassBase<SortWeightGroupsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSortWeightGroupsPatterns(patterns);
    auto count = [&] {
      int64_t scattered = 0;
      getOperation()->walk([&](qd::DequantizeOp op) {
        scattered += op.getGroupIndex() ? 1 : 0;
      });
      return scattered;
    };
    int64_t before = count();
    walkAndApplyPatterns(getOperation(), std::move(patterns));
    numLeft += count();
    numSorted += before - count();
  }
};

} // namespace

void qdialect::populateSortWeightGroupsPatterns(RewritePatternSet &patterns) {
  patterns.add<SortWeightGroups>(patterns.getContext());
}

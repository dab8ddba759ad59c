// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Convolutions and pools whose channels come before the image get channel-last
// operands, with transposes where values cross:
//
//   %r = linalg.conv_2d_nchw_fchw ins(%x, %w)
//   ->
//   %t = linalg.transpose %x [0, 2, 3, 1]
//   %y = linalg.conv_2d_nhwc_hwcf ins(%t, %w')     (%w' permuted in memory)
//   %r = linalg.transpose %y [0, 3, 1, 2]
//
// Ops without a channel-last sibling (grouped ones) become linalg.generic with
// permuted maps. qd-propagate-transposes removes the transposes afterwards.

#include "GreedyRewrite.h"
#include "Permutations.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/Sequence.h"

#define DEBUG_TYPE "qd-convert-to-channel-last"

namespace qdialect {
#define GEN_PASS_DEF_CONVERTTOCHANNELLASTPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {

namespace {

/// NCHW -> NHWC for any number of image dimensions.
Permutation toChannelLast(int64_t rank) {
  Permutation permutation{0};
  for (int64_t d = 2; d < rank; ++d)
    permutation.push_back(d);
  permutation.push_back(1);
  return permutation;
}

/// FCHW -> HWCF.
Permutation filterToChannelLast(int64_t rank) {
  Permutation permutation;
  for (int64_t d = 2; d < rank; ++d)
    permutation.push_back(d);
  permutation.push_back(1);
  permutation.push_back(0);
  return permutation;
}

/// CHW -> HWC.
Permutation depthwiseToChannelLast(int64_t rank) {
  Permutation permutation;
  for (int64_t d = 1; d < rank; ++d)
    permutation.push_back(d);
  permutation.push_back(0);
  return permutation;
}

/// The window of a pool carries a shape and no channels.
Permutation keep(int64_t rank) {
  return llvm::to_vector<6>(llvm::seq<int64_t>(0, rank));
}

/// A named op replaced by its channel-last sibling of the same attributes;
/// `permuteSecond` orders the filter's dimensions.
template <class From, class To, Permutation (*permuteSecond)(int64_t)>
struct NamedToChannelLast : OpRewritePattern<From> {
  using OpRewritePattern<From>::OpRewritePattern;

  LogicalResult matchAndRewrite(From op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    Location loc = op.getLoc();
    auto permute = [&](Value value, Permutation (*order)(int64_t)) {
      return permuteValue(
          rewriter, loc, value,
          order(cast<RankedTensorType>(value.getType()).getRank()));
    };
    Value image = permute(op.getInputs()[0], toChannelLast);
    Value second = permute(op.getInputs()[1], permuteSecond);
    Value init = permute(op.getOutputs()[0], toChannelLast);
    auto last = To::create(rewriter, loc, TypeRange{init.getType()},
                           ValueRange{image, second}, ValueRange{init},
                           op.getStrides(), op.getDilations());
    copyAnnotations(op, last);
    Permutation back = invertPermutation(
        toChannelLast(cast<RankedTensorType>(init.getType()).getRank()));
    rewriter.replaceOp(op,
                       permuteValue(rewriter, loc, last.getResult(0), back));
    return success();
  }
};

/// The positions in `map` of `loops`, appended to `order`.
void appendPositions(AffineMap map, ArrayRef<unsigned> loops,
                     Permutation &order) {
  for (unsigned loop : loops)
    for (auto [position, expr] : llvm::enumerate(map.getResults()))
      if (expr.isFunctionOfDim(loop))
        order.push_back(position);
}

AffineMap permuteResults(AffineMap map, ArrayRef<int64_t> order) {
  return AffineMap::get(map.getNumDims(), 0, permuted(map.getResults(), order),
                        map.getContext());
}

/// Any other convolution, by its structure: the activation's and the result's
/// dimensions are ordered batch, image, groups, channels; the filter's as in
/// the named ops, groups first.
struct ContractionToChannelLast : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ContractionStructure> s = getContractionStructure(op);
    if (!s || !s->isConvolution())
      return rewriter.notifyMatchFailure(op, "no convolution");
    Permutation image, filter, result;
    for (ArrayRef<unsigned> loops :
         {ArrayRef(s->batch), ArrayRef(s->outputImage), ArrayRef(s->depth),
          ArrayRef(s->inputChannel)})
      appendPositions(s->activationMap, loops, image);
    for (ArrayRef<unsigned> loops :
         {ArrayRef(s->batch), ArrayRef(s->outputImage), ArrayRef(s->depth),
          ArrayRef(s->outputChannel)})
      appendPositions(s->outputMap, loops, result);
    bool grouped = s->kind == ContractionStructure::Kind::Grouped;
    if (grouped)
      appendPositions(s->weightMap, s->depth, filter);
    appendPositions(s->weightMap, s->filterLoop, filter);
    if (!grouped)
      appendPositions(s->weightMap, s->depth, filter);
    appendPositions(s->weightMap, s->inputChannel, filter);
    appendPositions(s->weightMap, s->outputChannel, filter);
    // A filter in another order alone is not worth a new op.
    if (isIdentityPermutation(image) && isIdentityPermutation(result))
      return rewriter.notifyMatchFailure(op, "already channel-last");

    Location loc = op.getLoc();
    SmallVector<Value> inputs(2);
    SmallVector<AffineMap> maps(3);
    inputs[s->activationOperand] = permuteValue(
        rewriter, loc, op.getDpsInputs()[s->activationOperand], image);
    inputs[s->weightOperand] = permuteValue(
        rewriter, loc, op.getDpsInputs()[s->weightOperand], filter);
    Value init = permuteValue(rewriter, loc, op.getDpsInits()[0], result);
    maps[s->activationOperand] = permuteResults(s->activationMap, image);
    maps[s->weightOperand] = permuteResults(s->weightMap, filter);
    maps[2] = permuteResults(s->outputMap, result);
    auto generic = linalg::GenericOp::create(
        rewriter, loc, TypeRange{init.getType()}, inputs, ValueRange{init},
        maps, op.getIteratorTypesArray());
    rewriter.cloneRegionBefore(op->getRegion(0), generic.getRegion(),
                               generic.getRegion().end());
    copyAnnotations(op, generic);
    rewriter.replaceOp(op, permuteValue(rewriter, loc, generic.getResult(0),
                                        invertPermutation(result)));
    return success();
  }
};

struct ConvertToChannelLast
    : impl::ConvertToChannelLastPassBase<ConvertToChannelLast> {
  using ConvertToChannelLastPassBase::ConvertToChannelLastPassBase;

  void runOnOperation() override {
    auto countTransposes = [&] {
      int64_t count = 0;
      getOperation()->walk([&](linalg::TransposeOp) { ++count; });
      return count;
    };
    int64_t before = countTransposes();
    RewritePatternSet patterns(&getContext());
    populateConvertToChannelLastPatterns(patterns);
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      return signalPassFailure();
    numTransposes += countTransposes() - before;
  }
};

} // namespace

void populateConvertToChannelLastPatterns(RewritePatternSet &patterns) {
  // The named siblings first: they are what people read.
  patterns
      .add<NamedToChannelLast<linalg::Conv2DNchwFchwOp,
                              linalg::Conv2DNhwcHwcfOp, filterToChannelLast>,
           NamedToChannelLast<linalg::Conv1DNcwFcwOp, linalg::Conv1DNwcWcfOp,
                              filterToChannelLast>,
           NamedToChannelLast<linalg::DepthwiseConv2DNchwChwOp,
                              linalg::DepthwiseConv2DNhwcHwcOp,
                              depthwiseToChannelLast>,
           NamedToChannelLast<linalg::DepthwiseConv1DNcwCwOp,
                              linalg::DepthwiseConv1DNwcWcOp,
                              depthwiseToChannelLast>,
           NamedToChannelLast<linalg::PoolingNchwSumOp,
                              linalg::PoolingNhwcSumOp, keep>,
           NamedToChannelLast<linalg::PoolingNchwMaxOp,
                              linalg::PoolingNhwcMaxOp, keep>,
           NamedToChannelLast<linalg::PoolingNcwSumOp, linalg::PoolingNwcSumOp,
                              keep>,
           NamedToChannelLast<linalg::PoolingNcwMaxOp, linalg::PoolingNwcMaxOp,
                              keep>>(patterns.getContext(), /*benefit=*/2);
  patterns.add<ContractionToChannelLast>(patterns.getContext(), /*benefit=*/1);
}

} // namespace qdialect

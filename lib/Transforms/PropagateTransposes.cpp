// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Removes transposes by moving them: first down through every op that does not
// care (SinkTransposes.cpp), into the weights of a matmul over a flattened
// image (PermuteFlattenedWeights.cpp), then up where that makes two meet
// (HoistTransposes.cpp). Where two inverse ones meet both go;
// one that only moves dimensions of size 1 is a reshape.
//
//   conv_nhwc -> transpose -> relu -> pad -> transpose' -> conv_nhwc
//   ->
//   conv_nhwc -> relu -> pad -> conv_nhwc

#include "GreedyRewrite.h"
#include "LayoutOps.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"

#define DEBUG_TYPE "qd-propagate-transposes"

namespace qdialect {
#define GEN_PASS_DEF_PROPAGATETRANSPOSESPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {

namespace {

/// transpose(transpose(x)), transpose(constant), transpose(fill), identity.
struct CancelTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    Value source = op.getInput();
    if (!isIdentityPermutation(op.getPermutation()) &&
        !source.getDefiningOp<linalg::TransposeOp>() &&
        !isPermutableConstant(source) &&
        !isa_and_nonnull<linalg::FillOp, tensor::EmptyOp>(
            source.getDefiningOp()))
      return rewriter.notifyMatchFailure(op, "moves data");
    rewriter.replaceOp(
        op, permuteValue(rewriter, op.getLoc(), source, op.getPermutation()));
    return success();
  }
};

/// A transpose that keeps the order of all dimensions larger than 1 is a
/// collapse to those and an expansion.
struct UnitTransposeToReshape : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto source = dyn_cast<RankedTensorType>(op.getInput().getType());
    auto result = dyn_cast<RankedTensorType>(op.getInit().getType());
    if (!source || !result || !source.hasStaticShape())
      return failure();
    int64_t last = -1;
    for (int64_t dim : op.getPermutation()) {
      if (source.getDimSize(dim) == 1)
        continue;
      if (dim < last)
        return rewriter.notifyMatchFailure(op, "moves data");
      last = dim;
    }
    SmallVector<int64_t> large;
    for (int64_t size : source.getShape())
      if (size != 1)
        large.push_back(size);
    auto middle = RankedTensorType::get(large, source.getElementType());
    Value value = tensor::CollapseShapeOp::create(
        rewriter, op.getLoc(), middle, op.getInput(), unitGroups(source));
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(op, result, value,
                                                       unitGroups(result));
    return success();
  }

  /// Groups of dimensions, one for each size above 1; leading and trailing
  /// ones join a neighbour. No groups at all when every size is 1.
  static SmallVector<ReassociationIndices> unitGroups(RankedTensorType type) {
    SmallVector<ReassociationIndices> groups;
    ReassociationIndices leading;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (size != 1) {
        groups.emplace_back(leading);
        leading.clear();
      }
      (groups.empty() ? leading : groups.back()).push_back(dim);
    }
    return groups;
  }
};

struct PropagateTransposes
    : impl::PropagateTransposesPassBase<PropagateTransposes> {
  using PropagateTransposesPassBase::PropagateTransposesPassBase;

  using Populate = void (*)(RewritePatternSet &);

  LogicalResult apply(ArrayRef<Populate> sets) {
    RewritePatternSet patterns(&getContext());
    for (Populate populate : sets)
      populate(patterns);
    return applyPatternsBesideConstants(getOperation(), std::move(patterns));
  }

  int64_t count() {
    int64_t number = 0;
    getOperation()->walk([&](linalg::TransposeOp) { ++number; });
    return number;
  }

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    int64_t before = count();
    if (failed(apply({populateSinkTransposesPatterns,
                      populateCancelTransposesPatterns})))
      return signalPassFailure();
    // What the walk sets free sinks on.
    if (sinkMixedTransposes(getOperation()) &&
        failed(apply({populateSinkTransposesPatterns,
                      populateCancelTransposesPatterns})))
      return signalPassFailure();
    if (failed(apply({populatePermuteFlattenedWeightsPatterns})))
      return signalPassFailure();
    // Equal transposes of one value must be one op, or the readers of that
    // value do not agree and nothing is hoisted.
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
    // No sinking after this: it would undo what was hoisted to the arguments.
    if (failed(apply({populateHoistTransposesPatterns,
                      populateCancelTransposesPatterns})) ||
        failed(apply({populateUnitTransposesToReshapesPatterns})))
      return signalPassFailure();
    int64_t after = count();
    numRemoved += before - after;
    numRemaining += after;
  }
};

} // namespace

void populateCancelTransposesPatterns(RewritePatternSet &patterns) {
  patterns.add<CancelTranspose>(patterns.getContext());
}

void populateUnitTransposesToReshapesPatterns(RewritePatternSet &patterns) {
  patterns.add<UnitTransposeToReshape>(patterns.getContext());
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                       patterns.getContext());
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns,
                                                     patterns.getContext());
}

} // namespace qdialect

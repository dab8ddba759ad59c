// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transposes move towards the arguments of the program,
//
//   transpose(op(x, y))  ->  op(transpose(x), transpose(y))
//
// where following the operands up through layout-agnostic ops shows that at
// least one meets its inverse and at most one transpose is left over in its
// place. Each step removes a transpose or moves one up a finite graph, so this
// ends; together with sinking first it undoes what sinking had to leave, as in
// transpose(add(transpose'(x), argument)).

#include "LayoutOps.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

namespace {

/// What transposing a value would leave and remove.
struct Outcome {
  /// Transposes that remain (each in place of the one that was).
  int left = 0;
  /// Transposes that meet their inverse, or reach an argument of the program.
  int gained = 0;
};

/// How far up a chain is followed. Real chains between layout-bound ops are a
/// few element-wise ops long.
constexpr int kMaxDepth = 12;

Outcome tryHoist(Value value, ArrayRef<int64_t> permutation, int depth) {
  if (isFreeToPermute(value, permutation))
    return {0, value.getDefiningOp<linalg::TransposeOp>() ? 1 : 0};
  Operation *op = value.getDefiningOp();
  if (!op)
    return {1, 1};
  // A value with other readers must stay, so it would be computed twice.
  if (depth == kMaxDepth || !value.hasOneUse() || !isLayoutAgnostic(op))
    return {1, 0};
  Outcome sum;
  for (Value operand : layoutOperands(op)) {
    Outcome one = tryHoist(operand, permutation, depth + 1);
    sum.left += one.left;
    sum.gained += one.gained;
  }
  return sum;
}

/// Every reader of `op` is a transpose by `permutation`. Else two copies would
/// be computed.
bool allReadersAgree(Operation *op, ArrayRef<int64_t> permutation) {
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    auto other = dyn_cast<linalg::TransposeOp>(user);
    return other && other.getInput() == op->getResult(0) &&
           other.getPermutation() == permutation;
  });
}

/// Replaces the transposes that read `op` by `result`.
void replaceReaders(PatternRewriter &rewriter, Operation *op, Value result) {
  for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
    rewriter.replaceOp(user, result);
}

struct HoistThroughLayoutAgnostic : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp transpose,
                                PatternRewriter &rewriter) const override {
    Operation *op = transpose.getInput().getDefiningOp();
    if (!op || !isLayoutAgnostic(op))
      return rewriter.notifyMatchFailure(transpose, "cannot pass its producer");
    Permutation permutation(transpose.getPermutation());
    if (!allReadersAgree(op, permutation))
      return rewriter.notifyMatchFailure(transpose, "other readers");
    Outcome outcome;
    for (Value operand : layoutOperands(op)) {
      Outcome one = tryHoist(operand, permutation, 0);
      outcome.left += one.left;
      outcome.gained += one.gained;
    }
    if (outcome.left > 1 || outcome.gained == 0)
      return rewriter.notifyMatchFailure(transpose, "nothing to gain");
    rewriter.setInsertionPoint(op);
    replaceReaders(rewriter, op, buildPermuted(rewriter, op, permutation));
    return success();
  }
};

/// transpose(expand_shape(x)) that moves whole groups: x is transposed instead.
struct HoistThroughExpand : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp transpose,
                                PatternRewriter &rewriter) const override {
    auto expand = transpose.getInput().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand || !expand.getResultType().hasStaticShape())
      return rewriter.notifyMatchFailure(transpose, "no expand_shape");
    Permutation permutation(transpose.getPermutation());
    if (!allReadersAgree(expand, permutation))
      return rewriter.notifyMatchFailure(transpose, "other readers");
    SmallVector<ReassociationIndices> groups = unitsLast(
        expand.getSrcType().getShape(), expand.getResultType().getShape());
    Permutation order; // of the dimensions of x
    SmallVector<ReassociationIndices> newGroups;
    for (size_t i = 0; i < permutation.size();) {
      const auto *group = llvm::find_if(groups, [&](const auto &members) {
        return members.front() == permutation[i];
      });
      if (group == groups.end())
        return rewriter.notifyMatchFailure(transpose, "splits a group");
      order.push_back(group - groups.begin());
      ReassociationIndices &members = newGroups.emplace_back();
      for (int64_t member : *group) {
        if (i == permutation.size() || permutation[i] != member)
          return rewriter.notifyMatchFailure(transpose, "splits a group");
        members.push_back(i++);
      }
    }
    Outcome outcome = tryHoist(expand.getSrc(), order, 0);
    if (outcome.left > 1 || outcome.gained == 0)
      return rewriter.notifyMatchFailure(transpose, "nothing to gain");
    rewriter.setInsertionPoint(expand);
    Value source =
        permuteValue(rewriter, expand.getLoc(), expand.getSrc(), order);
    auto result = tensor::ExpandShapeOp::create(
        rewriter, expand.getLoc(),
        permuteType(expand.getResultType(), permutation), source, newGroups);
    copyAnnotations(expand, result);
    replaceReaders(rewriter, expand, result);
    return success();
  }
};

} // namespace

void populateHoistTransposesPatterns(RewritePatternSet &patterns) {
  patterns.add<HoistThroughLayoutAgnostic, HoistThroughExpand>(
      patterns.getContext());
}

} // namespace qdialect

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

struct HoistThroughLayoutAgnostic : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp transpose,
                                PatternRewriter &rewriter) const override {
    Operation *op = transpose.getInput().getDefiningOp();
    if (!op || !isLayoutAgnostic(op))
      return rewriter.notifyMatchFailure(transpose, "cannot pass its producer");
    Permutation permutation(transpose.getPermutation());
    // Every reader wants the same order, or two copies would be computed.
    for (Operation *user : op->getUsers()) {
      auto other = dyn_cast<linalg::TransposeOp>(user);
      if (!other || other.getInput() != op->getResult(0) ||
          ArrayRef<int64_t>(permutation) != other.getPermutation())
        return rewriter.notifyMatchFailure(transpose, "other readers");
    }
    Outcome outcome;
    for (Value operand : layoutOperands(op)) {
      Outcome one = tryHoist(operand, permutation, 0);
      outcome.left += one.left;
      outcome.gained += one.gained;
    }
    if (outcome.left > 1 || outcome.gained == 0)
      return rewriter.notifyMatchFailure(transpose, "nothing to gain");
    rewriter.setInsertionPoint(op);
    Value result = buildPermuted(rewriter, op, permutation);
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      rewriter.replaceOp(user, result);
    return success();
  }
};

} // namespace

void populateHoistTransposesPatterns(RewritePatternSet &patterns) {
  patterns.add<HoistThroughLayoutAgnostic>(patterns.getContext());
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transposes move towards the results of the program:
//
//   op(transpose(x), transpose(y))  ->  transpose(op(x, y))
//
// through layout-agnostic ops all of whose full-rank operands are transposed
// alike (or constants), and through reshapes that keep transposed dimensions
// together. Reductions and broadcast copies take the transpose into their
// indexing map. A transpose
// only ever moves down a finite graph, so this ends.
//
// sinkMixedTransposes also takes operands that are not transposed where
// somebody else needs their transpose anyway (a shortcut around the first
// convolution). As a pattern that could go back and forth for ever; it is one
// walk.

#include "LayoutOps.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;

namespace qdialect {

namespace {

struct SinkThroughLayoutAgnostic : RewritePattern {
  explicit SinkThroughLayoutAgnostic(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isLayoutAgnostic(op))
      return failure();
    SmallVector<Value> operands = layoutOperands(op);
    linalg::TransposeOp transpose;
    for (Value operand : operands)
      if (!transpose)
        transpose = operand.getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return failure();
    Permutation undo = invertPermutation(transpose.getPermutation());
    for (Value operand : operands)
      if (!isFreeToPermute(operand, undo))
        return rewriter.notifyMatchFailure(
            op, "another operand is not transposed alike");
    Permutation redo(transpose.getPermutation());
    Value result = buildPermuted(rewriter, op, undo);
    rewriter.replaceOp(op, permuteValue(rewriter, op->getLoc(), result, redo));
    return success();
  }
};

/// A copy to several places reads the tensor as it was; what it repeats stands
/// behind the same dimension as before.
struct SinkThroughCopy : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isCopy(op) || isLayoutAgnosticCopy(op))
      return failure();
    auto transpose = op.getDpsInputs()[0].getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return failure();
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
    llvm::SmallBitVector isRead(op.getNumLoops());
    Permutation loops(map.getNumResults());
    for (auto [dim, source] : llvm::enumerate(transpose.getPermutation())) {
      loops[source] = map.getDimPosition(dim);
      isRead.set(map.getDimPosition(dim));
    }
    Permutation order;
    auto addRepeated = [&](int64_t loop) {
      for (; loop < op.getNumLoops() && !isRead.test(loop); ++loop)
        order.push_back(loop);
    };
    addRepeated(0);
    for (int64_t loop : loops) {
      order.push_back(loop);
      addRepeated(loop + 1);
    }
    Permutation place = invertPermutation(order);
    SmallVector<AffineExpr> read;
    for (int64_t loop : loops)
      read.push_back(rewriter.getAffineDimExpr(place[loop]));
    Location loc = op.getLoc();
    Value init = makePermutedEmpty(rewriter, loc, op.getDpsInits()[0], order);
    auto copy = linalg::GenericOp::create(
        rewriter, loc, init.getType(), ValueRange{transpose.getInput()},
        ValueRange{init},
        ArrayRef<AffineMap>{
            AffineMap::get(op.getNumLoops(), 0, read, op.getContext()),
            rewriter.getMultiDimIdentityMap(op.getNumLoops())},
        op.getIteratorTypesArray(),
        [](OpBuilder &b, Location l, ValueRange arguments) {
          linalg::YieldOp::create(b, l, arguments[0]);
        });
    copyAnnotations(op, copy);
    rewriter.replaceOp(op,
                       permuteValue(rewriter, loc, copy->getResult(0), place));
    return success();
  }

  /// One with all dimensions of its result goes with the other ops.
  static bool isLayoutAgnosticCopy(linalg::GenericOp op) {
    return op.getMatchingIndexingMap(op.getDpsInputOperand(0))
               .getNumResults() == op.getNumLoops();
  }
};

/// A whole-axis reduction over one transposed tensor.
struct SinkIntoReduction : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!getReductionKind(op) || op.getNumDpsInputs() != 1)
      return failure();
    auto transpose = op.getDpsInputs()[0].getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return failure();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    Permutation undo = invertPermutation(transpose.getPermutation());
    maps[0] =
        AffineMap::get(maps[0].getNumDims(), 0,
                       permuted(maps[0].getResults(), undo), op.getContext());
    rewriter.modifyOpInPlace(op, [&] {
      op.getDpsInputOperand(0)->set(transpose.getInput());
      op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    });
    return success();
  }
};

/// expand_shape(transpose(x)): each dimension of x is expanded where it stands.
struct SinkThroughExpand : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    RankedTensorType type = op.getResultType();
    if (!transpose || !type.hasStaticShape())
      return failure();
    Permutation undo = invertPermutation(transpose.getPermutation());
    SmallVector<ReassociationIndices> groups =
        unitsLast(op.getSrcType().getShape(), type.getShape());
    if (groups.empty())
      groups = op.getReassociationIndices();
    // Result dimensions in the order of x, and the groups they form there.
    Permutation order;
    SmallVector<ReassociationIndices> newGroups;
    for (int64_t dim : undo) {
      ReassociationIndices &group = newGroups.emplace_back();
      for (int64_t member : groups[dim]) {
        group.push_back(order.size());
        order.push_back(member);
      }
    }
    Value expanded = tensor::ExpandShapeOp::create(
        rewriter, op.getLoc(), permuteType(type, order), transpose.getInput(),
        newGroups);
    copyAnnotations(op, expanded.getDefiningOp());
    rewriter.replaceOp(op, permuteValue(rewriter, op.getLoc(), expanded,
                                        invertPermutation(order)));
    return success();
  }
};

/// collapse_shape(transpose(x)) when the members of each group lie side by side
/// in x too.
struct SinkThroughCollapse : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    RankedTensorType type = op.getResultType();
    if (!transpose || type.getRank() == 0)
      return failure();
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    auto staysTogether = [&](ArrayRef<ReassociationIndices> groups) {
      return llvm::all_of(groups, [&](const ReassociationIndices &group) {
        for (size_t i = 1; i < group.size(); ++i)
          if (permutation[group[i]] != permutation[group[i - 1]] + 1)
            return false;
        return true;
      });
    };
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    if (!staysTogether(groups) && op.getSrcType().hasStaticShape())
      groups = unitsLast(type.getShape(), op.getSrcType().getShape());
    if (groups.empty() || !staysTogether(groups))
      return rewriter.notifyMatchFailure(op, "would mix dimensions");
    // Groups in the order of x.
    Permutation order =
        llvm::to_vector<6>(llvm::seq<int64_t>(0, groups.size()));
    llvm::sort(order, [&](int64_t a, int64_t b) {
      return permutation[groups[a][0]] < permutation[groups[b][0]];
    });
    SmallVector<ReassociationIndices> newGroups;
    int64_t next = 0;
    for (int64_t group : order) {
      ReassociationIndices &members = newGroups.emplace_back();
      for (size_t i = 0, e = groups[group].size(); i < e; ++i)
        members.push_back(next++);
    }
    Value collapsed = tensor::CollapseShapeOp::create(
        rewriter, op.getLoc(), permuteType(type, order), transpose.getInput(),
        newGroups);
    copyAnnotations(op, collapsed.getDefiningOp());
    rewriter.replaceOp(op, permuteValue(rewriter, op.getLoc(), collapsed,
                                        invertPermutation(order)));
    return success();
  }
};

} // namespace

/// Is there a transpose of `value` by `permutation` already?
static bool isTransposedElsewhere(Value value, ArrayRef<int64_t> permutation) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto transpose = dyn_cast<linalg::TransposeOp>(user);
    return transpose && transpose.getInput() == value &&
           transpose.getPermutation() == permutation;
  });
}

int64_t sinkMixedTransposes(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  int64_t sunk = 0;
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    if (!isLayoutAgnostic(&op))
      continue;
    linalg::TransposeOp transpose;
    SmallVector<Value> operands = layoutOperands(&op);
    for (Value operand : operands)
      if (!transpose)
        transpose = operand.getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      continue;
    Permutation redo(transpose.getPermutation());
    Permutation undo = invertPermutation(redo);
    if (!llvm::all_of(operands, [&](Value operand) {
          return isFreeToPermute(operand, undo) ||
                 isTransposedElsewhere(operand, undo);
        }))
      continue;
    rewriter.setInsertionPoint(&op);
    Value result = buildPermuted(rewriter, &op, undo);
    rewriter.replaceOp(&op, permuteValue(rewriter, op.getLoc(), result, redo));
    ++sunk;
  }
  return sunk;
}

void populateSinkTransposesPatterns(RewritePatternSet &patterns) {
  patterns.add<SinkThroughLayoutAgnostic, SinkThroughCopy, SinkIntoReduction,
               SinkThroughExpand, SinkThroughCollapse>(patterns.getContext());
}

} // namespace qdialect

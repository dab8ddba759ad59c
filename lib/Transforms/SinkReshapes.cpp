// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reshapes that split dimensions move towards the results of the program:
//
//   f(expand_shape(x), y)  ->  expand_shape(f(x, collapse_shape(y)))
//
// for element-wise f, softmax and norms, and a collapse_shape that meets its
// expand_shape disappears. Importers multiply matrices in two dimensions and
// everything else in as many as the model has; behind this pass a product and
// the element-wise ops that follow it have one shape, so they can be one unit
// of quantization and one kernel. A collapse_shape moves below f likewise where
// no other operand has a dimension that it merges. Reshapes only ever move down
// a finite graph, so this ends.

#include "GreedyRewrite.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

#define DEBUG_TYPE "qd-sink-reshapes"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_SINKRESHAPESPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

using Groups = SmallVector<ReassociationIndices>;

/// expand_shape to the shape of `like`, from whose groups its result comes.
Value expandLike(RewriterBase &rewriter, tensor::ExpandShapeOp like, Type type,
                 Value value) {
  return tensor::ExpandShapeOp::create(
      rewriter, like.getLoc(),
      cast<RankedTensorType>(like.getType()).clone(getElementTypeOrSelf(type)),
      value, like.getReassociationIndices(), like.getMixedOutputShape());
}

/// How an operand read through `map` is read when the loops of each group are
/// one: its own groups and map; nothing when it has a part of a group only.
struct CollapsedOperand {
  Groups groups;
  AffineMap map;
};

std::optional<CollapsedOperand> collapseOperand(AffineMap map,
                                                ArrayRef<int64_t> loopSizes,
                                                const Groups &loopGroups) {
  CollapsedOperand result;
  SmallVector<AffineExpr> results;
  ArrayRef<AffineExpr> exprs = map.getResults();
  // Unit dimensions of loops along which the operand is broadcast otherwise:
  // they join a neighbour.
  ReassociationIndices units;
  unsigned next = 0;
  for (auto [number, group] : llvm::enumerate(loopGroups)) {
    ReassociationIndices dims;
    SmallVector<int64_t> seen;
    for (; next < exprs.size(); dims.push_back(next++)) {
      int64_t loop = cast<AffineDimExpr>(exprs[next]).getPosition();
      if (!llvm::is_contained(group, loop))
        break;
      seen.push_back(loop);
    }
    // The longer loops of the group must be there in order, or not at all.
    auto isLong = [&](int64_t loop) { return loopSizes[loop] != 1; };
    SmallVector<int64_t> wanted, found;
    llvm::copy_if(group, std::back_inserter(wanted), isLong);
    llvm::copy_if(seen, std::back_inserter(found), isLong);
    if (!found.empty() && found != wanted)
      return std::nullopt;
    if (found.empty() && !wanted.empty()) {
      llvm::append_range(result.groups.empty() ? units : result.groups.back(),
                         dims);
      continue;
    }
    if (dims.empty())
      continue;
    units.append(dims);
    result.groups.push_back(std::move(units));
    units.clear();
    results.push_back(getAffineDimExpr(number, map.getContext()));
  }
  if (next != exprs.size())
    return std::nullopt;
  result.map = AffineMap::get(loopGroups.size(), 0, results, map.getContext());
  return result;
}

/// collapse_shape, or what it would collapse.
Value collapsed(RewriterBase &rewriter, Location loc, Value value,
                const Groups &groups) {
  if (groups.size() ==
      static_cast<size_t>(cast<RankedTensorType>(value.getType()).getRank()))
    return value;
  return tensor::CollapseShapeOp::create(rewriter, loc, value, groups);
}

/// An element-wise op over other inputs, whose result has the shape of `like`.
Value cloneOver(PatternRewriter &rewriter, linalg::GenericOp op,
                ValueRange inputs, SmallVector<AffineMap> maps, Value like) {
  auto shape = cast<RankedTensorType>(like.getType());
  maps.push_back(rewriter.getMultiDimIdentityMap(shape.getRank()));
  Type element = getElementTypeOrSelf(op.getType(0));
  Value empty = makeEmptyLike(rewriter, op.getLoc(), like, element);
  SmallVector<utils::IteratorType> iterators(shape.getRank(),
                                             utils::IteratorType::parallel);
  auto moved =
      linalg::GenericOp::create(rewriter, op.getLoc(), empty.getType(), inputs,
                                ValueRange{empty}, maps, iterators);
  rewriter.cloneRegionBefore(op.getRegion(), moved.getRegion(),
                             moved.getRegion().end());
  moved->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  return moved.getResult(0);
}

struct SinkIntoElementwise : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwiseGeneric(op) ||
        !op.getBlock()->getOps<linalg::IndexOp>().empty())
      return failure();
    tensor::ExpandShapeOp expand;
    for (OpOperand *input : op.getDpsInputOperands())
      if (auto candidate = input->get().getDefiningOp<tensor::ExpandShapeOp>())
        if (op.getMatchingIndexingMap(input).isIdentity() &&
            candidate.getSrcType().getRank() > 0 && !expand &&
            // A constant that SinkCollapse split would move back and forth.
            !isComputedFromConstants(candidate))
          expand = candidate;
    if (!expand)
      return rewriter.notifyMatchFailure(op, "reads no expanded tensor");
    Groups groups = expand.getReassociationIndices();
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    SmallVector<CollapsedOperand> operands;
    for (OpOperand *input : op.getDpsInputOperands()) {
      std::optional<CollapsedOperand> operand =
          collapseOperand(op.getMatchingIndexingMap(input), sizes, groups);
      if (!operand)
        return rewriter.notifyMatchFailure(
            op, "another operand varies inside a split dimension");
      operands.push_back(std::move(*operand));
    }

    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (auto [input, operand] : llvm::zip(op.getDpsInputs(), operands)) {
      inputs.push_back(
          input == expand.getResult()
              ? expand.getSrc()
              : collapsed(rewriter, op.getLoc(), input, operand.groups));
      maps.push_back(operand.map);
    }
    Value moved =
        cloneOver(rewriter, op, inputs, std::move(maps), expand.getSrc());
    rewriter.replaceOp(op, expandLike(rewriter, expand, op.getType(0), moved));
    return success();
  }
};

/// gelu and silu, and row functions whose rows the reshape leaves whole.
struct SinkIntoFunction : RewritePattern {
  explicit SinkIntoFunction(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<qd::GeluOp, qd::SiluOp, qd::SoftmaxOp, qd::LayerNormOp,
             qd::RmsNormOp>(op))
      return failure();
    auto expand = op->getOperand(0).getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand || expand.getSrcType().getRank() == 0)
      return rewriter.notifyMatchFailure(op, "reads no expanded tensor");
    // Of row functions.
    auto axis = op->getAttrOfType<IntegerAttr>("axis");
    Groups groups = expand.getReassociationIndices();
    int64_t first = groups.size();
    if (axis) {
      // From the axis on the reshape must leave every dimension alone.
      while (first > 0 && groups[first - 1].size() == 1 &&
             groups[first - 1][0] >= axis.getInt())
        --first;
      if (first == static_cast<int64_t>(groups.size()) ||
          groups[first][0] != axis.getInt())
        return rewriter.notifyMatchFailure(op, "the reshape splits its rows");
    }
    IRMapping map;
    map.map(op->getOperand(0), expand.getSrc());
    Operation *moved = rewriter.clone(*op, map);
    moved->getResult(0).setType(expand.getSrcType().clone(
        getElementTypeOrSelf(op->getResult(0).getType())));
    if (axis)
      moved->setAttr("axis", rewriter.getI64IntegerAttr(first));
    rewriter.replaceOp(op,
                       expandLike(rewriter, expand, op->getResult(0).getType(),
                                  moved->getResult(0)));
    return success();
  }
};

/// f(collapse_shape(x)) => collapse_shape(f(x)) for element-wise f whose other
/// operands have no merged dimension, or are made of constants: those are
/// split, which costs nothing. The merged dimensions have fixed sizes.
struct SinkCollapse : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwiseGeneric(op) ||
        !op.getBlock()->getOps<linalg::IndexOp>().empty())
      return failure();
    tensor::CollapseShapeOp collapse;
    for (Value input : op.getDpsInputs())
      if (auto candidate = input.getDefiningOp<tensor::CollapseShapeOp>())
        if (candidate.getType().getRank() == op.getNumLoops())
          collapse = candidate;
    if (!collapse)
      return rewriter.notifyMatchFailure(op, "reads no collapsed tensor");
    Groups groups = collapse.getReassociationIndices();
    RankedTensorType source = collapse.getSrcType();
    for (const ReassociationIndices &group : groups)
      for (int64_t dim : group)
        if (group.size() > 1 && source.isDynamicDim(dim))
          return rewriter.notifyMatchFailure(op, "merges a symbolic dimension");
    MLIRContext *context = op.getContext();
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      if (input->get() == collapse.getResult() && map.isIdentity()) {
        inputs.push_back(collapse.getSrc());
        maps.push_back(rewriter.getMultiDimIdentityMap(source.getRank()));
        continue;
      }
      SmallVector<AffineExpr> results;
      SmallVector<int64_t> shape;
      Groups split;
      for (AffineExpr expr : map.getResults()) {
        ReassociationIndices parts;
        for (int64_t dim : groups[cast<AffineDimExpr>(expr).getPosition()]) {
          parts.push_back(results.size());
          results.push_back(getAffineDimExpr(dim, context));
          shape.push_back(source.getDimSize(dim));
        }
        split.push_back(std::move(parts));
      }
      Value value = input->get();
      if (results.size() != map.getNumResults()) {
        if (!isComputedFromConstants(value))
          return rewriter.notifyMatchFailure(
              op, "another operand has a merged dimension");
        if (llvm::any_of(shape, ShapedType::isDynamic))
          return rewriter.notifyMatchFailure(
              op, "another operand has a symbolic dimension");
        value = tensor::ExpandShapeOp::create(
            rewriter, op.getLoc(),
            RankedTensorType::get(shape, getElementTypeOrSelf(value)), value,
            split);
      }
      inputs.push_back(value);
      maps.push_back(AffineMap::get(source.getRank(), 0, results, context));
    }
    Value moved =
        cloneOver(rewriter, op, inputs, std::move(maps), collapse.getSrc());
    rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(op, op.getType(0),
                                                         moved, groups);
    return success();
  }
};

/// gelu and silu of a collapsed tensor.
struct SinkCollapseFunction : RewritePattern {
  explicit SinkCollapseFunction(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<qd::GeluOp, qd::SiluOp>(op))
      return failure();
    auto collapse = op->getOperand(0).getDefiningOp<tensor::CollapseShapeOp>();
    if (!collapse)
      return rewriter.notifyMatchFailure(op, "reads no collapsed tensor");
    IRMapping map;
    map.map(op->getOperand(0), collapse.getSrc());
    Operation *moved = rewriter.clone(*op, map);
    moved->getResult(0).setType(collapse.getSrcType());
    rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
        op, op->getResult(0).getType(), moved->getResult(0),
        collapse.getReassociationIndices());
    return success();
  }
};

/// collapse_shape(expand_shape(x)) => x
struct CancelReshapes : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto expand = op.getSrc().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand || expand.getSrcType() != op.getType() ||
        expand.getReassociationIndices() != op.getReassociationIndices())
      return failure();
    rewriter.replaceOp(op, expand.getSrc());
    return success();
  }
};

struct SinkReshapesPass : impl::SinkReshapesPassBase<SinkReshapesPass> {
  using SinkReshapesPassBase::SinkReshapesPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateSinkReshapesPatterns(patterns);
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void populateSinkReshapesPatterns(RewritePatternSet &patterns) {
  patterns.add<SinkIntoElementwise, SinkIntoFunction, SinkCollapse,
               SinkCollapseFunction, CancelReshapes>(patterns.getContext());
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of two activations (attention) read and write their operands where
// they lie:
//
//   expand(batch_matmul(collapse(transpose(q)), collapse(transpose(k))))
//     ->  linalg.generic over (batch, head, m, n, k) that reads q and k
//
// First the batch loop is split as the model had it, then transposes become
// permutations of the indexing maps. A transpose stays where the innermost
// dimension would stop being the one that kernels walk: the reduced one of the
// left side, columns in the result.

#include "GreedyRewrite.h"
#include "LayoutOps.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#define DEBUG_TYPE "qd-fold-layout-into-products"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_FOLDLAYOUTINTOPRODUCTSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// The structure of a product of two activations that starts from a fill.
std::optional<ContractionStructure> matchProduct(linalg::LinalgOp op) {
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (!s || s->isConvolution() || s->weightIsConstant ||
      !op.getDpsInits()[0].getDefiningOp<linalg::FillOp>())
    return std::nullopt;
  return s;
}

/// The product over other operands, maps and result as a linalg.generic.
/// `empty` has the sizes of the result.
linalg::GenericOp rebuild(PatternRewriter &rewriter, linalg::LinalgOp op,
                          ValueRange inputs, ArrayRef<AffineMap> maps,
                          ArrayRef<utils::IteratorType> iterators,
                          Value empty) {
  Location loc = op.getLoc();
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  Value init = linalg::FillOp::create(rewriter, loc, fill.getInputs()[0], empty)
                   .getResult(0);
  auto generic =
      linalg::GenericOp::create(rewriter, loc, empty.getType(), inputs,
                                ValueRange{init}, maps, iterators);
  rewriter.cloneRegionBefore(op->getRegion(0), generic.getRegion(),
                             generic.getRegion().end());
  copyAnnotations(op, generic);
  return generic;
}

using Groups = SmallVector<ReassociationIndices>;

/// expand(product(..)) that splits a loop of all three operands alone.
struct SplitBatchLoop : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getSrc().getDefiningOp<linalg::LinalgOp>();
    if (!product || !product->hasOneUse())
      return failure();
    std::optional<ContractionStructure> s = matchProduct(product);
    if (!s)
      return rewriter.notifyMatchFailure(op, "no product of two activations");
    // Which loop each split dimension is.
    unsigned numLoops = product.getNumLoops();
    SmallVector<SmallVector<int64_t>> parts(numLoops);
    for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
      unsigned loop =
          cast<AffineDimExpr>(s->outputMap.getResult(dim)).getPosition();
      if (group.size() > 1 && !llvm::is_contained(s->depth, loop))
        return rewriter.notifyMatchFailure(op, "splits no batch");
      for (int64_t member : group)
        parts[loop].push_back(op.getType().getDimSize(member));
    }
    SmallVector<utils::IteratorType> iterators;
    SmallVector<unsigned> firstOf;
    SmallVector<utils::IteratorType> old = product.getIteratorTypesArray();
    for (unsigned loop = 0; loop < numLoops; ++loop) {
      if (parts[loop].empty())
        parts[loop].push_back(s->loopSizes[loop]);
      firstOf.push_back(iterators.size());
      iterators.append(parts[loop].size(), old[loop]);
    }
    auto splitMap = [&](AffineMap map) {
      SmallVector<AffineExpr> results;
      for (AffineExpr expr : map.getResults()) {
        unsigned loop = cast<AffineDimExpr>(expr).getPosition();
        for (size_t part = 0; part < parts[loop].size(); ++part)
          results.push_back(rewriter.getAffineDimExpr(firstOf[loop] + part));
      }
      return AffineMap::get(iterators.size(), 0, results,
                            rewriter.getContext());
    };
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : product.getDpsInputOperands()) {
      AffineMap map = product.getMatchingIndexingMap(input);
      if (!canSplit(input->get(), map, parts))
        return rewriter.notifyMatchFailure(
            op, "an operand's symbolic sizes are merged otherwise");
      maps.push_back(splitMap(map));
    }
    for (OpOperand *input : product.getDpsInputOperands())
      inputs.push_back(split(rewriter, input->get(),
                             product.getMatchingIndexingMap(input), parts));
    maps.push_back(splitMap(s->outputMap));
    Value empty = tensor::EmptyOp::create(rewriter, product.getLoc(),
                                          op.getMixedOutputShape(),
                                          op.getType().getElementType());
    auto generic = rebuild(rewriter, product, inputs, maps, iterators, empty);
    if (Attribute name = op->getAttr(qd::kNameAttr))
      generic->setAttr(qd::kNameAttr, name);
    rewriter.replaceOp(op, generic.getResult(0));
    return success();
  }

  /// The type of an operand with each split dimension as several.
  static RankedTensorType splitType(Value value, AffineMap map,
                                    ArrayRef<SmallVector<int64_t>> parts,
                                    Groups &groups) {
    SmallVector<int64_t> shape;
    for (AffineExpr expr : map.getResults()) {
      ReassociationIndices &group = groups.emplace_back();
      for (int64_t size : parts[cast<AffineDimExpr>(expr).getPosition()]) {
        group.push_back(shape.size());
        shape.push_back(size);
      }
    }
    return cast<RankedTensorType>(value.getType()).clone(shape);
  }

  /// What a collapse_shape merged to be the operand, if it is of that type.
  static Value mergedFrom(Value value, RankedTensorType type) {
    auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
    return collapse && collapse.getSrcType() == type ? collapse.getSrc()
                                                     : Value();
  }

  /// With one symbolic size in a group the others say what it is.
  static bool canSplit(Value value, AffineMap map,
                       ArrayRef<SmallVector<int64_t>> parts) {
    Groups groups;
    RankedTensorType type = splitType(value, map, parts, groups);
    if (type.hasStaticShape())
      return true;
    return mergedFrom(value, type) &&
           llvm::all_of(groups, [&](const ReassociationIndices &group) {
             return llvm::count_if(group, [&](int64_t dim) {
                      return type.isDynamicDim(dim);
                    }) <= 1;
           });
  }

  /// The operand with each split dimension as several; what a collapse_shape
  /// merged from just those is taken as it was.
  static Value split(PatternRewriter &rewriter, Value value, AffineMap map,
                     ArrayRef<SmallVector<int64_t>> parts) {
    Groups groups;
    RankedTensorType type = splitType(value, map, parts, groups);
    if (Value source = mergedFrom(value, type))
      return source;
    return tensor::ExpandShapeOp::create(rewriter, value.getLoc(), type, value,
                                         groups);
  }
};

/// product(transpose(x), y) => product'(x, y)
struct FoldOperandTranspose : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ContractionStructure> s = matchProduct(op);
    if (!s)
      return failure();
    SmallVector<Value> inputs = op.getDpsInputs();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    bool changed = false;
    for (auto [number, input] : llvm::enumerate(inputs)) {
      auto transpose = input.getDefiningOp<linalg::TransposeOp>();
      if (!transpose)
        continue;
      SmallVector<AffineExpr> results = llvm::to_vector(
          permuted(maps[number].getResults(),
                   invertPermutation(transpose.getPermutation())));
      unsigned innermost = cast<AffineDimExpr>(results.back()).getPosition();
      if (number == s->activationOperand &&
          !llvm::is_contained(s->inputChannel, innermost))
        continue;
      maps[number] = AffineMap::get(maps[number].getNumDims(), 0, results,
                                    rewriter.getContext());
      input = transpose.getInput();
      changed = true;
    }
    if (!changed)
      return rewriter.notifyMatchFailure(op, "no transpose that can go");
    Value empty =
        makeEmptyLike(rewriter, op.getLoc(), op.getDpsInits()[0],
                      getElementTypeOrSelf(op->getResult(0).getType()));
    auto generic =
        rebuild(rewriter, op, inputs, maps, op.getIteratorTypesArray(), empty);
    rewriter.replaceOp(op, generic.getResult(0));
    return success();
  }
};

/// transpose(product(x, y)) => product'(x, y)
struct FoldResultTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getInput().getDefiningOp<linalg::LinalgOp>();
    if (!product || !product->hasOneUse())
      return failure();
    std::optional<ContractionStructure> s = matchProduct(product);
    if (!s)
      return rewriter.notifyMatchFailure(op, "no product of two activations");
    SmallVector<AffineExpr> results = llvm::to_vector(
        permuted(s->outputMap.getResults(), op.getPermutation()));
    unsigned innermost = cast<AffineDimExpr>(results.back()).getPosition();
    if (!llvm::is_contained(s->outputChannel, innermost))
      return rewriter.notifyMatchFailure(op, "its columns would lie apart");
    SmallVector<AffineMap> maps = product.getIndexingMapsArray();
    maps.back() = AffineMap::get(maps.back().getNumDims(), 0, results,
                                 rewriter.getContext());
    Value empty =
        makePermutedEmpty(rewriter, product.getLoc(), product.getDpsInits()[0],
                          op.getPermutation());
    auto generic = rebuild(rewriter, product, product.getDpsInputs(), maps,
                           product.getIteratorTypesArray(), empty);
    if (Attribute name = op->getAttr(qd::kNameAttr))
      generic->setAttr(qd::kNameAttr, name);
    rewriter.replaceOp(op, generic.getResult(0));
    return success();
  }
};

struct FoldLayoutIntoProductsPass
    : impl::FoldLayoutIntoProductsPassBase<FoldLayoutIntoProductsPass> {
  using FoldLayoutIntoProductsPassBase::FoldLayoutIntoProductsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFoldLayoutIntoProductsPatterns(patterns);
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void populateFoldLayoutIntoProductsPatterns(RewritePatternSet &patterns) {
  patterns.add<SplitBatchLoop, FoldOperandTranspose, FoldResultTranspose>(
      patterns.getContext());
}

} // namespace qdialect

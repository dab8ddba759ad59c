// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element-wise ops that are affine per output channel go into the constant
// weights of the contraction before them:
//
//   y = contraction(x, W);  z = (y + c) * a + b
//   ->
//   z = contraction(x, W * a) + (c * a + b)
//
// A whole chain is folded at once, in f64, and rounded once. What is left is at
// most one addition of a constant of one value a channel: the bias.

#include "GreedyRewrite.h"
#include "PerChannel.h"
#include "Permutations.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include <cmath>

#define DEBUG_TYPE "qd-fold-channel-affine"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_FOLDCHANNELAFFINEPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// y = factor * x + offset, per output channel.
struct Affine {
  SmallVector<double> factor, offset;
};

/// The value that an element-wise op transforms: its only operand that is not a
/// constant. Null when there are several, or it is broadcast.
Value transformedOperand(linalg::GenericOp op) {
  Value found;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    if (operand->get().getDefiningOp<arith::ConstantOp>())
      continue;
    if (found && found != operand->get())
      return {};
    if (!op.getMatchingIndexingMap(operand).isIdentity())
      return {};
    found = operand->get();
  }
  return found;
}

/// `expression` of the payload as a multiple of x plus a constant, for one
/// channel; `known` holds the block arguments. Fails on anything not affine.
std::optional<std::pair<double, double>>
evaluate(Value expression,
         llvm::DenseMap<Value, std::pair<double, double>> &known) {
  auto it = known.find(expression);
  if (it != known.end())
    return it->second;
  Operation *op = expression.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isa<arith::ConstantOp>(op)) {
    std::optional<ConstantView> view = constantView(expression);
    if (!view || view->numElements() != 1)
      return std::nullopt;
    return std::pair(0.0, view->number(0));
  }
  if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
           arith::NegFOp>(op))
    return std::nullopt;
  auto a = evaluate(op->getOperand(0), known);
  if (!a)
    return std::nullopt;
  if (isa<arith::NegFOp>(op))
    return std::pair(-a->first, -a->second);
  auto b = evaluate(op->getOperand(1), known);
  if (!b)
    return std::nullopt;
  if (isa<arith::AddFOp>(op))
    return std::pair(a->first + b->first, a->second + b->second);
  if (isa<arith::SubFOp>(op))
    return std::pair(a->first - b->first, a->second - b->second);
  if (isa<arith::DivFOp>(op)) {
    if (b->first != 0 || b->second == 0)
      return std::nullopt;
    return std::pair(a->first / b->second, a->second / b->second);
  }
  if (a->first != 0)
    std::swap(a, b);
  if (a->first != 0) // x * x
    return std::nullopt;
  return std::pair(b->first * a->second, b->second * a->second);
}

/// The map of an element-wise op whose result has `channels`.
std::optional<Affine> getAffine(linalg::GenericOp op,
                                const ChannelDims &channels) {
  struct Constant {
    Value argument;
    ConstantView view;
    SmallVector<int64_t> offsets;
  };
  SmallVector<Constant> constants;
  SmallVector<Value> transformed;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Value argument = op.getMatchingBlockArgument(operand);
    std::optional<ConstantView> view = constantView(operand->get());
    if (!view || !operand->get().getDefiningOp<arith::ConstantOp>()) {
      transformed.push_back(argument);
      continue;
    }
    SmallVector<int64_t> positions;
    for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
      positions.push_back(cast<AffineDimExpr>(expr).getPosition());
    std::optional<SmallVector<int64_t>> offsets;
    if (view->splat)
      offsets.emplace(channels.count(), 0);
    else
      offsets = channels.offsets(positions, view->type.getShape());
    if (!offsets)
      return std::nullopt;
    constants.push_back({argument, *view, *offsets});
  }
  Affine result;
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  for (int64_t channel = 0, e = channels.count(); channel < e; ++channel) {
    llvm::DenseMap<Value, std::pair<double, double>> known;
    for (Value argument : transformed)
      known[argument] = {1, 0};
    for (const Constant &constant : constants)
      known[constant.argument] = {
          0, constant.view.number(constant.offsets[channel])};
    auto value = evaluate(yielded, known);
    if (!value || !std::isfinite(value->first) || !std::isfinite(value->second))
      return std::nullopt;
    result.factor.push_back(value->first);
    result.offset.push_back(value->second);
  }
  return result;
}

/// A contraction with constant weights and the affine ops after it.
struct Chain {
  linalg::LinalgOp contraction;
  ContractionStructure structure;
  /// Element-wise ops in order; the last is the root. Reshapes between them
  /// stay where they are.
  SmallVector<linalg::GenericOp> affineOps;
  /// Channels in the root's result.
  ChannelDims channels;
  Affine total;
};

std::optional<Chain> matchChain(linalg::GenericOp root) {
  Chain chain;
  SmallVector<Operation *> path{root.getOperation()};
  while (true) {
    Value source = path.back()->getOperand(0);
    if (auto generic = dyn_cast<linalg::GenericOp>(path.back())) {
      if (!isElementwiseGeneric(path.back()))
        return std::nullopt;
      source = transformedOperand(generic);
    }
    Operation *op = source ? source.getDefiningOp() : nullptr;
    // Somebody else reads what would change.
    if (!op || !llvm::all_equal(source.getUsers()))
      return std::nullopt;
    if (auto contraction = dyn_cast<linalg::LinalgOp>(op))
      if (auto structure = getContractionStructure(contraction)) {
        chain.contraction = contraction;
        chain.structure = *structure;
        break;
      }
    if (!isa<linalg::GenericOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
            op))
      return std::nullopt;
    path.push_back(op);
  }
  Value weight =
      chain.contraction.getDpsInputs()[chain.structure.weightOperand];
  if (!weight.getDefiningOp<arith::ConstantOp>() || !constantView(weight) ||
      !getElementTypeOrSelf(weight.getType()).isF32())
    return std::nullopt;
  std::optional<ChannelDims> channels = getOutputChannels(chain.structure);
  if (!channels)
    return std::nullopt;
  chain.total.factor.assign(channels->count(), 1);
  chain.total.offset.assign(channels->count(), 0);
  for (Operation *op : llvm::reverse(path)) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) {
      channels = followReshape(*channels, op);
      if (!channels)
        return std::nullopt;
      continue;
    }
    std::optional<Affine> affine = getAffine(generic, *channels);
    if (!affine)
      return std::nullopt;
    for (size_t c = 0, e = affine->factor.size(); c < e; ++c) {
      chain.total.factor[c] *= affine->factor[c];
      chain.total.offset[c] =
          chain.total.offset[c] * affine->factor[c] + affine->offset[c];
    }
    chain.affineOps.push_back(generic);
  }
  chain.channels = *channels;
  return chain;
}

/// Is `op` already `x + constant` with one value a channel?
bool isBiasAdd(linalg::GenericOp op, const ChannelDims &channels) {
  auto add = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp>(add) || op.getNumDpsInputs() != 2 ||
      !llvm::all_of(add->getOperands(), llvm::IsaPred<BlockArgument>) ||
      !op.getDpsInputs()[1].getDefiningOp<arith::ConstantOp>())
    return false;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(1));
  if (map.getNumResults() != channels.dims.size())
    return false;
  for (auto [expr, dim] : llvm::zip(map.getResults(), channels.dims))
    if (cast<AffineDimExpr>(expr).getPosition() != dim)
      return false;
  return true;
}

/// The weight with each channel multiplied by its factor.
Value scaleWeight(PatternRewriter &rewriter, Chain &chain) {
  Value weight =
      chain.contraction.getDpsInputs()[chain.structure.weightOperand];
  ConstantView view = *constantView(weight);
  auto type = cast<RankedTensorType>(weight.getType());
  HostTensor scaled(DType::F32, type.getShape().vec());
  float *to = scaled.mutableData<float>();
  forEachWeight(type.getShape(), weightChannelStrides(chain.structure),
                [&](int64_t element, int64_t channel) {
                  to[element] = static_cast<float>(
                      static_cast<double>(view.get<float>(element)) *
                      chain.total.factor[channel]);
                });
  return makeConstant(rewriter, weight.getLoc(), type, "folded_weight", scaled);
}

struct FoldChannelAffine : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isElementwiseGeneric(op.getOperation()) ||
        !getElementTypeOrSelf(op.getResult(0).getType()).isF32())
      return failure();
    std::optional<Chain> chain = matchChain(op);
    if (!chain)
      return rewriter.notifyMatchFailure(
          op, "no affine op after a contraction with constant weights");
    // A later op of the same chain takes this one along, with one rounding.
    for (Operation *user : op->getUsers())
      if (auto next = dyn_cast<linalg::GenericOp>(user))
        if (op->hasOneUse() && matchChain(next))
          return rewriter.notifyMatchFailure(op, "inside a longer chain");
    bool scales =
        llvm::any_of(chain->total.factor, [](double f) { return f != 1; });
    if (!scales && chain->affineOps.size() == 1 &&
        isBiasAdd(op, chain->channels))
      return rewriter.notifyMatchFailure(op, "already a bias");
    std::optional<Attribute> init =
        getSplatValue(chain->contraction.getDpsInits()[0]);
    auto initValue = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
    if (scales && (!initValue || !initValue.getValue().isZero()))
      return rewriter.notifyMatchFailure(op, "the contraction adds to a value");
    if (scales) {
      rewriter.setInsertionPoint(chain->contraction);
      Value weight = scaleWeight(rewriter, *chain);
      rewriter.modifyOpInPlace(chain->contraction, [&] {
        chain->contraction.getDpsInputOperand(chain->structure.weightOperand)
            ->set(weight);
      });
    }
    for (linalg::GenericOp inner : ArrayRef(chain->affineOps).drop_back())
      rewriter.replaceOp(inner, transformedOperand(inner));
    replaceByBias(rewriter, op, *chain);
    return success();
  }

  /// The root becomes `x + offset`, or x when every offset is zero.
  static void replaceByBias(PatternRewriter &rewriter, linalg::GenericOp op,
                            const Chain &chain) {
    Value x = transformedOperand(op);
    if (llvm::all_of(chain.total.offset, [](double b) { return b == 0; })) {
      rewriter.replaceOp(op, x);
      return;
    }
    rewriter.setInsertionPoint(op);
    SmallVector<float> offsets(chain.total.offset.begin(),
                               chain.total.offset.end());
    linalg::GenericOp add =
        addPerChannel(rewriter, op.getLoc(), x, chain.channels, offsets);
    copyAnnotations(op, add);
    rewriter.replaceOp(op, add);
  }
};

struct FoldChannelAffinePass
    : impl::FoldChannelAffinePassBase<FoldChannelAffinePass> {
  using FoldChannelAffinePassBase::FoldChannelAffinePassBase;

  void runOnOperation() override {
    auto countElementwise = [&] {
      int64_t count = 0;
      getOperation()->walk([&](linalg::GenericOp op) {
        count += isElementwiseGeneric(op.getOperation());
      });
      return count;
    };
    int64_t before = countElementwise();
    RewritePatternSet patterns(&getContext());
    populateFoldChannelAffinePatterns(patterns);
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      return signalPassFailure();
    numFolded += before - countElementwise();
  }
};

} // namespace

void populateFoldChannelAffinePatterns(RewritePatternSet &patterns) {
  patterns.add<FoldChannelAffine>(patterns.getContext());
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of one tensor that a model writes out in steps become one op:
//
//   y = min(max(x + 3, 0), 6);  z = x * y   ->   z = f(x)
//
// so hard-swish, mish, a leaky relu written as max(x, x / 10) or any other
// function that nobody has a name for yet is the same to the quantizer as one
// that the exporter wrote as a single operator: nothing in the middle of it is
// rounded, and nothing is asked to be. The scalar operations and their order
// stay, so results keep their bits. What scales or clips such a function by
// constants belongs to it, too (the division by 6 behind a hard-swish). Other
// chains without a fork are left alone: their ops are units as they are. Each
// rewrite removes an op.

#include "GreedyRewrite.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizableUnits.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

#define DEBUG_TYPE "qd-fuse-unary-functions"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_FUSEUNARYFUNCTIONSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// Longer functions are no activation that anybody wrote by hand.
constexpr unsigned kMaxOps = 16;

/// Steps of a function, in program order, and the one tensor they read.
struct UnaryFunction {
  SmallVector<linalg::GenericOp> steps;
  Value argument;
};

/// An element-wise op that reads each variable tensor element by element, and
/// not where it stands.
bool isStep(Operation *op) {
  if (!isElementwiseGeneric(op))
    return false;
  auto generic = cast<linalg::GenericOp>(op);
  for (OpOperand *operand : generic.getDpsInputOperands())
    if (!isComputedFromConstants(operand->get()) &&
        !generic.getMatchingIndexingMap(operand).isIdentity())
      return false;
  return llvm::none_of(*generic.getBlock(), [](Operation &scalar) {
    return isa<linalg::IndexOp, tensor::ExtractOp>(scalar);
  });
}

void addVariableInputs(linalg::GenericOp op, llvm::SetVector<Value> &values) {
  for (Value input : op.getDpsInputs())
    if (!isComputedFromConstants(input))
      values.insert(input);
}

/// Is `op` a function of one tensor that no grid follows: neither a clamp nor
/// affine, and with one value for each of its constants?
bool isCurved(linalg::GenericOp op) {
  llvm::SetVector<Value> variables;
  addVariableInputs(op, variables);
  return isStep(op) && variables.size() == 1 && !isClamp(op) && !isAffine(op) &&
         llvm::all_of(op.getDpsInputs(), [&](Value input) {
           return variables.contains(input) ||
                  cast<RankedTensorType>(input.getType()).getNumElements() == 1;
         });
}

/// The curved function that `root` scales, shifts or clips by constants.
FailureOr<UnaryFunction> findScaled(RewriterBase &rewriter,
                                    linalg::GenericOp root, Value operand) {
  auto inner = operand.getDefiningOp<linalg::GenericOp>();
  bool scalars = llvm::all_of(root.getDpsInputs(), [&](Value input) {
    return input == operand ||
           cast<RankedTensorType>(input.getType()).getNumElements() == 1;
  });
  if (!inner || inner->getBlock() != root->getBlock() || !isCurved(inner) ||
      !scalars || !operand.hasOneUse() || !(isClamp(root) || isAffine(root)))
    return rewriter.notifyMatchFailure(
        root, "reads one tensor already, which no function of one makes");
  UnaryFunction function{{inner, root}, inner.getDpsInputs().front()};
  for (Value input : inner.getDpsInputs())
    if (!isComputedFromConstants(input))
      function.argument = input;
  return function;
}

/// Follows the operands of `root` up, always the lowest of them, until they are
/// one tensor.
FailureOr<UnaryFunction> findFunction(RewriterBase &rewriter,
                                      linalg::GenericOp root) {
  auto refuse = [&](const char *why) {
    return rewriter.notifyMatchFailure(root, why);
  };
  if (!isStep(root))
    return refuse("not element-wise");
  llvm::SetVector<Value> open;
  addVariableInputs(root, open);
  if (open.empty())
    return refuse("computed from constants");
  if (open.size() == 1)
    return findScaled(rewriter, root, open.front());
  llvm::SmallSetVector<Operation *, 8> steps;
  steps.insert(root);
  while (open.size() > 1) {
    Operation *lowest = nullptr;
    for (Value value : open) {
      Operation *op = value.getDefiningOp();
      if (op && op->getBlock() == root->getBlock() &&
          (!lowest || lowest->isBeforeInBlock(op)))
        lowest = op;
    }
    if (!lowest || !isStep(lowest))
      return refuse("its operands are made by other than element-wise ops");
    if (!llvm::all_of(lowest->getUsers(),
                      [&](Operation *user) { return steps.contains(user); }))
      return refuse("something else reads a value on the way");
    if (steps.size() == kMaxOps)
      return refuse("its operands have no common origin nearby");
    steps.insert(lowest);
    open.remove(lowest->getResult(0));
    addVariableInputs(cast<linalg::GenericOp>(lowest), open);
  }
  UnaryFunction function;
  function.argument = open.front();
  for (Operation *step : llvm::reverse(steps))
    function.steps.push_back(cast<linalg::GenericOp>(step));
  return function;
}

struct FuseUnaryFunction : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp root,
                                PatternRewriter &rewriter) const override {
    FailureOr<UnaryFunction> function = findFunction(rewriter, root);
    if (failed(function))
      return failure();
    // The argument, then the constants of all steps.
    MLIRContext *context = rewriter.getContext();
    SmallVector<Value> inputs = {function->argument};
    SmallVector<AffineMap> maps = {
        AffineMap::getMultiDimIdentityMap(root.getNumLoops(), context)};
    for (linalg::GenericOp step : function->steps)
      for (OpOperand *operand : step.getDpsInputOperands())
        if (isComputedFromConstants(operand->get())) {
          inputs.push_back(operand->get());
          maps.push_back(step.getMatchingIndexingMap(operand));
        }
    maps.push_back(root.getMatchingIndexingMap(root.getDpsInitOperand(0)));
    auto fused = linalg::GenericOp::create(
        rewriter, root.getLoc(), root.getResultTypes(), inputs,
        root.getDpsInits(), maps, root.getIteratorTypesArray(),
        [&](OpBuilder &builder, Location loc, mlir::ValueRange arguments) {
          emitSteps(*function, builder, loc, arguments);
        });
    for (NamedAttribute attribute : root->getDiscardableAttrs())
      fused->setDiscardableAttr(attribute.getName(), attribute.getValue());
    rewriter.replaceOp(root, fused);
    return success();
  }

private:
  static void emitSteps(const UnaryFunction &function, OpBuilder &builder,
                        Location loc, mlir::ValueRange arguments) {
    IRMapping values; // tensors to the scalars that stand for them
    values.map(function.argument, arguments.front());
    mlir::ValueRange constants = arguments.drop_front();
    Value last;
    for (linalg::GenericOp step : function.steps) {
      IRMapping mapping;
      for (OpOperand *operand : step.getDpsInputOperands()) {
        Value scalar = step.getMatchingBlockArgument(operand);
        if (isComputedFromConstants(operand->get())) {
          mapping.map(scalar, constants.front());
          constants = constants.drop_front();
        } else {
          mapping.map(scalar, values.lookup(operand->get()));
        }
      }
      for (Operation &op : step.getBlock()->without_terminator())
        builder.clone(op, mapping);
      last = mapping.lookupOrDefault(
          step.getBlock()->getTerminator()->getOperand(0));
      values.map(step.getResult(0), last);
    }
    linalg::YieldOp::create(builder, loc, last);
  }
};

struct FuseUnaryFunctionsPass
    : impl::FuseUnaryFunctionsPassBase<FuseUnaryFunctionsPass> {
  using FuseUnaryFunctionsPassBase::FuseUnaryFunctionsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFuseUnaryFunctionsPatterns(patterns);
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void populateFuseUnaryFunctionsPatterns(RewritePatternSet &patterns) {
  patterns.add<FuseUnaryFunction>(patterns.getContext());
}

} // namespace qdialect

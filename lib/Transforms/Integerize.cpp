// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From QDQ islands to integers (docs/PhaseContract.md section 5):
//
//   quantize(relu(conv(dequantize(x), dequantize(w)) + b))
//     =>  max(requantize(conv(x, w) : i32), zero point)
//
// Every quantize is one island, rewritten by the first family that takes it:
// a table for a function of one tensor, else by the form of its formula
// (Island.h). What no family takes stays as it is and is marked with the
// reason.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/Analysis/DecodedActivations.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizableUnits.h"
#include "Requests.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

#define DEBUG_TYPE "qd-integerize"

namespace qdialect {
#define GEN_PASS_DEF_INTEGERIZEPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

enum class Family { Table, Contraction, Pool, Elementwise, Nonlinear };

/// The integer form of a formula by its shape, or null with a reason.
Value integerizeFormula(IntegerizeContext &context, const Island &island,
                        Family &family) {
  auto isNumber = [](double v) { return !std::isnan(v); };
  for (const auto &bound : {island.formula.lower, island.formula.upper})
    if (bound && !bound->allOf(isNumber))
      return context.refuse("a bound of its clamp is not a number");
  if (island.formula.slope && !island.formula.slope->allOf([](double slope) {
        return std::isfinite(slope);
      }))
    return context.refuse("a slope of it is not a finite number");
  ArrayRef<Term> terms = island.formula.terms;
  if (terms.empty())
    return context.refuse("it is constant");
  if (!island.formula.constant.allOf(isNumber) ||
      !llvm::all_of(terms, [](const Term &term) {
        return term.factor.allOf([](double v) { return std::isfinite(v); });
      }))
    return context.refuse("a constant of it is not a finite number");
  auto rootOf = [&](const Term &term) -> Operation * {
    for (unsigned leaf : term.leaves)
      if (island.leaves[leaf].root)
        return island.leaves[leaf].root;
    return nullptr;
  };
  Operation *root = nullptr;
  for (const Term &term : terms)
    if (Operation *one = rootOf(term))
      root = one;
  if (llvm::any_of(terms, [](const Term &term) { return term.divisor; }) &&
      (!root || !getReductionKind(root)))
    return context.refuse("a division by a size has an integer form behind a "
                          "sum along axes only");
  if (root) {
    if (terms.size() != 1 || terms[0].leaves.size() != 1)
      return context.refuse("its accumulator is combined with another tensor "
                            "without a rounding in between");
    if (getContractionStructure(cast<linalg::LinalgOp>(root))) {
      family = Family::Contraction;
      return integerizeContraction(context, island);
    }
    if (getReductionKind(root)) {
      family = Family::Pool;
      return integerizePool(context, island);
    }
    family = Family::Elementwise;
    return integerizeInterpolation(context, island);
  }
  if (island.formula.slope)
    return context.refuse("a leaky relu has an integer form behind a sum of "
                          "products or a pool only");
  family = Family::Elementwise;
  if (llvm::all_of(terms, [](const Term &t) { return t.leaves.size() == 1; }))
    return integerizeSum(context, island);
  if (terms.size() == 1)
    return integerizeProduct(context, island);
  return context.refuse("a sum of products has no integer form");
}

class Integerizer {
public:
  Integerizer(func::FuncOp function, bool dyadic)
      : function(function),
        context{OpBuilder(function.getContext()), dyadic, {}} {}

  void run();

  llvm::DenseMap<int, int64_t> made;
  int64_t fallbacks = 0;
  int64_t tables = 0;

private:
  void rewrite(qd::QuantizeOp quantize);
  void rewriteUnrounded(linalg::LinalgOp op);
  void eraseDead();
  void markFallbacks();
  void readTables();
  void dequantizeConstants();

  func::FuncOp function;
  IntegerizeContext context;
  llvm::DenseMap<Operation *, std::string> reasons;
  /// Contractions before the quantize of a refused island.
  llvm::DenseMap<Operation *, std::string> refusedSums;
  /// What those became, as floats.
  llvm::DenseSet<Operation *> refusedAccumulators;
};

/// What is computed with a sum before its rounding; any other function stands
/// there in floats because a recipe leaves it so.
static bool belongsToSum(Operation *op) {
  if (isElementwiseGeneric(op))
    return isClamp(cast<linalg::GenericOp>(op)) ||
           isAffine(cast<linalg::GenericOp>(op));
  return isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op);
}

/// The sums that `quantize` rounds, seen through what belongs to them; none if
/// anything else feeds it too, which keeps them in floats by intention.
static SmallVector<linalg::LinalgOp> roundedSums(qd::QuantizeOp quantize) {
  SmallVector<linalg::LinalgOp> sums;
  llvm::SetVector<Operation *> passed;
  passed.insert(quantize);
  for (size_t i = 0; i < passed.size(); ++i)
    for (Value operand : passed[i]->getOperands()) {
      Operation *op = operand.getDefiningOp();
      auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
      if (linalgOp && getContractionStructure(linalgOp))
        sums.push_back(linalgOp);
      else if (belongsToSum(op))
        passed.insert(op);
      else if (op && !isa<qd::DequantizeOp, tensor::EmptyOp>(op) &&
               !isComputedFromConstants(operand))
        return {};
    }
  return sums;
}

void Integerizer::rewrite(qd::QuantizeOp quantize) {
  if (!isa<RankedTensorType>(quantize.getType()))
    return;
  // The input edge: floats of the caller become codes here.
  if (isa<BlockArgument>(quantize.getInput()))
    return;
  // Scales made at run time divide floats.
  if (!llvm::all_of(quantize.getScales(), isComputedFromConstants))
    return;
  context.builder.setInsertionPoint(quantize);
  context.reason.clear();
  Family family = Family::Table;
  // A small table is better than arithmetic, arithmetic than a large one.
  std::optional<IslandTable> table =
      IslandTable::evaluate(quantize, /*inFloats=*/!context.dyadic);
  Value codes = table ? table->makeClamp(context) : Value();
  if (!codes && table && table->entries.size() <= 256)
    codes = table->makeLookup(context);
  Island island;
  context.reason.clear();
  if (!codes && (codes = integerizeNonlinear(context, quantize)))
    family = Family::Nonlinear;
  if (!codes && context.reason.empty() &&
      !(codes = integerizeGather(context, quantize)) && context.reason.empty())
    codes = integerizeIntegerInput(context, quantize);
  std::string refused = std::move(context.reason);
  context.reason.clear();
  if (!codes) {
    std::string reason;
    if (matchIsland(quantize, context.dyadic, island, reason)) {
      codes = integerizeFormula(context, island, family);
      reason = context.reason;
    }
    if (!codes && table) {
      codes = table->makeLookup(context);
      family = Family::Table;
    }
    if (!codes) {
      if (!refused.empty())
        reasons.try_emplace(quantize.getInput().getDefiningOp(), refused);
      for (Operation *member : island.members)
        reasons.try_emplace(member, reason);
      for (linalg::LinalgOp sum : roundedSums(quantize))
        refusedSums.try_emplace(sum, reason);
      return;
    }
  }
  ++made[static_cast<int>(family)];
  quantize.getResult().replaceAllUsesWith(codes);
  quantize.erase();
}

/// A contraction that ends in floats: the sum is made of integers all the same
/// and dequantized as the accumulator it is. Where a quantize follows whose
/// island was refused, that is a fallback still: its rounding is a float one.
void Integerizer::rewriteUnrounded(linalg::LinalgOp op) {
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (!s || !getElementTypeOrSelf(op->getResult(0)).isF32())
    return;
  context.builder.setInsertionPoint(op);
  // One that refuses leaves the product to those behind it; its reason counts.
  std::optional<std::string> reason;
  for (auto *family : {integerizeBlockProduct, integerizeTokenProduct,
                       integerizeOneBlockProduct}) {
    FailureOr<Value> product = family(context, op);
    if (failed(product)) {
      if (!reason)
        reason = context.reason;
    } else if (*product) {
      ++made[static_cast<int>(Family::Contraction)];
      op->getResult(0).replaceAllUsesWith(*product);
      op->erase();
      return;
    }
  }
  if (reason) {
    reasons.try_emplace(op, *reason);
    return;
  }
  std::optional<IntegerContraction> integer = makeIntegerContraction(
      context, op, Coefficient::scalar(1), Coefficient::scalar(0),
      /*output=*/nullptr);
  if (!integer) {
    reasons.try_emplace(op, context.reason);
    return;
  }
  ++made[static_cast<int>(Family::Contraction)];
  Operation *real = dequantizeSums(context, op, *integer);
  if (auto refused = refusedSums.find(op); refused != refusedSums.end()) {
    if (Attribute request = op->getAttr(qd::kRequestedAttr))
      real->setAttr(qd::kRequestedAttr, request);
    reasons.try_emplace(real,
                        "its sum is rounded in floats: " + refused->second);
    refusedAccumulators.insert(real);
  }
  op->getResult(0).replaceAllUsesWith(real->getResult(0));
  op->erase();
}

void Integerizer::eraseDead() {
  for (Block *block : programBlocksInnerFirst(function))
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
      if (isOpTriviallyDead(&op))
        op.erase();
}

void Integerizer::markFallbacks() {
  SmallVector<Operation *> ops;
  for (Block *block : programBlocks(function))
    for (Operation &op : *block)
      ops.push_back(&op);
  for (Operation *one : ops) {
    Operation &op = *one;
    bool isRefused = refusedAccumulators.contains(&op);
    if (!isRefused && !computesFloats(&op))
      continue;
    // Exact products of minifloats are what was asked for.
    if (getMinifloatSides(&op))
      continue;
    bool isMarked = op.hasAttr(qd::kRequestedAttr);
    if (!isAskedToBeInteger(&op) && (isMarked || !isRefused))
      continue;
    ++fallbacks;
    if (op.hasAttr(qd::kFallbackAttr))
      continue; // whoever quantized has said why
    auto found = reasons.find(&op);
    std::string reason =
        found != reasons.end() ? found->second : "its result is not quantized";
    op.setAttr(qd::kFallbackAttr, StringAttr::get(op.getContext(), reason));
  }
}

/// Tables that payloads read stay codes.
void Integerizer::readTables() {
  SmallVector<tensor::ExtractOp> reads;
  for (Block *block : programBlocks(function))
    for (auto generic : block->getOps<linalg::GenericOp>())
      llvm::append_range(reads,
                         generic.getBlock()->getOps<tensor::ExtractOp>());
  for (tensor::ExtractOp read : reads)
    tables += integerizeTableRead(read);
  eraseDead();
}

/// The weights of what stays float become floats: float kernels want constants,
/// except those that take blocked codes.
void Integerizer::dequantizeConstants() {
  SmallVector<qd::DequantizeOp> ops;
  for (Block *block : programBlocks(function))
    llvm::append_range(ops, block->getOps<qd::DequantizeOp>());
  for (qd::DequantizeOp op : ops) {
    if (makesBlockWeights(op))
      continue;
    SmallVector<HostTensor> operands;
    for (Value operand : op->getOperands())
      if (std::optional<ConstantView> view = constantView(operand))
        operands.push_back(view->toHostTensor());
    if (operands.size() != op->getNumOperands())
      continue;
    auto values = evaluate(op, operands);
    if (!values) {
      llvm::consumeError(values.takeError());
      continue; // it works as it is, only slower
    }
    context.builder.setInsertionPoint(op);
    Value constant = makeConstant(context.builder, op.getLoc(),
                                  cast<RankedTensorType>(op.getType()),
                                  "weight", std::move(values->front()));
    copyMarks(op, constant.getDefiningOp());
    op.getResult().replaceAllUsesWith(constant);
    op.erase();
  }
}

void Integerizer::run() {
  SmallVector<qd::QuantizeOp> islands;
  for (Block *block : programBlocks(function))
    llvm::append_range(islands, block->getOps<qd::QuantizeOp>());
  for (qd::QuantizeOp quantize : islands)
    rewrite(quantize);
  eraseDead();
  SmallVector<linalg::LinalgOp> rest;
  for (Block *block : programBlocks(function))
    llvm::append_range(rest, block->getOps<linalg::LinalgOp>());
  for (linalg::LinalgOp op : rest)
    rewriteUnrounded(op);
  eraseDead();
  markFallbacks();
  readTables();
  dequantizeConstants();
  eraseDead();
}

struct IntegerizePass : public impl::IntegerizePassBase<IntegerizePass> {
  using IntegerizePassBase::IntegerizePassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (rescale != "float" && rescale != "dyadic") {
      function.emitError("unknown rescale mode '")
          << rescale << "', expected 'float' or 'dyadic'";
      return signalPassFailure();
    }
    if (function.isExternal())
      return;
    Integerizer integerizer(function, rescale == "dyadic");
    integerizer.run();
    function->setAttr(qd::kRescaleAttr,
                      StringAttr::get(&getContext(), rescale));
    numTables += integerizer.made[static_cast<int>(Family::Table)];
    numContractions += integerizer.made[static_cast<int>(Family::Contraction)];
    numPools += integerizer.made[static_cast<int>(Family::Pool)];
    numElementwise += integerizer.made[static_cast<int>(Family::Elementwise)];
    numFallbacks += integerizer.fallbacks;
    numNonlinear += integerizer.made[static_cast<int>(Family::Nonlinear)];
    numTableReads += integerizer.tables;
  }
};

} // namespace
} // namespace qdialect

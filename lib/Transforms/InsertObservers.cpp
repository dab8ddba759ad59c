// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Marks each activation that a recipe quantizes:
//
//   %y = linalg.conv_2d_nhwc_hwcf ...       %y = ...
//   %z = linalg.generic (bias, relu) %y     %z = linalg.generic %y
//                                           %o = qd.observe %z "relu1"
//
// Observed are the results that units (QuantizableUnits.h) round and what
// integer units read, at its source: max pools, reshapes, transposes, slices
// and pads keep the grid, so nothing stands behind them. What a float op made
// is rounded for the integer units among its readers alone, its slices each for
// theirs. Who chooses scales at run time needs no observer, but for channels
// that stay float.

#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Recipe.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizationPlan.h"
#include "SplitOutliers.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

#define DEBUG_TYPE "qd-insert-observers"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_INSERTOBSERVERSPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// Are the numbers those of codes, perhaps rearranged?
bool readsDequantized(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<qd::DequantizeOp>(op))
      return true;
    if (!keepsGrid(op))
      break;
    value = op->getOperand(0);
  }
  return false;
}

/// Has somebody quantized an activation or a weight of this program already?
bool isQuantized(func::FuncOp function) {
  for (Block *block : programBlocks(function))
    for (Operation &op : *block) {
      if (auto quantize = dyn_cast<qd::QuantizeOp>(op))
        if (!isComputedFromConstants(quantize.getInput()))
          return true;
      if (isa<qd::ChooseParamsOp>(op))
        return true;
      auto contraction = dyn_cast<linalg::LinalgOp>(op);
      std::optional<ContractionStructure> s;
      if (contraction && (s = getContractionStructure(contraction)) &&
          (getElementTypeOrSelf(op.getResult(0).getType()).isInteger() ||
           readsDequantized(op.getOperand(s->weightOperand))))
        return true;
    }
  return false;
}

struct InsertObservers : impl::InsertObserversPassBase<InsertObservers> {
  using InsertObserversPassBase::InsertObserversPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    llvm::Expected<Recipe> loaded = Recipe::load(recipe);
    if (!loaded) {
      function.emitError() << llvm::toString(loaded.takeError());
      return signalPassFailure();
    }
    // A model that comes with its own casts keeps them.
    if (isQuantized(function))
      return;
    if (hasObservers(function)) {
      function.emitError() << "has observers already";
      return signalPassFailure();
    }
    function->setAttr(qd::kProgramAttr,
                      StringAttr::get(&getContext(), programDigest(function)));
    QuantizationPlan plan(function, *loaded);
    llvm::SetVector<Value> values;
    for (const PlannedUnit &planned : plan.units) {
      if (!planned.isInteger) {
        ++numKeptFloat;
        continue;
      }
      if (!planned.isDynamic)
        for (Value input : planned.unit.inputs)
          if (Value source = roundedSource(input, plan);
              !isComputedFromConstants(source))
            values.insert(source);
      if (planned.roundsResult)
        values.insert(planned.unit.result());
    }
    for (Value value : values)
      observe(value, plan);
    for (const PlannedUnit &planned : plan.units)
      if (planned.findsOutliers() && canSplitOutliers(planned.unit))
        observeChannels(activationOf(planned.unit));
  }

  /// The activation of a product whose scales are chosen at run time, as the
  /// product reads it: which of its channels stay float is asked before.
  void observeChannels(OpOperand &operand) {
    Value value = operand.get();
    if (value.getDefiningOp<qd::ObserveOp>())
      return;
    qd::ObserveOp &op = channelObservers[value];
    if (!op) {
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfterValue(value);
      op = qd::ObserveOp::create(builder, value.getLoc(), value.getType(),
                                 value, uniqueName(value));
      ++numObserved;
    }
    operand.set(op.getResult());
  }

  /// What is rounded for an integer reader of `value`. The parts of a tensor in
  /// floats (the states of a recurrent layer in one input) have ranges of their
  /// own.
  static Value roundedSource(Value value, const QuantizationPlan &plan) {
    Value source = gridSource(value);
    if (plan.isRounded(source))
      return source;
    while (value != source && !value.getDefiningOp<tensor::ExtractSliceOp>())
      value = value.getDefiningOp()->getOperand(0);
    return value;
  }

  void observe(Value value, const QuantizationPlan &plan) {
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(value);
    auto op = qd::ObserveOp::create(builder, value.getLoc(), value.getType(),
                                    value, uniqueName(value));
    // Sizes are asked of the value itself.
    if (plan.isRounded(value))
      value.replaceUsesWithIf(op.getResult(), [&](OpOperand &use) {
        return use.getOwner() != op && !isa<tensor::DimOp>(use.getOwner());
      });
    else
      redirect(value, op.getResult(), plan);
    ++numObserved;
  }

  /// Lets the integer readers of `value` read `observed`, through copies of the
  /// grid-keeping ops that float ops read, too.
  static void redirect(Value value, Value observed,
                       const QuantizationPlan &plan) {
    for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
      Operation *user = use.getOwner();
      if (user == observed.getDefiningOp())
        continue;
      if (plan.isIntegerUse(use)) {
        use.set(observed);
      } else if (keepsGrid(user) && use.getOperandNumber() == 0 &&
                 plan.isWanted(user->getResult(0))) {
        OpBuilder builder(user);
        builder.setInsertionPointAfter(user);
        Operation *copy = builder.clone(*user);
        copy->setOperand(0, observed);
        redirect(user->getResult(0), copy->getResult(0), plan);
        if (user->use_empty())
          user->erase();
      }
    }
  }

  /// The name of `value`, or of what a reshape that alone reads it makes of it:
  /// importers name the last op of a node.
  static StringRef nearestName(Value value) {
    StringRef name = valueName(value);
    while (name.empty() && value.hasOneUse()) {
      Operation *user = *value.getUsers().begin();
      if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(user))
        break;
      value = user->getResult(0);
      name = valueName(value);
    }
    return name;
  }

  std::string uniqueName(Value value) {
    std::string base = nearestName(value).str();
    if (base.empty())
      base = "value" + std::to_string(nextNumber++);
    std::string name = base;
    for (unsigned i = 2; !names.insert(name).second; ++i)
      name = base + "#" + std::to_string(i);
    return name;
  }

  llvm::DenseMap<Value, qd::ObserveOp> channelObservers;
  llvm::StringSet<> names;
  unsigned nextNumber = 0;
};

} // namespace
} // namespace qdialect

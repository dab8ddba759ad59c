// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Demand for codes, from the results of the program backwards.

#include "QuantizationPlan.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Smoothing.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

/// Is the activation of a contraction beyond what equalization helps?
static bool exceedsStaticGrids(const QuantizableUnit &unit,
                               const Recipe &recipe,
                               const Statistics *statistics) {
  if (!statistics || !recipe.smoothing ||
      recipe.smoothing->method != SmoothingMethod::Log)
    return false;
  Value activation = cast<linalg::LinalgOp>(unit.root)
                         .getDpsInputs()[unit.contraction->activationOperand];
  auto observe = gridSource(activation).getDefiningOp<qd::ObserveOp>();
  const ValueStatistics *values =
      observe ? statistics->lookup(observe.getValueName()) : nullptr;
  return values && values->absMax() >= kLogTo;
}

bool isMatrixProduct(const QuantizableUnit &unit) {
  return unit.contraction && unit.contraction->weightIsConstant &&
         unit.contraction->kind == ContractionStructure::Kind::Matmul &&
         unit.contraction->weightMap.getNumResults() == 2 &&
         unit.contraction->inputChannel.size() == 1;
}

void warnOfUnmatchedRules(func::FuncOp function, const Recipe &recipe) {
  SmallVector<StringRef> names;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name = function.getArgAttrOfType<StringAttr>(i, qd::kNameAttr))
      names.push_back(name.getValue());
  function.walk([&](Operation *op) {
    if (auto name = op->getAttrOfType<StringAttr>(qd::kNameAttr))
      names.push_back(name.getValue());
    if (auto observe = dyn_cast<qd::ObserveOp>(op))
      names.push_back(observe.getValueName());
  });
  for (const LayerRule &rule : recipe.layers) {
    // Kinds may lack in a model that the recipe was not written for.
    StringRef match = rule.match;
    if (match.starts_with("kind:") || rule.matches(names, ""))
      continue;
    InFlightDiagnostic warning = function.emitWarning()
                                 << "recipe '" << recipe.name << "': rule '"
                                 << match << "' matches nothing";
    auto *nearest = llvm::min_element(names, [&](StringRef a, StringRef b) {
      return a.edit_distance(match) < b.edit_distance(match);
    });
    if (nearest != names.end())
      warning << ", the nearest name is '" << *nearest << "'";
  }
}

QuantizationPlan::QuantizationPlan(func::FuncOp function, const Recipe &recipe,
                                   const Statistics *statistics) {
  bool hasFine =
      recipe.nonlinearities && recipe.nonlinearities->format.bits > 8;
  for (QuantizableUnit &unit :
       collectUnits(function, recipe.nonlinearities.has_value())) {
    LayerRecipe layer = recipe.layer(unit.names(), unit.kind);
    for (Operation *op : unit.ops)
      unitOf[op] = units.size();
    // What a payload reads belongs to the unit.
    unit.root->walk(
        [&](tensor::ExtractOp read) { unitOf[read] = units.size(); });
    bool isDynamic = unit.contraction && unit.contraction->weightIsConstant &&
                     !unit.contraction->isConvolution() &&
                     (layer.activations.isDynamic() ||
                      exceedsStaticGrids(unit, recipe, statistics));
    // Minifloats are operands of matrix products with constant weights alone.
    if (layer.activations.format.minifloat && !isMatrixProduct(unit))
      layer.keepFloat = true;
    units.push_back({std::move(unit), layer, false, false, isDynamic});
  }
  // Users come after what they use: one sweep sees every demand.
  auto visit = [&](Value value) {
    wanted[value] = llvm::any_of(value.getUses(),
                                 [&](OpOperand &use) { return wants(use); });
    if (hasFine)
      fine[value] = llvm::any_of(
          value.getUses(), [&](OpOperand &use) { return wantsFine(use); });
  };
  std::function<void(Block &)> plan = [&](Block &block) {
    for (Operation &op : llvm::reverse(block)) {
      // What a loop or branch reads from outside is read behind it at the
      // earliest.
      if (isProgramRegion(&op))
        for (Region &region : op.getRegions())
          plan(region.front());
      for (Value result : op.getResults())
        visit(result);
      auto found = unitOf.find(&op);
      if (found == unitOf.end())
        continue;
      PlannedUnit &planned = units[found->second];
      if (planned.unit.ops.back() != &op || planned.layer.keepFloat ||
          planned.layer.isWeightOnly())
        continue;
      Value result = planned.unit.result();
      planned.roundsResult = wanted[result];
      planned.isInteger = planned.unit.contraction || planned.roundsResult;
      if (planned.roundsResult)
        rounded.insert(result);
    }
    for (Value argument : block.getArguments())
      visit(argument);
  };
  plan(function.getBody().front());
}

bool QuantizationPlan::setsResult(const PlannedUnit &planned) {
  return planned.roundsResult ||
         (planned.layer.keepFloat && !planned.layer.activations.format.isFloat);
}

llvm::DenseMap<Value, TensorRecipe>
QuantizationPlan::activationRecipes(const Recipe &recipe) const {
  llvm::DenseMap<Value, TensorRecipe> result;
  for (const PlannedUnit &planned : units)
    if (setsResult(planned))
      result[planned.unit.result()] = planned.layer.activations;
  for (const PlannedUnit &planned : units)
    for (Value input : planned.unit.inputs) {
      auto observe = gridSource(input).getDefiningOp<qd::ObserveOp>();
      if (!planned.isInteger || !observe || result.contains(observe.getInput()))
        continue;
      SmallVector<StringRef> names = planned.unit.names();
      names.push_back(observe.getValueName());
      result[observe.getInput()] =
          recipe.layer(names, planned.unit.kind).activations;
    }
  return result;
}

bool QuantizationPlan::isIntegerUse(OpOperand &use) const {
  auto found = unitOf.find(use.getOwner());
  if (found == unitOf.end())
    return false;
  const PlannedUnit &planned = units[found->second];
  bool isRead = planned.unit.root == use.getOwner() ||
                planned.unit.root == use.getOwner()->getParentOp();
  return planned.isInteger && !planned.isDynamic && isRead &&
         llvm::is_contained(planned.unit.inputs, use.get());
}

/// Does the program return what `use` reads, perhaps in another precision?
static bool isReturned(OpOperand &use) {
  Operation *user = use.getOwner();
  return isa<func::ReturnOp>(user) ||
         (isFloatConversion(user) &&
          llvm::any_of(user->getResult(0).getUsers(), [](Operation *next) {
            return isa<func::ReturnOp>(next);
          }));
}

bool QuantizationPlan::wants(OpOperand &use) const {
  Operation *user = use.getOwner();
  if (isReturned(use)) {
    Value source = gridSource(use.get());
    if (auto observe = source.getDefiningOp<qd::ObserveOp>())
      source = observe.getInput();
    // Gathering what float ops make is no reason to put it on one grid.
    if (auto concat = source.getDefiningOp<tensor::ConcatOp>())
      return llvm::any_of(concat.getInputs(), [&](Value part) {
        Operation *maker = gridSource(part).getDefiningOp();
        return unitOf.contains(maker) || isa_and_nonnull<qd::ObserveOp>(maker);
      });
    // The sums of scales made at run time are floats, those of floats, too.
    auto maker = unitOf.find(source.getDefiningOp());
    return maker != unitOf.end() && !units[maker->second].isDynamic &&
           !units[maker->second].layer.givesFloats();
  }
  if (isa<qd::ObserveOp>(user) || keepsGrid(user))
    return use.getOperandNumber() == 0 && isWanted(user->getResult(0));
  return isIntegerUse(use);
}

/// Functions whose argument a byte is too coarse for.
static bool isNonlinear(const QuantizableUnit &unit) {
  return unit.kind == "softmax" || unit.kind == "layer_norm" ||
         unit.kind == "rms_norm" || unit.kind == "gelu" ||
         unit.kind == "silu" || unit.kind == "unary" || unit.kind == "resize";
}

bool QuantizationPlan::wantsFine(OpOperand &use) const {
  Operation *user = use.getOwner();
  if (isReturned(use)) {
    // A norm's own rounding is the only one that its result sees.
    Value source = gridSource(use.get());
    if (auto observe = source.getDefiningOp<qd::ObserveOp>())
      source = observe.getInput();
    auto maker = unitOf.find(source.getDefiningOp());
    return maker != unitOf.end() && isNonlinear(units[maker->second].unit);
  }
  if (isa<qd::ObserveOp>(user) || keepsGrid(user))
    return use.getOperandNumber() == 0 && isFine(user->getResult(0));
  if (!isIntegerUse(use))
    return false;
  const QuantizableUnit &unit = units[unitOf.lookup(user)].unit;
  if (unit.contraction)
    return false;
  return isNonlinear(unit) || isFine(unit.result());
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The quantizer's own plan, read as a space of choices.

#include "QDialect/Transforms/SearchSpace.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QuantizationPlan.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace qdialect {
namespace {

/// The name by which a rule finds the unit: that of its root if it has one.
StringRef ruleName(const QuantizableUnit &unit) {
  SmallVector<StringRef> names = unit.names();
  return names.empty() ? StringRef() : names.front();
}

/// A value whose format a rule of a recipe sets.
struct Grid {
  StringRef name; ///< by which a rule finds it
  unsigned bits;
  const QuantizableUnit *maker; ///< null for what no unit makes
};

class SpaceFinder {
public:
  SpaceFinder(func::FuncOp function, const Recipe &recipe)
      : plan(function, recipe) {
    findGrids(recipe);
  }

  SearchSpace find() {
    joinConcatenated();
    for (const PlannedUnit &planned : plan.units)
      if (planned.isInteger && planned.unit.contraction &&
          planned.unit.contraction->weightIsConstant)
        addLayer(planned);
    return std::move(space);
  }

private:
  /// A value gets its format by the rule of the unit that makes it, else by its
  /// own name. No rule finds what a nameless unit makes.
  void findGrids(const Recipe &recipe) {
    llvm::DenseMap<Value, TensorRecipe> recipes =
        plan.activationRecipes(recipe);
    for (const PlannedUnit &planned : plan.units)
      if (QuantizationPlan::setsResult(planned)) {
        Value made = planned.unit.result();
        grids[made] = {ruleName(planned.unit), recipes.at(made).format.bits,
                       &planned.unit};
      }
    for (const PlannedUnit &planned : plan.units)
      for (Value input : planned.unit.inputs) {
        auto observe = gridSource(input).getDefiningOp<qd::ObserveOp>();
        if (!observe || grids.contains(observe.getInput()))
          continue;
        auto found = recipes.find(observe.getInput());
        if (found != recipes.end() && !found->second.format.isFloat)
          grids[observe.getInput()] = {observe.getValueName(),
                                       found->second.format.bits, nullptr};
      }
    grids.remove_if(
        [](const auto &entry) { return entry.second.name.empty(); });
  }

  /// The value whose grid `value` has; null where no rule finds it.
  Value gridOf(Value value) const {
    auto observe = gridSource(value).getDefiningOp<qd::ObserveOp>();
    return observe && grids.contains(observe.getInput()) ? observe.getInput()
                                                         : Value();
  }

  void joinConcatenated() {
    for (const auto &[value, grid] : grids)
      joined.insert(value.getAsOpaquePointer());
    for (const auto &[value, grid] : grids)
      if (grid.maker && grid.maker->kind == "concat")
        for (Value input : grid.maker->inputs)
          if (Value part = gridOf(input))
            joined.unionSets(value.getAsOpaquePointer(),
                             part.getAsOpaquePointer());
  }

  /// The number of a value's grid, which lists its names when it is first met.
  unsigned gridNumber(Value value) {
    const void *leader = joined.getLeaderValue(value.getAsOpaquePointer());
    auto [entry, isNew] = numberOf.try_emplace(leader, space.grids.size());
    if (isNew) {
      std::vector<std::string> &names = space.grids.emplace_back();
      for (const auto &[made, grid] : grids)
        if (joined.getLeaderValue(made.getAsOpaquePointer()) == leader)
          names.push_back(grid.name.str());
    }
    return entry->second;
  }

  void addLayer(const PlannedUnit &planned) {
    const QuantizableUnit &unit = planned.unit;
    std::optional<ConstantView> weights =
        constantView(weightOperand(unit.root).get());
    if (!weights || weights->dtype != DType::F32)
      return;
    StringRef name = ruleName(unit);
    if (name.empty()) {
      ++space.numNameless;
      return;
    }
    SearchSpace::Layer layer;
    layer.name = name.str();
    layer.kind = unit.kind.str();
    layer.weightBits = planned.layer.weights.format.bits;
    layer.activationBits = planned.layer.activations.format.bits;
    layer.macs = timesRun(unit.root);
    for (int64_t size : unit.contraction->loopSizes)
      layer.macs *= ShapedType::isDynamic(size) ? 1 : size;
    if (Value grid = planned.isDynamic ? Value() : gridOf(unit.inputs[0])) {
      layer.grid = gridNumber(grid);
      layer.activationBits = grids.lookup(grid).bits;
    }
    space.layers.push_back(std::move(layer));
  }

  QuantizationPlan plan;
  llvm::MapVector<Value, Grid> grids;
  llvm::EquivalenceClasses<const void *> joined;
  llvm::DenseMap<const void *, unsigned> numberOf;
  SearchSpace space;
};

} // namespace

SearchSpace findSearchSpace(func::FuncOp function, const Recipe &recipe) {
  return SpaceFinder(function, recipe).find();
}

Operation *findLayer(func::FuncOp function, StringRef name) {
  for (const QuantizableUnit &unit : collectUnits(function))
    if (unit.contraction && llvm::is_contained(unit.names(), name))
      return unit.root;
  return nullptr;
}

OpOperand &weightOperand(Operation *layer) {
  auto op = cast<linalg::LinalgOp>(layer);
  return *op.getDpsInputOperand(getContractionStructure(op)->weightOperand);
}

} // namespace qdialect

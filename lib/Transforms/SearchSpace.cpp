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

class SpaceFinder {
public:
  SpaceFinder(func::FuncOp function, const Recipe &recipe)
      : plan(function, recipe) {}

  SearchSpace find() {
    findMakers();
    joinConcatenated();
    for (const PlannedUnit &planned : plan.units)
      if (planned.isInteger && planned.unit.contraction &&
          planned.unit.contraction->weightIsConstant)
        addLayer(planned);
    return std::move(space);
  }

private:
  /// A grid gets its format by the rule of the unit that makes the value.
  void findMakers() {
    for (const PlannedUnit &planned : plan.units)
      if ((planned.roundsResult || planned.layer.keepFloat) &&
          !ruleName(planned.unit).empty())
        makerOf[planned.unit.result()] = &planned;
  }

  /// The value whose grid `value` has; null where no unit makes it.
  Value gridOf(Value value) const {
    auto observe = gridSource(value).getDefiningOp<qd::ObserveOp>();
    if (!observe || !makerOf.contains(observe.getInput()))
      return {};
    return observe.getInput();
  }

  void joinConcatenated() {
    for (const auto &[value, maker] : makerOf)
      joined.insert(value.getAsOpaquePointer());
    for (const auto &[value, maker] : makerOf)
      if (maker->unit.kind == "concat")
        for (Value input : maker->unit.inputs)
          if (Value grid = gridOf(input))
            joined.unionSets(value.getAsOpaquePointer(),
                             grid.getAsOpaquePointer());
  }

  /// The number of a value's grid, which lists its makers when it is first met.
  unsigned gridNumber(Value value) {
    const void *leader = joined.getLeaderValue(value.getAsOpaquePointer());
    auto [entry, isNew] = numberOf.try_emplace(leader, space.grids.size());
    if (isNew) {
      std::vector<std::string> &makers = space.grids.emplace_back();
      for (const auto &[made, maker] : makerOf)
        if (joined.getLeaderValue(made.getAsOpaquePointer()) == leader)
          makers.push_back(ruleName(maker->unit).str());
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
      layer.activationBits =
          makerOf.lookup(grid)->layer.activations.format.bits;
    }
    space.layers.push_back(std::move(layer));
  }

  QuantizationPlan plan;
  llvm::MapVector<Value, const PlannedUnit *> makerOf;
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

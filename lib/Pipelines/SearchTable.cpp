// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Costs come from one program for each choice, in which every layer has it.
// Losses come from one program for each layer and width: the reference, all of
// whose layers have the largest widths that may be chosen, but for one layer's
// weights (or one grid). A choice loses what its weights lose and its share of
// what its grid loses.

#include "SearchTable.h"

#include "LayerCosts.h"
#include "QDialect/Search/PlanRecipe.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/SearchSpace.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include <chrono>
#include <map>

using namespace mlir;

namespace qdialect {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

class TableMaker {
public:
  TableMaker(VariantRunner &runner, const Recipe &recipe,
             const SearchRequest &request, llvm::raw_ostream *log)
      : runner(runner), recipe(recipe), request(request), log(log) {
    for (Precision precision : request.choices) {
      widest.weightBits = std::max(widest.weightBits, precision.weightBits);
      widest.activationBits =
          std::max(widest.activationBits, precision.activationBits);
    }
  }

  llvm::Expected<CostTable> make(llvm::StringRef calibration);

private:
  llvm::Error findChoices();
  llvm::Error measureCosts(llvm::StringRef calibration);
  llvm::Error measureLosses();
  llvm::Error measureByOutputs();
  llvm::Error measureByCurvature();
  /// The choice that `wanted` is to a layer whose grid may be fixed.
  unsigned choiceOf(unsigned layer, Precision wanted) const;
  Recipe withRules(std::vector<LayerRule> rules) const;
  /// All layers and grids at the largest widths.
  Recipe reference() const;
  std::vector<unsigned> widths(unsigned Precision::*width) const;

  VariantRunner &runner;
  const Recipe &recipe;
  const SearchRequest &request;
  llvm::raw_ostream *log;
  Precision widest{0, 0};
  CostTable table;
  /// What the recipe gives the activation of each layer.
  std::vector<unsigned> fixedBits;
};

Recipe TableMaker::withRules(std::vector<LayerRule> rules) const {
  Recipe result = recipe;
  llvm::append_range(result.layers, rules);
  return result;
}

Recipe TableMaker::reference() const {
  std::vector<LayerRule> rules;
  for (const CostTable::Layer &layer : table.layers)
    rules.push_back(weightRule(layer.name, widest.weightBits, recipe));
  for (const std::vector<std::string> &makers : table.grids)
    for (llvm::StringRef maker : makers)
      rules.push_back(activationRule(maker, widest.activationBits, recipe));
  return withRules(std::move(rules));
}

/// The widths that may be chosen, less the largest.
std::vector<unsigned> TableMaker::widths(unsigned Precision::*width) const {
  std::vector<unsigned> result;
  for (Precision precision : request.choices)
    if (precision.*width != widest.*width)
      result.push_back(precision.*width);
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}

unsigned TableMaker::choiceOf(unsigned layer, Precision wanted) const {
  if (!table.layers[layer].grid)
    wanted.activationBits = fixedBits[layer];
  return table.layers[layer].find(wanted) - table.layers[layer].choices.data();
}

llvm::Error TableMaker::findChoices() {
  auto main = runner.program().lookupSymbol<func::FuncOp>("main");
  SearchSpace space = findSearchSpace(main, recipe);
  if (space.layers.empty())
    return failure("there is nothing to search: no layer with constant weights "
                   "is integer by this recipe");
  if (log && space.numNameless)
    *log << "note: " << space.numNameless
         << " layers have no name, no rule can find them: they stay as the "
            "recipe says\n";
  table.grids = std::move(space.grids);
  llvm::StringMap<unsigned> first;
  for (SearchSpace::Layer &found : space.layers) {
    CostTable::Layer layer;
    layer.name = found.name;
    layer.kind = found.kind;
    layer.grid = found.grid;
    for (Precision precision : request.choices) {
      if (!layer.grid)
        precision.activationBits = found.activationBits;
      CostTable::Choice choice;
      choice.precision = precision;
      choice.costs[static_cast<unsigned>(Resource::Bops)] =
          static_cast<double>(found.macs) * precision.weightBits *
          precision.activationBits;
      if (!layer.find(precision))
        layer.choices.push_back(choice);
    }
    llvm::sort(layer.choices, [](const auto &a, const auto &b) {
      return a.precision < b.precision;
    });
    fixedBits.push_back(found.activationBits);
    // One rule finds all layers of a name.
    unsigned number = table.layers.size();
    auto [entry, isNew] = first.try_emplace(layer.name, number);
    if (!isNew)
      table.ties.push_back({entry->second, number});
    table.layers.push_back(std::move(layer));
  }
  return llvm::Error::success();
}

llvm::Error TableMaker::measureCosts(llvm::StringRef calibration) {
  SearchProgress progress(log, "costs", request.choices.size());
  std::vector<std::unique_ptr<Executor>> executors;
  std::vector<MeasuredProgram> programs;
  LoadOptions load;
  load.threads = table.threads;
  load.profile = true;
  for (Precision precision : request.choices) {
    MeasuredProgram program;
    for (unsigned layer = 0; layer < table.layers.size(); ++layer)
      program.choices.push_back(choiceOf(layer, precision));
    auto executor = runner.compile(
        withRules(planRules(table, program.choices, recipe)), load);
    if (!executor)
      return executor.takeError();
    executors.push_back(std::move(*executor));
    program.model = &executors.back()->model();
    programs.push_back(std::move(program));
    progress.step();
  }
  table.variant = programs.back().model->variant().str();
  if (llvm::Error error = runner.loadSamples(calibration, request.samples,
                                             *programs.back().model))
    return error;
  table.samples = runner.samples().size();
  return qdialect::measureCosts(table, programs, runner.samples());
}

llvm::Error TableMaker::measureByOutputs() {
  auto outputsOf =
      [&](const Recipe &variant) -> llvm::Expected<VariantRunner::Outputs> {
    auto executor = runner.compile(variant);
    if (!executor)
      return executor.takeError();
    return runner.run((*executor)->model());
  };
  Recipe base = reference();
  auto expected = outputsOf(base);
  if (!expected)
    return expected.takeError();
  if (request.metric == LossMetric::KL && !hasClasses(*expected))
    return failure("--search: metric=kl compares classes, and no output has "
                   "more than one; take sqnr or mse");
  auto lossWith = [&](std::vector<LayerRule> rules) -> llvm::Expected<double> {
    Recipe variant = base;
    llvm::append_range(variant.layers, rules);
    auto outputs = outputsOf(variant);
    if (!outputs)
      return outputs.takeError();
    return lossOf(request.metric, *expected, *outputs);
  };

  std::vector<unsigned> weights = widths(&Precision::weightBits),
                        activations = widths(&Precision::activationBits);
  std::vector<unsigned> readers(table.grids.size());
  for (const CostTable::Layer &layer : table.layers)
    if (layer.grid)
      ++readers[*layer.grid];
  SearchProgress progress(log, "sensitivities",
                          table.layers.size() * weights.size() +
                              table.grids.size() * activations.size());
  auto add = [&](CostTable::Layer &layer, unsigned Precision::*width,
                 unsigned bits, double loss) {
    for (CostTable::Choice &choice : layer.choices)
      if (choice.precision.*width == bits)
        choice.loss += loss;
  };
  for (CostTable::Layer &layer : table.layers)
    for (unsigned bits : weights) {
      auto loss = lossWith({weightRule(layer.name, bits, recipe)});
      if (!loss)
        return loss.takeError();
      add(layer, &Precision::weightBits, bits, *loss);
      progress.step();
    }
  for (auto [grid, makers] : llvm::enumerate(table.grids))
    for (unsigned bits : activations) {
      std::vector<LayerRule> rules;
      for (llvm::StringRef maker : makers)
        rules.push_back(activationRule(maker, bits, recipe));
      auto loss = lossWith(std::move(rules));
      if (!loss)
        return loss.takeError();
      for (CostTable::Layer &layer : table.layers)
        if (layer.grid == grid)
          add(layer, &Precision::activationBits, bits, *loss / readers[grid]);
      progress.step();
    }
  return llvm::Error::success();
}

llvm::Error TableMaker::measureByCurvature() {
  if (!widths(&Precision::activationBits).empty())
    return failure("--search: metric=hessian knows of weights alone, and "
                   "choices= has several widths of activations");
  auto curvatures = measureCurvatures(runner, table, request.probes, log);
  if (!curvatures)
    return curvatures.takeError();
  for (unsigned bits : widths(&Precision::weightBits)) {
    std::vector<LayerRule> rules;
    for (const CostTable::Layer &layer : table.layers)
      rules.push_back(weightRule(layer.name, bits, recipe));
    auto distances =
        weightDistances(runner, table, reference(), withRules(rules));
    if (!distances)
      return distances.takeError();
    for (auto [layer, curvature, distance] :
         llvm::zip_equal(table.layers, *curvatures, *distances))
      for (CostTable::Choice &choice : layer.choices)
        if (choice.precision.weightBits == bits)
          choice.loss = curvature * distance;
  }
  return llvm::Error::success();
}

llvm::Expected<CostTable> TableMaker::make(llvm::StringRef calibration) {
  auto main = runner.program().lookupSymbol<func::FuncOp>("main");
  table.program = getProgramDigest(main).str();
  table.recipe = recipe.name;
  table.metric = stringify(request.metric).str();
  table.threads = request.threads;
  if (llvm::Error error = findChoices())
    return std::move(error);
  if (llvm::Error error = measureCosts(calibration))
    return std::move(error);
  // A limit out of reach is said before the minutes that losses may take.
  if (auto any = choosePlan(table, request.absoluteLimits(table)); !any)
    return any.takeError();
  if (llvm::Error error = request.metric == LossMetric::Hessian
                              ? measureByCurvature()
                              : measureByOutputs())
    return std::move(error);
  return std::move(table);
}

int64_t nowMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

} // namespace

SearchProgress::SearchProgress(llvm::raw_ostream *log, llvm::StringRef what,
                               size_t total)
    : log(log), what(what.str()), total(total), lastReport(nowMilliseconds()) {}

void SearchProgress::step() {
  constexpr int64_t kPause = 2000;
  ++done;
  if (!log || nowMilliseconds() - lastReport < kPause)
    return;
  *log << "  search: " << what << " " << done << " of " << total << "\n";
  lastReport = nowMilliseconds();
}

llvm::Expected<CostTable> measureTable(VariantRunner &runner,
                                       const Recipe &recipe,
                                       const SearchRequest &request,
                                       llvm::StringRef calibration,
                                       llvm::raw_ostream *log) {
  return TableMaker(runner, recipe, request, log).make(calibration);
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Table, plan, proof: the plan is compiled and measured before it is handed on,
// and where a layer is slower among others than it was among its like, the
// search goes on with what was measured.

#include "PlanSearch.h"

#include "LayerCosts.h"
#include "QDialect/Search/FrontReport.h"
#include "QDialect/Search/IntegerProgram.h"
#include "QDialect/Search/PlanRecipe.h"
#include "QDialect/Transforms/Observers.h"
#include "SearchTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// Plans that are compiled and turn out to be slower than the limit.
constexpr int kMaxTrials = 4;

llvm::Error fail(ExitCode code, const llvm::Twine &message) {
  return llvm::make_error<CompileError>(code, message.str());
}

llvm::Error wrap(ExitCode code, llvm::Error error) {
  return fail(code, llvm::toString(std::move(error)));
}

llvm::Error writeText(llvm::StringRef path, llvm::StringRef text) {
  llvm::Error error =
      llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
        os << text;
        return llvm::Error::success();
      });
  if (!error)
    return error;
  return fail(ExitCode::Failure, "cannot write '" + path +
                                     "': " + llvm::toString(std::move(error)));
}

} // namespace

llvm::Error PlanSearch::check(const CompileOptions &options) {
  if (options.search.empty()) {
    for (auto [given, name] : {std::pair(&options.searchPlan, "--search-plan"),
                               {&options.searchTable, "--search-table"},
                               {&options.searchFront, "--search-front"}})
      if (!given->empty())
        return fail(ExitCode::Usage, llvm::Twine(name) + " without --search");
    return llvm::Error::success();
  }
  auto request = SearchRequest::parse(options.search);
  if (!request)
    return wrap(ExitCode::Usage, request.takeError());
  if (options.recipe == "float")
    return fail(ExitCode::Usage, "--search chooses among integers: give it a "
                                 "--recipe other than float");
  if (!hasIntegerProgramSolver())
    return wrap(ExitCode::Usage, solveIntegerProgram({}).takeError());
  if (options.calibration.empty() &&
      (options.searchTable.empty() ||
       !llvm::sys::fs::exists(options.searchTable)))
    return fail(ExitCode::Usage, "--search measures layers on samples: give "
                                 "--calibration PATH (or --search-table of an "
                                 "earlier search)");
  return llvm::Error::success();
}

std::string PlanSearch::beside(llvm::StringRef given,
                               llvm::StringRef extension) const {
  if (!given.empty())
    return given.str();
  llvm::SmallString<128> path(options.output);
  llvm::sys::path::replace_extension(path, extension);
  return path.str().str();
}

llvm::Error PlanSearch::measure(ModuleOp module, const Statistics &statistics,
                                llvm::StringRef rescale) {
  runner.emplace(module, statistics, rescale);
  auto main = module.lookupSymbol<func::FuncOp>("main");
  bool isKnown = !options.searchTable.empty() &&
                 llvm::sys::fs::exists(options.searchTable);
  auto found = isKnown ? CostTable::read(options.searchTable)
                       : measureTable(*runner, base, request,
                                      options.calibration, options.log);
  if (!found)
    return wrap(ExitCode::BadInput, found.takeError());
  table = std::move(*found);
  llvm::StringRef metric = stringify(request.metric);
  if (isKnown && (table.program != getProgramDigest(main) ||
                  table.recipe != base.name || table.metric != metric))
    return fail(ExitCode::BadInput, "table '" + options.searchTable +
                                        "' is of program " + table.program +
                                        ", recipe " + table.recipe +
                                        " and metric " + table.metric +
                                        ", not of " + getProgramDigest(main) +
                                        ", " + base.name + " and " + metric);
  if (!isKnown && !options.searchTable.empty())
    if (llvm::Error error = table.write(options.searchTable))
      return wrap(ExitCode::Failure, std::move(error));
  limits = request.absoluteLimits(table);
  if (options.calibration.empty())
    return llvm::Error::success();
  return loadReference();
}

llvm::Error PlanSearch::loadReference() {
  OwningOpRef<ModuleOp> copy(runner->program().clone());
  stripObservers(copy->lookupSymbol<func::FuncOp>("main"));
  auto executor = runner->compileFloat(*copy);
  if (!executor)
    return wrap(ExitCode::Failure, executor.takeError());
  if (runner->samples().empty())
    if (llvm::Error error = runner->loadSamples(
            options.calibration, request.samples, (*executor)->model()))
      return wrap(ExitCode::BadInput, std::move(error));
  auto outputs = runner->run((*executor)->model());
  if (!outputs)
    return wrap(ExitCode::Failure, outputs.takeError());
  reference = std::move(*outputs);
  return llvm::Error::success();
}

/// "sqnr 14.2 dB, kl 0.031, 7.21 ms" of a recipe's program, beside the float
/// one.
llvm::Expected<std::string> PlanSearch::report(const Recipe &recipe,
                                               const PrecisionPlan &plan,
                                               double &latency) {
  LoadOptions load;
  load.threads = table.threads;
  load.profile = true;
  auto executor = runner->compile(recipe, load);
  if (!executor)
    return executor.takeError();
  CompiledModel &model = (*executor)->model();
  auto outputs = runner->run(model);
  if (!outputs)
    return outputs.takeError();
  auto measured = measureLatency(model, table.threads, runner->samples());
  if (!measured)
    return measured.takeError();
  latency = *measured;
  std::string text;
  llvm::raw_string_ostream os(text);
  double noise = lossOf(LossMetric::SQNR, reference, *outputs);
  os << llvm::format("sqnr %.2f dB", -10 * std::log10(noise));
  if (hasClasses(reference))
    os << llvm::format(", kl %.4g",
                       lossOf(LossMetric::KL, reference, *outputs));
  os << ", " << format(Resource::Latency, latency) << " ("
     << format(Resource::Latency,
               plan.spent[static_cast<unsigned>(Resource::Latency)])
     << " predicted)";
  return text;
}

llvm::Error PlanSearch::solve(PrecisionPlan &plan, Recipe &recipe,
                              std::string &text) {
  auto solved = choosePlan(table, limits);
  if (!solved)
    return wrap(ExitCode::Usage, solved.takeError());
  plan = std::move(*solved);
  std::string path = beside(options.searchPlan, "plan.yaml");
  // Recipes find a base by its name, or by a path from where they lie.
  llvm::SmallString<128> baseName(options.recipe);
  if (llvm::none_of(embeddedRecipes(), [&](const EmbeddedRecipe &known) {
        return known.name == options.recipe;
      }))
    llvm::sys::fs::make_absolute(baseName);
  text = planRecipe(table, plan, base, baseName,
                    "Found by q-compile --search '" + options.search +
                        "'.\nEdit it and replay it with --recipe.");
  auto parsed = Recipe::parse(text, path);
  if (!parsed)
    return wrap(ExitCode::Failure, parsed.takeError());
  recipe = std::move(*parsed);
  return llvm::Error::success();
}

llvm::Expected<Recipe> PlanSearch::plan() {
  constexpr unsigned size = static_cast<unsigned>(Resource::Size),
                     time = static_cast<unsigned>(Resource::Latency);
  PrecisionPlan plan;
  Recipe recipe;
  std::string text, measured;
  for (int trial = 1;; ++trial) {
    if (llvm::Error error = solve(plan, recipe, text))
      return std::move(error);
    if (reference.empty())
      break;
    double latency = 0;
    auto described = report(recipe, plan, latency);
    if (!described)
      return wrap(ExitCode::Failure, described.takeError());
    measured = std::move(*described);
    if (!limits[time] || latency <= *limits[time])
      break;
    if (trial == kMaxTrials) {
      log.note(
          "the plan takes " + format(Resource::Latency, latency) +
          ", more than latency <= " + format(Resource::Latency, *limits[time]));
      break;
    }
    table.rest[time] += latency - plan.spent[time];
  }
  predictedSize = plan.spent[size];
  std::string path = beside(options.searchPlan, "plan.yaml");
  if (llvm::Error error = writeText(path, text))
    return std::move(error);
  auto front = paretoFront(table, request.mainResource(), limits);
  if (!front)
    return wrap(ExitCode::Failure, front.takeError());
  if (!options.searchFront.empty())
    if (llvm::Error error = writeText(
            options.searchFront,
            frontPicture(table, *front, plan, request.mainResource())))
      return std::move(error);
  log.end(kPhase,
          llvm::Twine(table.layers.size()) + " layers, plan '" + path + "'");
  log.text(frontText(table, *front, plan));
  if (!measured.empty()) {
    auto widest = planRules(table, table.widestChoices(), base);
    Recipe wide = base;
    llvm::append_range(wide.layers, widest);
    PrecisionPlan all;
    all.spent = table.spent(table.widestChoices());
    double latency = 0;
    auto described = report(wide, all, latency);
    if (!described)
      return wrap(ExitCode::Failure, described.takeError());
    log.text("plan          " + measured + "\nwidest        " + *described +
             "\n");
  }
  return recipe;
}

bool PlanSearch::fits(int64_t fileBytes) {
  constexpr unsigned size = static_cast<unsigned>(Resource::Size);
  if (!limits[size] || fileBytes <= *limits[size])
    return true;
  table.rest[size] += fileBytes - predictedSize;
  log.note("the library has " +
           format(Resource::Size, static_cast<double>(fileBytes)) +
           ", more than size <= " + format(Resource::Size, *limits[size]) +
           ": the search goes on");
  return false;
}

} // namespace qdialect

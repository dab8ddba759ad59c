// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads, solves, reports.

#include "SolveTable.h"
#include "QDialect/Search/FrontReport.h"
#include "QDialect/Search/PlanRecipe.h"
#include "QDialect/Search/SearchRequest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/JSON.h"
#include <chrono>

using namespace llvm;
using namespace qdialect;

namespace {

enum Code { kSuccess = 0, kUsage = 1, kBadInput = 2, kUnwritable = 4 };

struct Failure {
  Code code;
  std::string message;
};

template <typename T>
T orFail(Expected<T> value, Code code, std::optional<Failure> &failure) {
  if (value)
    return std::move(*value);
  failure = {code, toString(value.takeError())};
  return T();
}

json::Value describe(const CostTable &table, const PrecisionPlan &plan,
                     double seconds) {
  json::Object choices, spent;
  for (auto [layer, choice] : zip_equal(table.layers, plan.choices))
    choices[json::fixUTF8(layer.name)] = layer.choices[choice].precision.str();
  for (unsigned r = 0; r < kNumResources; ++r)
    spent[stringify(static_cast<Resource>(r))] = plan.spent[r];
  return json::Object{{"loss", plan.loss},
                      {"seconds", seconds},
                      {"spent", std::move(spent)},
                      {"choices", std::move(choices)}};
}

class Solver {
public:
  Solver(const SolveTableOptions &options, raw_ostream &out)
      : options(options), out(out) {}

  std::optional<Failure> run() {
    auto request = orFail(SearchRequest::parse(options.search), kUsage, failed);
    if (!failed)
      table = orFail(CostTable::read(options.table), kBadInput, failed);
    if (!failed)
      solve(request);
    return failed;
  }

private:
  void solve(const SearchRequest &request) {
    using Clock = std::chrono::steady_clock;
    Limits limits = request.absoluteLimits(table);
    Clock::time_point begin = Clock::now();
    plan = orFail(choosePlan(table, limits), kUsage, failed);
    double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    if (!failed)
      write(options.json, [&](raw_ostream &os) {
        os << describe(table, plan, seconds) << "\n";
      });
    if (!failed && !options.plan.empty())
      writePlan();
    // Points of a front that nobody looks at would take longer than the plan.
    if (failed || (!options.json.empty() && options.front.empty()))
      return;
    auto front = orFail(paretoFront(table, request.mainResource(), limits),
                        kUsage, failed);
    if (failed)
      return;
    out << frontText(table, front, plan);
    write(options.front, [&](raw_ostream &os) {
      os << frontPicture(table, front, plan, request.mainResource());
    });
  }

  void writePlan() {
    std::string base = options.recipe.empty() ? table.recipe : options.recipe;
    Recipe recipe = orFail(Recipe::load(base), kBadInput, failed);
    if (!failed)
      write(options.plan, [&](raw_ostream &os) {
        os << planRecipe(table, plan, recipe, base,
                         "Found by q-search --search '" + options.search +
                             "'.\nEdit it and replay it with --recipe.");
      });
  }

  void write(StringRef path, function_ref<void(raw_ostream &)> print) {
    if (path.empty() || failed)
      return;
    Error error = writeToOutput(path, [&](raw_ostream &os) -> Error {
      print(os);
      return Error::success();
    });
    if (error)
      failed = {kUnwritable, ("cannot write '" + path + "': ").str() +
                                 toString(std::move(error))};
  }

  const SolveTableOptions &options;
  raw_ostream &out;
  CostTable table;
  PrecisionPlan plan;
  std::optional<Failure> failed;
};

} // namespace

int qdialect::solveTable(const SolveTableOptions &options, raw_ostream &out,
                         raw_ostream &errors) {
  std::optional<Failure> failure = Solver(options, out).run();
  if (!failure)
    return kSuccess;
  errors << "q-search: error: " << failure->message << "\n";
  return failure->code;
}

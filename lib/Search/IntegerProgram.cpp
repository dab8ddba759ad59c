// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between IntegerProgram.h and CBC's C interface.

#include "QDialect/Search/IntegerProgram.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#ifdef QDIALECT_HAS_CBC
#include <coin/Cbc_C_Interface.h>
#endif

using namespace qdialect;

/// Sums of doubles are exact to this much of their largest term.
static constexpr double kRounding = 1e-9;

bool IntegerProgram::Row::holds(const std::vector<char> &values) const {
  double sum = 0, largest = 0;
  for (const Term &term : terms) {
    sum += values[term.variable] ? term.factor : 0;
    largest = std::max(largest, std::fabs(term.factor));
  }
  for (double end : {low, high})
    if (std::isfinite(end))
      largest = std::max(largest, std::fabs(end));
  double slack = kRounding * largest;
  return sum >= low - slack && sum <= high + slack;
}

bool qdialect::hasIntegerProgramSolver() {
#ifdef QDIALECT_HAS_CBC
  return true;
#else
  return false;
#endif
}

#ifdef QDIALECT_HAS_CBC
namespace {

struct ModelDeleter {
  void operator()(Cbc_Model *model) const { Cbc_deleteModel(model); }
};

/// A power of two that brings `largest` to the order of `target`: scaling by it
/// rounds nothing, and the solver's absolute tolerances fit.
double scaleTo(double target, double largest) {
  return largest > 0 ? std::exp2(std::round(std::log2(target / largest))) : 1;
}

/// The rows as the columns that Cbc_loadProblem wants.
struct Columns {
  std::vector<int> starts, rows;
  std::vector<double> factors, rowLow, rowHigh;

  explicit Columns(const IntegerProgram &program) {
    struct Entry {
      int row;
      double factor;
    };
    std::vector<std::vector<Entry>> byColumn(program.costs.size());
    for (auto [number, row] : llvm::enumerate(program.rows)) {
      double largest = 0;
      for (const IntegerProgram::Term &term : row.terms)
        largest = std::max(largest, std::fabs(term.factor));
      double scale = scaleTo(1, largest);
      for (const IntegerProgram::Term &term : row.terms)
        byColumn[term.variable].push_back(
            {static_cast<int>(number), term.factor * scale});
      // The ends give way by what rounding of the sum may add.
      rowLow.push_back(row.low * scale - kRounding);
      rowHigh.push_back(row.high * scale + kRounding);
    }
    starts.push_back(0);
    for (const std::vector<Entry> &column : byColumn) {
      for (const Entry &entry : column) {
        rows.push_back(entry.row);
        factors.push_back(entry.factor);
      }
      starts.push_back(rows.size());
    }
  }
};

enum class Outcome { Optimal, Infeasible, GaveUp };

Outcome solveOnce(const IntegerProgram &program, std::vector<char> &values) {
  const int count = program.costs.size();
  double largest = 0;
  for (double cost : program.costs)
    largest = std::max(largest, std::fabs(cost));
  // Solutions that differ by 1e-5 of a unit count as equal to CBC.
  double scale = scaleTo(1e6, largest);
  std::vector<double> costs, low(count, 0), high(count, 1);
  for (double cost : program.costs)
    costs.push_back(cost * scale);
  Columns columns(program);

  std::unique_ptr<Cbc_Model, ModelDeleter> model(Cbc_newModel());
  Cbc_loadProblem(model.get(), count, program.rows.size(),
                  columns.starts.data(), columns.rows.data(),
                  columns.factors.data(), low.data(), high.data(), costs.data(),
                  columns.rowLow.data(), columns.rowHigh.data());
  for (int variable = 0; variable < count; ++variable)
    Cbc_setInteger(model.get(), variable);
  Cbc_setObjSense(model.get(), 1);
  Cbc_setLogLevel(model.get(), 0);
  // Preprocessing loses optima (coin-or/Cbc issues 283, 293 and 449; a table of
  // seven layers did in 2.10.8), and so may probing, which it is made of.
  for (auto [name, value] : {std::pair("log", "0"),
                             {"ratioGap", "0"},
                             {"allowableGap", "0"},
                             {"preprocess", "off"},
                             {"probingCuts", "off"}})
    Cbc_setParameter(model.get(), name, value);
  Cbc_solve(model.get());
  if (Cbc_isProvenInfeasible(model.get()))
    return Outcome::Infeasible;
  if (!Cbc_isProvenOptimal(model.get()))
    return Outcome::GaveUp;
  const double *solution = Cbc_getColSolution(model.get());
  values.assign(count, 0);
  for (int variable = 0; variable < count; ++variable)
    values[variable] = solution[variable] > 0.5;
  return Outcome::Optimal;
}

/// Forbids one assignment of all variables.
IntegerProgram::Row cutOff(const std::vector<char> &values) {
  IntegerProgram::Row row;
  double ones = 0;
  for (auto [variable, value] : llvm::enumerate(values)) {
    row.terms.push_back({static_cast<int>(variable), value ? -1.0 : 1.0});
    ones += value;
  }
  row.low = 1 - ones;
  return row;
}

double costOf(const IntegerProgram &program, const std::vector<char> &values) {
  double cost = 0;
  for (auto [variable, value] : llvm::enumerate(values))
    cost += value ? program.costs[variable] : 0;
  return cost;
}

/// Demands a cost below `cost`, by more than the solver's tolerance.
IntegerProgram::Row lessThan(const IntegerProgram &program, double cost) {
  constexpr double kTolerance = 2e-6;
  IntegerProgram::Row row;
  double largest = 0;
  for (auto [variable, factor] : llvm::enumerate(program.costs)) {
    row.terms.push_back({static_cast<int>(variable), factor});
    largest = std::max(largest, std::fabs(factor));
  }
  row.high = cost - kTolerance * largest;
  return row;
}

} // namespace
#endif

llvm::Expected<std::optional<std::vector<char>>>
qdialect::solveIntegerProgram(IntegerProgram program) {
#ifdef QDIALECT_HAS_CBC
  if (program.costs.empty()) {
    std::vector<char> none;
    bool allowed = llvm::all_of(
        program.rows, [&](const auto &row) { return row.holds(none); });
    return allowed ? std::optional(none) : std::nullopt;
  }
  /// More answers than this that hold by tolerance alone are no accident.
  constexpr int kMaxCuts = 64;
  const size_t numRows = program.rows.size();
  std::optional<std::vector<char>> best;
  for (int cuts = 0; cuts <= kMaxCuts; ++cuts) {
    std::vector<char> values;
    Outcome outcome = solveOnce(program, values);
    if (outcome == Outcome::Infeasible)
      return best;
    if (outcome == Outcome::GaveUp)
      break;
    program.rows.push_back(cutOff(values));
    bool isAllowed =
        llvm::all_of(llvm::ArrayRef(program.rows).take_front(numRows),
                     [&](const auto &row) { return row.holds(values); });
    if (!isAllowed ||
        (best && costOf(program, values) >= costOf(program, *best)))
      continue;
    best = std::move(values);
    if (llvm::all_of(program.costs, [](double cost) { return cost == 0; }))
      return best;
    // Optimal, says the solver: it is asked for something better.
    program.rows.push_back(lessThan(program, costOf(program, *best)));
  }
  return llvm::createStringError("the integer program was not solved");
#else
  return llvm::createStringError(
      "this build has no solver for integer programs: install COIN-OR CBC "
      "(Debian: coinor-libcbc-dev) and build again");
#endif
}

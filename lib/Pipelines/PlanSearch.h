// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `q-compile --search`: from a calibrated program and a request to a recipe.

#ifndef QDIALECT_LIB_PIPELINES_PLANSEARCH_H
#define QDIALECT_LIB_PIPELINES_PLANSEARCH_H

#include "QDialect/Pipelines/Compiler.h"
#include "QDialect/Search/SearchRequest.h"
#include "Summary.h"
#include "VariantRunner.h"

namespace qdialect {

class PlanSearch {
public:
  /// What is wrong with the options of a search, before any work.
  static llvm::Error check(const CompileOptions &options);

  PlanSearch(const CompileOptions &options, SearchRequest request,
             const Recipe &base, PhaseLog &log)
      : options(options), request(std::move(request)), base(base), log(log) {}

  /// Measures the program, or reads the table of an earlier search. `module`
  /// has its observers; it and the statistics must outlive the search.
  llvm::Error measure(mlir::ModuleOp module, const Statistics &statistics,
                      llvm::StringRef rescale);
  /// Solves, writes plan and front, and returns the plan as a recipe.
  llvm::Expected<Recipe> plan();
  /// Is a library of so many bytes within the limit? If it is not, the next
  /// plan leaves room for what this one was too large by.
  bool fits(int64_t fileBytes);

  static constexpr llvm::StringLiteral kPhase = "search";

private:
  llvm::Error solve(PrecisionPlan &plan, Recipe &recipe, std::string &text);
  llvm::Expected<std::string>
  report(const Recipe &recipe, const PrecisionPlan &plan, double &latency);
  llvm::Error loadReference();
  std::string beside(llvm::StringRef given, llvm::StringRef extension) const;

  const CompileOptions &options;
  SearchRequest request;
  const Recipe &base;
  PhaseLog &log;
  std::optional<VariantRunner> runner;
  CostTable table;
  Limits limits{};
  double predictedSize = 0;
  /// Outputs of the program in floats; empty without calibration data.
  VariantRunner::Outputs reference;
};

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_PLANSEARCH_H

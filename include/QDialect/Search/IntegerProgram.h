// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear programs over 0/1 variables, solved to proven optimality by COIN-OR
// CBC (EPL; a build without it says so when a solution is asked for).
//
//   minimise sum costs[v] * x[v]   with   low <= sum factor * x <= high
//
// CBC's word is not taken for it. It computes in doubles with tolerances, so
// its answer is checked against the rows in plain sums: one that holds within
// the solver's tolerance alone is cut off, it only, and the rest is solved
// again. And when it has found an optimum it is asked for something better, by
// more than 2e-6 of the largest cost, until it proves that there is nothing.

#ifndef QDIALECT_SEARCH_INTEGERPROGRAM_H
#define QDIALECT_SEARCH_INTEGERPROGRAM_H

#include "llvm/Support/Error.h"
#include <limits>
#include <optional>
#include <vector>

namespace qdialect {

struct IntegerProgram {
  struct Term {
    int variable;
    double factor;
  };
  struct Row {
    std::vector<Term> terms;
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();

    /// Does it hold for these values, up to rounding of the sum?
    bool holds(const std::vector<char> &values) const;
  };

  std::vector<double> costs; ///< one a variable
  std::vector<Row> rows;
};

/// Can this build solve integer programs?
bool hasIntegerProgramSolver();

/// The values of the variables at a minimum; none where no values satisfy the
/// rows. The same program has the same answer each time. An error where the
/// build has no solver, or where the solver gives up.
llvm::Expected<std::optional<std::vector<char>>>
solveIntegerProgram(IntegerProgram program);

} // namespace qdialect

#endif // QDIALECT_SEARCH_INTEGERPROGRAM_H

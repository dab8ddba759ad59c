// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What q-search does.

#ifndef QDIALECT_TOOLS_QSEARCH_SOLVETABLE_H
#define QDIALECT_TOOLS_QSEARCH_SOLVETABLE_H

#include "llvm/Support/raw_ostream.h"
#include <string>

namespace qdialect {

struct SolveTableOptions {
  std::string table, search, plan, recipe, front, json;
};

/// Returns the exit code.
int solveTable(const SolveTableOptions &options, llvm::raw_ostream &out,
               llvm::raw_ostream &errors);

} // namespace qdialect

#endif // QDIALECT_TOOLS_QSEARCH_SOLVETABLE_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cost table of a calibrated program: which layers there are, what each
// precision costs (compiled and measured), and what it loses.

#ifndef QDIALECT_LIB_PIPELINES_SEARCHTABLE_H
#define QDIALECT_LIB_PIPELINES_SEARCHTABLE_H

#include "QDialect/Search/CostTable.h"
#include "QDialect/Search/SearchRequest.h"
#include "VariantRunner.h"
#include "llvm/Support/raw_ostream.h"

namespace qdialect {

/// Measures everything that `request` may choose. The samples have not been
/// loaded yet and lie at `calibration`. Progress, one line now and then, goes
/// to `log` if not null.
llvm::Expected<CostTable> measureTable(VariantRunner &runner,
                                       const Recipe &recipe,
                                       const SearchRequest &request,
                                       llvm::StringRef calibration,
                                       llvm::raw_ostream *log);

/// A line now and then about work of known extent.
class SearchProgress {
public:
  SearchProgress(llvm::raw_ostream *log, llvm::StringRef what, size_t total);
  void step();

private:
  llvm::raw_ostream *log;
  std::string what;
  size_t total, done = 0;
  int64_t lastReport; ///< milliseconds
};

/// For each layer of the table the mean second derivative of the loss with
/// respect to its weights (Hutchinson.cpp); of the program in floats.
llvm::Expected<std::vector<double>> measureCurvatures(VariantRunner &runner,
                                                      const CostTable &table,
                                                      int64_t probes,
                                                      llvm::raw_ostream *log);

/// For each layer |W' - W|^2 between its weights by two recipes.
llvm::Expected<std::vector<double>> weightDistances(VariantRunner &runner,
                                                    const CostTable &table,
                                                    const Recipe &from,
                                                    const Recipe &to);

} // namespace qdialect

#endif // QDIALECT_LIB_PIPELINES_SEARCHTABLE_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-search: solves the table of an earlier `q-compile --search` for other
// limits. --help teaches.

#include "SolveTable.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace llvm;

static constexpr const char *kOverview =
    R"(Chooses a precision for each layer of a model, within limits.

  q-compile model.onnx --calibration images.npz --search 'size<=4MB' \
            --search-table model.costs.json -o model.so
  q-search model.costs.json --search 'size<=3MB,latency<=2ms' --plan plan.yaml
  q-compile model.onnx --calibration images.npz --recipe plan.yaml -o model.so

Prints the plans that can be had; the chosen one is marked.

Exit codes: 0 success; 1 wrong options or limits that no plan keeps; 2 an
unreadable table; 4 a file that cannot be written.
)";

int main(int argc, char **argv) {
  InitLLVM initialize(argc, argv);
  cl::ResetCommandLineParser();
  qdialect::SolveTableOptions o;
  using Text = cl::opt<std::string, true>;
  Text table(cl::Positional, cl::Required, cl::desc("TABLE.json"),
             cl::location(o.table));
  Text search("search", cl::location(o.search), cl::Required,
              cl::desc("limits, as for q-compile --search"));
  Text plan("plan", cl::location(o.plan),
            cl::desc("write the plan as a recipe (.yaml)"));
  Text recipe("recipe", cl::location(o.recipe),
              cl::desc("the recipe that the plan is based on (the table's)"));
  Text front("front", cl::location(o.front), cl::desc("draw the plans (.svg)"));
  Text json("json", cl::location(o.json),
            cl::desc("write choices, loss, spending and seconds (.json)"));
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  return qdialect::solveTable(o, outs(), errs());
}

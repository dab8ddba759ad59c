// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-run: runs a compiled model (.so), or interprets a program (.mlir, .mlirbc,
// .onnx) with the reference semantics.

#include "InterpretProgram.h"
#include "QDialect/Execution/RunModel.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace llvm;
using namespace qdialect;

static cl::OptionCategory category("q-run options");
#define OPTION(type, variable, flag, text)                                     \
  static cl::opt<type> variable(flag, cl::desc(text), cl::cat(category))

static cl::opt<std::string> model(cl::Positional, cl::Required,
                                  cl::desc("MODEL.so|.mlir|.mlirbc|.onnx"),
                                  cl::cat(category));
static cl::list<std::string> inputs(
    "input", cl::cat(category),
    cl::desc("[name=]FILE.npy, FILE.npz, or interpreted: [name=][1, 2]"));
static cl::list<std::string> dims("dim", cl::cat(category),
                                  cl::desc("name=value, an ONNX dimension"));
OPTION(std::string, outputDir, "output-dir", "write <output name>.npy there");
OPTION(bool, isInterpreted, "interpret", "refuse anything but a program");
OPTION(std::string, function, "function", "interpret this function");
OPTION(bool, print, "print", "print the outputs of an interpreted program");
OPTION(bool, exactIslands, "exact-islands",
       "interpret floats between casts in f64, rounded once");
OPTION(std::string, compare, "compare", "reference: a model or a folder");
OPTION(bool, requireEqual, "require-equal", "exit 2 unless bit-equal");
OPTION(bool, benchmark, "benchmark", "measure the time of one run");
static cl::opt<double> minTime("min-time", cl::init(1), cl::cat(category),
                               cl::desc("seconds a benchmark lasts at least"));
OPTION(std::string, json, "json", "write the benchmark's figures there");
static cl::opt<int> threads("threads", cl::init(1), cl::cat(category),
                            cl::desc("threads; 0: one for each CPU"));
OPTION(bool, profile, "profile", "print the time of each step");
OPTION(bool, receipt, "receipt", "print the precision receipt");
OPTION(bool, info, "info", "print what the model is");

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, kRunModelExitCodes);
  InterpretProgramOptions program{model,     function, inputs, dims,
                                  outputDir, print,    {}};
  program.interpreter.exactIslands = exactIslands;
  if (isInterpreted || !StringRef(model).ends_with(".so"))
    return interpretProgram(program, outs(), errs());
  RunModelOptions options{model,     inputs,  outputDir, compare, requireEqual,
                          benchmark, minTime, json,      profile, receipt,
                          info,      {},      {}};
  options.load.threads = threads;
  options.reference = [&](StringRef path, const auto &named) {
    return interpretReference(path, named, program);
  };
  return runModel(options, outs(), errs());
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-run: runs a compiled model (.so), or interprets a program (.mlir, .mlirbc,
// .onnx) with the reference semantics.

#include "InterpretProgram.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/Pipelines/RunCompiled.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace llvm;
using namespace qdialect;

static constexpr const char *kOverview =
    R"(Runs a compiled model, or computes a program with the reference semantics.

  q-run model.so --info                                what the model is
  q-run model.so --input image=x.npy --output-dir out  outputs to out/<name>.npy
  q-run model.so --input x.npy --compare model.onnx    against the interpreter
  q-run model.so --benchmark --threads 2 --json t.json time of one run
  q-run model.onnx --input x.npy --print               the interpreter
  q-run model.onnx --benchmark                         compiled as float first
  q-run model.onnx --dump-codes codes                  its quantized constants
  q-run gpu.so --device ptx-emulator --compare cpu.so  without a GPU

A program (.onnx, .mlir, .mlirbc) is interpreted op by op: slow, and by
definition right. With --benchmark, --profile, --receipt or --info it is compiled
first (see --recipe).

Exit codes: 0 success; 1 wrong options, an unreadable file, wrong input or a
model that does not run here; 2 --require-equal, and an output differs.
)";

namespace {
/// Made after the options that come with LLVM's libraries are forgotten: some
/// of them ("threads") have our names.
struct Options {
  template <typename T>
  using Opt = cl::opt<T>;
  using Flag = cl::opt<bool>;
  using Text = cl::opt<std::string>;
  using Texts = cl::list<std::string>;

  Text model{cl::Positional, cl::Required,
             cl::desc("MODEL.so|.mlir|.mlirbc|.onnx")};
  Texts inputs{"input", cl::desc("[name=]FILE.npy, FILE.npz, or for a program "
                                 "[name=][1, 2]")};
  Text data{"data", cl::desc("interpret every sample of this .npz, .npy or "
                             "folder; outputs are stacked")};
  Texts dims{
      "dim",
      cl::desc("name=value, a symbolic dimension of an ONNX model, or its "
               "size in the benchmark of a library (else the least)")};
  Text outputDir{"output-dir", cl::desc("write <output name>.npy there")};
  Flag interpret{"interpret",
                 cl::desc("MODEL is a program, whatever its name")};
  Text function{"function", cl::desc("interpret this function")};
  Flag print{"print", cl::desc("print a program's outputs")};
  Flag exactIslands{"exact-islands",
                    cl::desc("floats between casts in f64, rounded once")};
  Text dumpCodes{"dump-codes",
                 cl::desc("write the codes, scales and zero points of a "
                          "program's constants there, and run nothing")};
  Text compare{"compare", cl::desc("reference: a model or a folder")};
  Flag requireEqual{"require-equal", cl::desc("exit 2 unless bit-equal")};
  Flag benchmark{"benchmark", cl::desc("measure the time of one run")};
  Opt<double> minTime{"min-time", cl::init(1),
                      cl::desc("seconds a benchmark lasts at least")};
  Text json{"json", cl::desc("write the benchmark's figures there")};
  Opt<int> threads{"threads", cl::init(1), cl::desc("0: one for each CPU")};
  Text device{"device",
              cl::desc("of a library for GPUs: ptx-emulator, or "
                       "ptx-emulator:sm_80 (else the driver's first GPU)")};
  Flag counters{"counters", cl::desc("print what the emulator counted")};
  Flag profile{"profile", cl::desc("print the time of each step")};
  Flag receipt{"receipt", cl::desc("print the precision receipt")};
  Flag info{"info", cl::desc("print what the model is")};
  Text recipe{"recipe", cl::init("float"),
              cl::desc("how a model that is no library is compiled for "
                       "--benchmark, --profile, --receipt and --info")};
};
} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  Options o;
  // The reset forgets the general category too, and with it --help's list.
  cl::OptionCategory category("q-run options");
  for (auto &entry : cl::getRegisteredOptions())
    if (llvm::is_contained(entry.second->Categories, &cl::getGeneralCategory()))
      entry.second->addCategory(category);
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  InterpretProgramOptions program{o.model, o.function,  o.inputs,
                                  o.data,  o.dims,      o.outputDir,
                                  o.print, o.dumpCodes, {}};
  program.interpreter.exactIslands = o.exactIslands;
  bool isLibrary = StringRef(o.model).ends_with(".so");
  if (isLibrary && !o.dumpCodes.empty()) {
    errs() << "error: --dump-codes reads a program, but '" << o.model
           << "' is a library, whose weights and scales are combined for its "
              "kernels; give the model that it was compiled from\n";
    return kRunFailure;
  }
  bool needsCode = o.benchmark || o.profile || o.receipt || o.info;
  if (o.interpret || (!isLibrary && !needsCode) || !o.dumpCodes.empty())
    return interpretProgram(program, outs(), errs());
  RunModelOptions options{
      o.model,     o.inputs,   o.outputDir, o.compare, o.requireEqual,
      o.benchmark, o.minTime,  o.json,      o.profile, o.receipt,
      o.info,      o.counters, {},          {},        {}};
  options.load.threads = o.threads;
  options.load.device = o.device;
  options.reference = [&](StringRef path, const auto &named) {
    return interpretReference(path, named, program);
  };
  options.sizes = o.dims;
  if (isLibrary)
    return runModel(options, outs(), errs());
  CompileOptions compile;
  compile.input = o.model;
  compile.recipe = o.recipe;
  compile.dims = o.dims;
  return runCompiled(compile, options, outs(), errs());
}

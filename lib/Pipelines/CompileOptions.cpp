// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of q-compile and its exit codes.

#include "QDialect/Pipelines/Compiler.h"

#include "QDialect/IR/AttributeNames.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

namespace cl = llvm::cl;

namespace qdialect {
namespace {

cl::OptionCategory &category() {
  static cl::OptionCategory instance("Options");
  return instance;
}

/// A string option that writes into `target`.
void declareOption(std::string &target, llvm::StringRef name,
                   llvm::StringRef value, llvm::StringRef text) {
  new cl::opt<std::string, /*ExternalStorage=*/true>(
      name, cl::location(target), cl::init(target), cl::value_desc(value),
      cl::desc(text), cl::cat(category()));
}

constexpr const char *kOverview =
    "Compiles a model to an integer shared library.\n\n"
    "  q-compile model.onnx --calibration images.npz -o model.so\n\n"
    "MODEL is an ONNX file, or a module that --stop-after wrote (.mlir, "
    ".mlirbc).\n"
    "Calibration data are inputs of the model: a .npz with one array an input\n"
    "(keys are the input names, samples along the first axis), a .npy for a "
    "model\n"
    "with one input, or a folder of either. A model that is already quantized\n"
    "(QuantizeLinear, DequantizeLinear) and --recipe float need none.\n"
    "Beside OUT.so stand OUT.h, the C interface, and OUT.receipt.json: what "
    "each\n"
    "layer became, and why a layer stayed float.\n\n"
    "Exit codes: 0 done; 1 wrong options; 2 unusable model, data, statistics "
    "or\n"
    "recipe; 3 a fallback to float that --fail-on-fallback refuses; 4 the "
    "result\n"
    "could not be made or written.\n";

} // namespace

char CompileError::ID;

llvm::StringRef stringify(Phase phase) {
  return qd::kPhaseNames[static_cast<int>(phase)];
}

std::optional<Phase> parsePhase(llvm::StringRef name) {
  for (int i = 0; i <= static_cast<int>(Phase::Emit); ++i)
    if (stringify(static_cast<Phase>(i)) == name)
      return static_cast<Phase>(i);
  return std::nullopt;
}

/// libLLVM registers options of its own in every program that links it, some
/// under our names (stop-after). They mean nothing here and give way.
static void dropForeignOptions() {
  std::vector<cl::Option *> foreign;
  for (auto &entry : cl::getRegisteredOptions())
    if (!llvm::StringSwitch<bool>(entry.first)
             .Cases({"help", "help-list", "help-hidden", "help-list-hidden",
                     "version"},
                    true)
             .Default(false))
      foreign.push_back(entry.second);
  for (cl::Option *option : foreign)
    option->removeArgument();
}

void CompileOptions::bindOptions() {
  dropForeignOptions();
  new cl::opt<std::string, true>(cl::Positional, cl::location(input),
                                 cl::value_desc("MODEL"), cl::desc("MODEL"),
                                 cl::Required, cl::cat(category()));
  auto *out = new cl::opt<std::string, true>(
      "o", cl::location(output), cl::value_desc("file"), cl::Required,
      cl::desc("The library to write (.so), or with --stop-after the module "
               "(.mlir for text, .mlirbc for bytecode)"),
      cl::cat(category()));
  (void)out;
  declareOption(calibration, "calibration", "path",
                "Inputs to observe the model on: .npz, .npy or a folder");
  declareOption(
      recipe, "recipe", "name|path",
      "What is quantized and how: a YAML file, 'float' for nothing, or a "
      "built-in recipe: w8a8-int (the default), w8a8-smooth, w8a8-dynamic, "
      "w8a16-int, w4a8-int, w4a4-int, integer-only");
  declareOption(
      rescale, "rescale", "float|dyadic",
      "How sums reach the output grid: one f32 scale, or a multiplier and a "
      "shift without any float (default: the recipe's)");
  declareOption(
      targetCpu, "target-cpu", "list",
      "CPU variants in the library: native, all, avx512amx, avx512vnni, "
      "avxvnni, avx512, avx2, scalar or LLVM CPU names, or for AArch64 i8mm, "
      "dotprod, neon (aarch64: all three), separated by commas (default: "
      "avx512amx, avx512vnni, avx2 and scalar)");
  declareOption(target, "target", "cpu|nvptx:list",
                "nvptx:sm_80,sm_90: a library for GPUs (sm_80, sm_86, sm_89, "
                "sm_90, sm_100, sm_120), whose code is PTX");
  declareOption(
      stopAfter, "stop-after", "phase",
      "Write the module after import, normalize, calibrate, quantize, "
      "integerize or dispatch instead of a library");
  declareOption(statistics, "statistics", "file",
                "Calibration results: read if the file exists, else written");
  declareOption(search, "search", "limits",
                "Mixed precision: the best plan within limits, e.g. "
                "size<=4MB,latency<=2ms,metric=kl (docs/Search.md). The plan "
                "is written as a recipe, beside the output");
  declareOption(searchPlan, "search-plan", "file", "Where to write the plan");
  declareOption(searchTable, "search-table", "file",
                "What layers cost: read if the file exists, else written");
  declareOption(searchFront, "search-front", "file.svg",
                "Draws what can be had for what");
  declareOption(kernels, "kernels", "auto|generic",
                "generic: compile everything by the slow reference path");
  declareOption(symbolPrefix, "symbol-prefix", "name",
                "Prefix of the library's functions (default: qd_model)");
  new cl::opt<bool, true>(
      "fail-on-fallback", cl::location(failOnFallback),
      cl::desc("Refuse a layer that stays float although the recipe, or the "
               "quantized model, asks for integers"),
      cl::cat(category()));
  new cl::list<std::string, std::vector<std::string>>(
      "dim", cl::location(dims), cl::value_desc("name=size"),
      cl::desc(
          "Size of a symbolic dimension (name=4), or its bounds if it stays "
          "symbolic (name=1..64, name=32..640:32 for multiples "
          "of 32); may be given several times"),
      cl::cat(category()));
  new cl::list<std::string, std::vector<std::string>>(
      "set", cl::location(values), cl::value_desc("input=number"),
      cl::desc("Makes an input of one element a constant of the program "
               "(sample_rate=16000); may be given several times"),
      cl::cat(category()));
}

int compileMain(int argc, char **argv) {
  llvm::InitLLVM initialize(argc, argv);
  CompileOptions options;
  options.bindOptions();
  options.log = &llvm::errs();
  cl::HideUnrelatedOptions(category());
  std::string problems;
  llvm::raw_string_ostream os(problems);
  if (!cl::ParseCommandLineOptions(argc, argv, kOverview, &os)) {
    llvm::errs() << problems;
    return static_cast<int>(ExitCode::Usage);
  }
  ExitCode code = ExitCode::Success;
  llvm::handleAllErrors(
      compile(options),
      [&](const CompileError &error) {
        llvm::errs() << "q-compile: error: ";
        error.log(llvm::errs());
        llvm::errs() << "\n";
        code = error.getCode();
      },
      [&](const llvm::ErrorInfoBase &error) {
        llvm::errs() << "q-compile: error: " << error.message() << "\n";
        code = ExitCode::Failure;
      });
  return static_cast<int>(code);
}

} // namespace qdialect

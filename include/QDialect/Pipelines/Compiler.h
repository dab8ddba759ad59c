// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compile driver: from a model and calibration data to a shared library,
// phase by phase. q-compile is its command line; a program that links the
// library calls compile() with the same options.
//
//   import -> normalize -> calibrate -> quantize -> integerize -> dispatch ->
//   emit
//
// A module that compile() wrote with `stopAfter` remembers its phase
// (`qd.phase`) and is accepted back as input; the next phase continues.

#ifndef QDIALECT_PIPELINES_COMPILER_H
#define QDIALECT_PIPELINES_COMPILER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace qdialect {

enum class Phase {
  Import,
  Normalize,
  Calibrate,
  Quantize,
  Integerize,
  Dispatch,
  Emit
};

llvm::StringRef stringify(Phase phase);
/// The phase of that name, if there is one.
std::optional<Phase> parsePhase(llvm::StringRef name);

/// What the process exits with; documented in --help.
enum class ExitCode {
  Success = 0,
  /// Options that contradict each other or name nothing.
  Usage = 1,
  /// A model, calibration data, statistics or a recipe that cannot be used.
  BadInput = 2,
  /// --fail-on-fallback, and there was one.
  Fallback = 3,
  /// The result could not be written or the compiler failed.
  Failure = 4,
};

class CompileError : public llvm::ErrorInfo<CompileError> {
public:
  static char ID;
  CompileError(ExitCode code, std::string message)
      : code(code), message(std::move(message)) {}
  ExitCode getCode() const { return code; }
  void log(llvm::raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override {
    return llvm::inconvertibleErrorCode();
  }

private:
  ExitCode code;
  std::string message;
};

constexpr llvm::StringLiteral kDefaultRecipe = "w8a8-int";

struct CompileOptions {
  /// .onnx, .mlir or .mlirbc.
  std::string input;
  /// .so, or .mlir / .mlirbc with stopAfter.
  std::string output;
  /// .npz, .npy or a folder; empty when not needed.
  std::string calibration;
  /// A built-in recipe, a path, or "float" for no quantization at all; empty
  /// for kDefaultRecipe, or what a module that is quantized already has.
  std::string recipe;
  /// "float", "dyadic", or empty for what the recipe says.
  std::string rescale;
  /// CPU variants, names or "native", separated by commas; empty: all.
  std::string targetCpu;
  /// "cpu", or "nvptx:" and GPUs separated by commas ("nvptx:sm_80,sm_90").
  std::string target = "cpu";
  std::string stopAfter;
  /// Mixed precision: what the plan may spend (Search/SearchRequest.h); empty
  /// for none. The plan is written beside the output unless `searchPlan` says
  /// where.
  std::string search;
  std::string searchPlan;
  /// The layers' costs: read when it exists, else written.
  std::string searchTable;
  /// Where to draw what can be had for what (.svg).
  std::string searchFront;
  bool failOnFallback = false;
  /// Statistics file: read when it exists, else written by calibration.
  std::string statistics;
  /// name=value for symbolic dimensions.
  std::vector<std::string> dims;
  /// name=number for inputs that become constants.
  std::vector<std::string> values;
  /// "auto" or "generic".
  std::string kernels = "auto";
  std::string symbolPrefix;
  /// Progress and the closing table; null for silence.
  llvm::raw_ostream *log = nullptr;

  /// Declares the command line options of q-compile, bound to this object,
  /// which must outlive the parsing.
  void bindOptions();
};

/// Compiles; what fails is a CompileError. Diagnostics about ops go to
/// llvm::errs() as they come. Nothing half-written is left behind.
llvm::Error compile(const CompileOptions &options);

/// The whole of q-compile: parses the arguments, compiles, prints the error,
/// returns the exit code.
int compileMain(int argc, char **argv);

} // namespace qdialect

#endif // QDIALECT_PIPELINES_COMPILER_H

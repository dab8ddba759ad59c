// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `q-run MODEL.so` does: bind files to inputs, run, write, compare,
// measure. The tool only reads its options.

#ifndef QDIALECT_EXECUTION_RUNMODEL_H
#define QDIALECT_EXECUTION_RUNMODEL_H

#include "QDialect/Execution/CompiledModel.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>
#include <map>

namespace qdialect {

/// Computes the outputs of a reference program (.onnx, .mlir) by name.
using ReferenceRunner =
    std::function<llvm::Expected<std::map<std::string, HostTensor>>(
        llvm::StringRef path, const std::map<std::string, HostTensor> &inputs)>;

struct RunModelOptions {
  std::string model;
  std::vector<std::string> inputs; ///< "[name=]file.npy" or "file.npz"
  std::string outputDir;           ///< writes <output name>.npy there
  std::string compare;             ///< .so, folder of .npy, or by `reference`
  bool requireEqual = false;       ///< kRunDiffers unless bit-equal
  bool benchmark = false;
  double minTime = 1; ///< seconds a benchmark lasts at least
  std::string json;   ///< file for the benchmark's figures
  bool profile = false;
  bool receipt = false;
  bool info = false;
  bool counters = false; ///< what the emulator has counted, by step
  LoadOptions load;
  /// For a reference that is neither a library nor a folder; may be empty.
  ReferenceRunner reference;
  /// "name=number": symbolic sizes of made up inputs, the least without.
  std::vector<std::string> sizes;
};

/// Exit codes of runModel.
enum RunModelCode { kRunSuccess = 0, kRunFailure = 1, kRunDiffers = 2 };

/// Results go to `out`, errors to `errors`.
int runModel(const RunModelOptions &options, llvm::raw_ostream &out,
             llvm::raw_ostream &errors);

/// The file that an output called `name` is written to: characters that no file
/// name may have become '_'.
std::string outputFileName(llvm::StringRef name);

} // namespace qdialect

#endif // QDIALECT_EXECUTION_RUNMODEL_H

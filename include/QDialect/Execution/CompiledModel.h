// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiled model (`.so` of emitSharedLibrary) loaded into this process.

#ifndef QDIALECT_EXECUTION_COMPILEDMODEL_H
#define QDIALECT_EXECUTION_COMPILEDMODEL_H

#include "QDialect/Support/HostTensor.h"
#include "QDialect/Support/InputSource.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace qdialect {

class EmulatedDevice;

/// Name, type and shape of one input or output.
struct TensorSpec {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape;        ///< -1 for a symbolic size
  std::vector<std::string> dimNames; ///< of symbolic sizes; empty if none is
  std::string codes; ///< what each byte is a code of ("int4"); empty: `type`

  bool isDynamic() const { return !dimNames.empty(); }
  /// True if a tensor has the type, and the shape but for symbolic sizes.
  bool fits(const HostTensor &tensor) const;
  /// "batchx3xhxwxf32", "4xint4 in uint8".
  std::string describe() const;
};

/// A dimension whose size is known only when the model runs.
struct SymbolSpec {
  std::string name;
  int64_t low = 1, high = 1, step = 1; ///< the sizes it may have
  bool isComputed = false;             ///< by the model, from data

  /// "32..640 in steps of 32".
  std::string describe() const;
};

struct LoadOptions {
  int threads = 1;      ///< 0: one for each CPU of this process
  bool profile = false; ///< measure each step
  std::string variant;  ///< CPU variant; empty: $QDIALECT_CPU, else the best
  /// Of libraries for GPUs: empty for the driver's first, else the name of an
  /// EmulatedDevice.
  std::string device;
  /// The model is only asked what it is: a library for GPUs loads where none
  /// can run it.
  bool describeOnly = false;
};

/// One instance of a model. Runs of one instance must not overlap; instances
/// are independent of each other.
class CompiledModel {
public:
  /// Loads a library; the error says what is wrong with the file: not a shared
  /// library, not a compiled model, another ABI version, no code for this CPU.
  /// The file may be deleted afterwards.
  static llvm::Expected<std::unique_ptr<CompiledModel>>
  load(llvm::StringRef path, const LoadOptions &options = {});
  ~CompiledModel();
  CompiledModel(const CompiledModel &) = delete;
  CompiledModel &operator=(const CompiledModel &) = delete;

  llvm::ArrayRef<TensorSpec> inputs() const;
  llvm::ArrayRef<TensorSpec> outputs() const;
  /// Samples of the inputs in files at `path`.
  llvm::Expected<InputSource> openSamples(llvm::StringRef path) const;
  std::vector<SymbolSpec> symbols() const;
  llvm::StringRef prefix() const;
  /// The CPU variant this instance runs, and all in the library, best first.
  llvm::StringRef variant() const;
  std::vector<std::string> variants() const;
  /// Whether the kernels run on a GPU; the emulator if they run there.
  bool isForGpu() const;
  const EmulatedDevice *emulator() const;
  llvm::StringRef receipt() const; ///< JSON
  int64_t scratchBytes() const;
  int64_t weightsBytes() const;

  /// Runs on inputs in the model's order. Types and shapes are compared with
  /// the model's; the error names the input and both.
  llvm::Expected<std::vector<HostTensor>>
  run(llvm::ArrayRef<HostTensor> inputs);
  /// The same into existing memory; what a benchmark measures. `outputs` need
  /// the types and shapes that makeOutputs gives; those with a size that the
  /// model computes are replaced.
  llvm::Error runInto(llvm::ArrayRef<HostTensor> inputs,
                      llvm::MutableArrayRef<HostTensor> outputs);
  /// Outputs of a model without symbols.
  std::vector<HostTensor> makeOutputs() const;
  /// Outputs for inputs of these shapes, empty where the model computes a size;
  /// the error names the dimension that the model does not take.
  llvm::Expected<std::vector<HostTensor>>
  makeOutputs(llvm::ArrayRef<HostTensor> inputs) const;
  bool isDynamic() const;

  /// Makes a new instance with this many threads; profile counters restart.
  llvm::Error setThreads(int threads);

  struct StepTime {
    std::string name;
    double milliseconds = 0; ///< mean of the runs so far
  };
  /// In program order; an error unless loaded with LoadOptions::profile.
  llvm::Expected<std::vector<StepTime>> profile() const;

private:
  CompiledModel();
  /// With -1 for sizes that the model computes.
  llvm::Expected<std::vector<std::vector<int64_t>>>
  outputShapes(llvm::ArrayRef<HostTensor> inputs) const;
  HostTensor computedOutput(unsigned index) const;
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace qdialect

#endif // QDIALECT_EXECUTION_COMPILEDMODEL_H

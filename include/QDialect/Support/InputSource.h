// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data for a model bound by input name, delivered sample by sample in memory
// of one sample: calibration, evaluation and q-run all read through it.
//
// A path is a .npz (one array an input, keys are the input names), a .npy (for
// a model with one input) or a folder of either, read in the order of names.
// An array holds one sample, or many along its leading axis:
//   input [1,3,8,8], array [20,3,8,8]   -> 20 samples
//   input [4,3,8,8], array [20,3,8,8]   -> 5 samples of batch 4
//   input [1,3,8,8], array [20,1,3,8,8] -> 20 samples
//   input [1,3,8,8], array [3,8,8]      -> 1 sample
// Dynamic dimensions (-1) take any size, a leading one counts as batch 1.

#ifndef QDIALECT_SUPPORT_INPUTSOURCE_H
#define QDIALECT_SUPPORT_INPUTSOURCE_H

#include "QDialect/Support/HostTensor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// One input of a model. -1 in the shape is a dimension of any size.
struct InputSpec {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape;
};

/// Does an input of `wanted` take the elements `found` of a file? One of half
/// precision takes float32, rounded: .npy files have no bfloat16. Nothing else
/// is converted.
bool takesElements(DType wanted, DType found);

class InputSource {
public:
  /// Opens `path` and checks the header of every file in it, so that a wrong
  /// name, type or shape is an error here, naming file, input and both shapes,
  /// and not in the middle of a calibration.
  static llvm::Expected<InputSource> open(llvm::StringRef path,
                                          llvm::ArrayRef<InputSpec> inputs);
  InputSource(InputSource &&);
  InputSource &operator=(InputSource &&);
  ~InputSource();

  int64_t numSamples() const;
  /// The tensors of the next sample in the order of the specs, or std::nullopt
  /// after the last. Errors: unreadable data.
  llvm::Expected<std::optional<std::vector<HostTensor>>> next();
  /// Where the sample that next() returned last came from: "file.npz, sample
  /// 3".
  std::string lastSampleName() const;
  /// Starts over.
  void rewind();

private:
  struct Impl;
  explicit InputSource(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace qdialect

#endif // QDIALECT_SUPPORT_INPUTSOURCE_H

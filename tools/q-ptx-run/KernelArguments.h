// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arguments of a kernel as the command line spells them.
//
//   i32:7 u64:0 f32:0.5       a value (s8 to u64, i8 to i64, f16, bf16, f32,
//   f64) in:x.npy                  device memory with the array, read-only
//   inout:z.npy               the same, writable; written back to z.npy
//   out:y.npy:f32:128x64      device memory that was never written, to y.npy

#ifndef QDIALECT_TOOLS_KERNELARGUMENTS_H
#define QDIALECT_TOOLS_KERNELARGUMENTS_H

#include "QDialect/PTX/Emulator.h"
#include "QDialect/Support/HostTensor.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace qdialect {

class KernelArguments {
public:
  explicit KernelArguments(ptx::Emulator &emulator) : emulator(emulator) {}

  llvm::Error add(llvm::StringRef text);
  const std::vector<std::vector<uint8_t>> &bytes() const { return values; }
  /// Writes the files of `out:` and `inout:`.
  llvm::Error writeOutputs() const;

private:
  llvm::Error addValue(llvm::StringRef type, llvm::StringRef text);
  llvm::Error addArray(llvm::StringRef path, bool isOutput);
  llvm::Error addOutput(llvm::StringRef text);
  void push(const void *data, size_t size);

  struct Output {
    std::string path;
    uint64_t address;
    DType type;
    std::vector<int64_t> shape;
  };
  ptx::Emulator &emulator;
  std::vector<std::vector<uint8_t>> values;
  std::vector<Output> outputs;
};

} // namespace qdialect

#endif // QDIALECT_TOOLS_KERNELARGUMENTS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An opened model: the mapped file, the parsed message without weights, and
// the tensors, read from the mapping or from external data files.

#ifndef QDIALECT_LIB_TARGET_ONNX_MODELFILE_H
#define QDIALECT_LIB_TARGET_ONNX_MODELFILE_H

#include "QDialect/Support/HostTensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace onnx {
class ModelProto;
class TensorProto;
} // namespace onnx

namespace qdialect::onnx_import {

/// Elements in host memory together with the type they have in the program
/// (which says more than the DType: codes and bytes look alike there).
struct TypedTensor {
  mlir::Type elementType;
  HostTensor data;
};

/// Bytes of a file that hold elements as a constant holds them.
struct FileRange {
  std::string file;
  uint64_t offset = 0;
  llvm::StringRef bytes;
};

class ModelFile {
public:
  /// Scans and parses. The file's bytes stay shared with every tensor read.
  static llvm::Expected<std::unique_ptr<ModelFile>>
  open(std::shared_ptr<llvm::MemoryBuffer> buffer, llvm::StringRef path);
  ~ModelFile();

  const onnx::ModelProto &getProto() const { return *proto; }
  /// The path, or something to call a model without one.
  llvm::StringRef getName() const { return name; }

  /// The elements of a tensor of this model. Sizes are checked against the
  /// bytes that are there before anything is allocated.
  llvm::Expected<TypedTensor> readTensor(const onnx::TensorProto &tensor,
                                         mlir::MLIRContext *context);

  /// Every range that tensors were or could be read from; none for a model
  /// without a path.
  std::vector<FileRange> weightRanges() const;

private:
  ModelFile();

  struct Bytes {
    llvm::StringRef bytes;
    std::shared_ptr<const void> owner;
  };
  llvm::Expected<Bytes> rawBytes(const onnx::TensorProto &tensor) const;
  /// The bytes that the external_data entries name: their `length`, or
  /// `needed` bytes if they give none.
  llvm::Expected<Bytes> externalBytes(const onnx::TensorProto &tensor,
                                      uint64_t needed);
  std::string externalPath(llvm::StringRef location) const;
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>>
  mapExternalFile(llvm::StringRef location);

  std::string path, name;
  std::shared_ptr<llvm::MemoryBuffer> buffer;
  std::unique_ptr<onnx::ModelProto> proto;
  std::vector<llvm::StringRef> payloads;
  llvm::StringMap<std::shared_ptr<llvm::MemoryBuffer>> externalFiles;
  std::vector<FileRange> externalRanges;
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_MODELFILE_H

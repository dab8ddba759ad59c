// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An ONNX graph being written: names, nodes, constants, and the file. Knows
// the format, nothing of programs.

#ifndef QDIALECT_LIB_TARGET_ONNX_EXPORT_MODELWRITER_H
#define QDIALECT_LIB_TARGET_ONNX_EXPORT_MODELWRITER_H

#include "QDialect/Support/HostTensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace onnx {
class ModelProto;
class TensorProto;
class ValueInfoProto;
} // namespace onnx

namespace qdialect::onnx_export {

struct NodeAttribute {
  llvm::StringRef name;
  std::variant<int64_t, float, std::string, llvm::SmallVector<int64_t>> value;
};

class ModelWriter {
public:
  ModelWriter();
  ~ModelWriter();

  /// A name that nothing has yet: `wish`, or `wish` with a number.
  std::string uniqueName(llvm::StringRef wish);
  /// Takes `name`; false if something has it.
  bool claim(llvm::StringRef name) { return names.insert(name).second; }

  /// Graph inputs and outputs. `dims` has the size or the name of each
  /// dimension.
  using Dimension = std::variant<int64_t, std::string>;
  void addInput(llvm::StringRef name, mlir::Type element,
                llvm::ArrayRef<Dimension> dims);
  void addOutput(llvm::StringRef name, mlir::Type element,
                 llvm::ArrayRef<Dimension> dims);

  /// A constant; gives its name. The bytes are shared until write().
  std::string addConstant(llvm::StringRef wish, mlir::Type element,
                          HostTensor data);
  void addNode(llvm::StringRef op, llvm::ArrayRef<std::string> inputs,
               llvm::ArrayRef<std::string> outputs,
               llvm::ArrayRef<NodeAttribute> attributes);

  /// Writes the model; constants beyond `inlineLimit` bytes in all to
  /// `path`.data. Files get their names when they are complete.
  llvm::Error write(llvm::StringRef path, uint64_t inlineLimit);

  /// The data type's number; raises the opset to the first that has it.
  int64_t dataType(mlir::Type element);

private:
  struct Constant {
    unsigned bits; ///< of an element in the file
    HostTensor data;
    onnx::TensorProto *proto;
  };

  void describe(onnx::ValueInfoProto &info, llvm::StringRef name,
                mlir::Type element, llvm::ArrayRef<Dimension> dims);
  llvm::Error writeExternal(llvm::StringRef path);

  std::unique_ptr<onnx::ModelProto> proto;
  std::vector<Constant> constants;
  llvm::StringSet<> names;
  int64_t opset;
};

/// True if ONNX has tensors of the type.
bool hasDataType(mlir::Type element);

} // namespace qdialect::onnx_export

#endif // QDIALECT_LIB_TARGET_ONNX_EXPORT_MODELWRITER_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The payload of an element-wise op as operators on whole tensors: a scalar
// value of the payload is a tensor over the loops, broadcast as numpy does.

#ifndef QDIALECT_LIB_TARGET_ONNX_EXPORT_PAYLOAD_H
#define QDIALECT_LIB_TARGET_ONNX_EXPORT_PAYLOAD_H

#include "Export/Exporter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallBitVector.h"

namespace qdialect::onnx_export {

class PayloadWriter {
public:
  /// Tensors have a dimension for each of `loops`, in this order (leading ones
  /// of size one may be absent).
  PayloadWriter(Exporter &e, mlir::linalg::GenericOp op, Order loops);

  /// The tensor of a scalar value; empty after an error.
  std::string get(mlir::Value value);
  /// The same with all dimensions and sizes of the loops.
  std::string getWhole(mlir::Value value);

private:
  std::string write(mlir::Operation *op);
  std::string argument(mlir::BlockArgument argument);
  std::string position(mlir::linalg::IndexOp op);
  std::string extract(mlir::tensor::ExtractOp op);
  /// The rows of a table at computed places; nothing if it is not that.
  std::optional<std::string> gather(mlir::tensor::ExtractOp op);
  std::string compare(mlir::Operation *op);
  std::string clamp(mlir::Operation *op, llvm::StringRef kind);
  std::string node(llvm::StringRef kind, mlir::ValueRange operands,
                   mlir::Operation *op);
  /// Notes that a tensor of the trailing `rank` dimensions has those of `mask`.
  void cover(size_t rank, const llvm::SmallBitVector &mask);

  Exporter &e;
  mlir::linalg::GenericOp op;
  Order loops;
  llvm::DenseMap<mlir::Value, std::string> known;
  llvm::SmallBitVector covered; ///< places in `loops`
  size_t coveredRank = 0;
};

} // namespace qdialect::onnx_export

#endif // QDIALECT_LIB_TARGET_ONNX_EXPORT_PAYLOAD_H

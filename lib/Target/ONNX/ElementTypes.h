// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of ONNX (TensorProto.DataType) and what they are here: floats
// are builtin, signed integers are signless iN, unsigned ones !qd.uint<N>,
// bool is i1.

#ifndef QDIALECT_LIB_TARGET_ONNX_ELEMENTTYPES_H
#define QDIALECT_LIB_TARGET_ONNX_ELEMENTTYPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace qdialect::onnx_import {

struct ElementInfo {
  int onnxType;         ///< value of onnx::TensorProto::DataType
  llvm::StringRef name; ///< as in ONNX's tensor type strings
  unsigned bits;        ///< width of one element in raw data
};

/// Null for strings, complex numbers and numbers that are no data type.
const ElementInfo *findElementInfo(int onnxType);
/// The entry that `elementType` is imported from (null if there is none).
const ElementInfo *findElementInfo(mlir::Type elementType);

/// The MLIR element type; null if the importer has none.
mlir::Type getElementType(int onnxType, mlir::MLIRContext *context);

/// "float32", or "data type 99".
std::string describeDataType(int onnxType);

/// "2x3", or "scalar" for rank 0; "?" for a symbolic size.
std::string describeShape(llvm::ArrayRef<int64_t> shape);

/// A tensor may have at most this many elements; beyond it sizes in bytes and
/// products of a few dimensions could leave 64 bits.
constexpr int64_t maxElements = int64_t(1) << 40;

/// No model needs more; many algorithms on shapes are quadratic in the rank.
constexpr size_t maxRank = 64;

/// False if a dimension is negative, the product of those that are not zero
/// exceeds maxElements, or the rank exceeds maxRank. Symbolic sizes are fine.
bool isReasonableShape(llvm::ArrayRef<int64_t> shape);

/// The number without its fraction, or the nearest end of the i64s; 0 for NaN.
int64_t toInteger(double number);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_ELEMENTTYPES_H

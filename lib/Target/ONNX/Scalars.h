// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar arithmetic of a payload that reads like the formula. Each method picks
// the float or the integer operation by the type of its operands; integers are
// signed unless the method says otherwise.

#ifndef QDIALECT_LIB_TARGET_ONNX_SCALARS_H
#define QDIALECT_LIB_TARGET_ONNX_SCALARS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace qdialect::onnx_import {

/// The signless integer that holds elements of an unsigned type; other types as
/// they are.
mlir::Type storageType(mlir::Type type);
/// True for the unsigned integers of ONNX.
bool isUnsignedType(mlir::Type type);

struct Scalars {
  using Value = mlir::Value;

  mlir::OpBuilder &b;
  mlir::Location loc;

  Value number(mlir::Type type, double value) const;
  /// A constant of the type of `like`.
  Value number(Value like, double value) const {
    return number(like.getType(), value);
  }
  Value i64(int64_t value) const;

  Value add(Value x, Value y) const;
  Value sub(Value x, Value y) const;
  Value mul(Value x, Value y) const;
  /// Floats only; integers divide by divTotal.
  Value div(Value x, Value y) const;
  /// NaN wins.
  Value max(Value x, Value y) const;
  Value min(Value x, Value y) const;
  Value neg(Value x) const;
  Value abs(Value x) const;
  Value sqrt(Value x) const;
  Value floor(Value x) const;
  Value exp(Value x) const;
  Value log(Value x) const;

  /// Ordered comparisons: false if one is NaN (ne: true).
  Value eq(Value x, Value y) const;
  Value ne(Value x, Value y) const;
  Value lt(Value x, Value y) const;
  Value le(Value x, Value y) const;
  Value isNaN(Value x) const;
  Value both(Value x, Value y) const;
  Value either(Value x, Value y) const;
  Value select(Value test, Value yes, Value no) const;

  /// Integer division and remainder truncated toward zero, defined for every
  /// operand: a divisor of zero gives 0, and the smallest integer divided by -1
  /// wraps.
  Value divTotal(Value x, Value y, bool isUnsigned = false) const;
  Value remTotal(Value x, Value y, bool isUnsigned = false) const;

  /// The integer that holds a code of an unsigned type, and back; other values
  /// as they are.
  Value toStorage(Value x) const;
  Value fromStorage(Value x, mlir::Type type) const;

  /// Conversion between signless integers, index and floats (truncating).
  Value cast(Value x, mlir::Type to) const;

  /// An index counted from the end if negative, kept inside [0, size - 1]: what
  /// a hostile index reads is some element, never foreign memory.
  Value wrapIndex(Value index, int64_t size) const;
  Value clampIndex(Value index, int64_t size) const;
  /// The element of `tensor` at i64 positions.
  Value read(Value tensor, llvm::ArrayRef<Value> places) const;
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_SCALARS_H

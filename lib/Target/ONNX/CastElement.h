// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One element of any type as one of any other: what ONNX's Cast says.
//
//   integer -> integer   the low bits
//   float -> integer     truncated and saturated; below 8 bits the low bits
//   float -> float       the nearest value, ties to even
//   x -> bool            x != 0, so NaN is true
//
// Floats of at most 8 bits are alphabets of the qd dialect, and f32 is the way
// between them and all else: qd.quantize and qd.dequantize with the scale 1.

#ifndef QDIALECT_LIB_TARGET_ONNX_CASTELEMENT_H
#define QDIALECT_LIB_TARGET_ONNX_CASTELEMENT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace qdialect::onnx_import {

/// The attributes of Cast, which say something about small floats alone.
struct CastRules {
  /// How float8e8m0, the powers of two, rounds.
  enum class PowerRounding { Nearest, Up, Down };
  /// Beyond the range stands the largest value, else infinity or NaN.
  bool saturate = true;
  PowerRounding rounding = PowerRounding::Up;
};

/// Floats of at most 8 bits, which have no arithmetic.
bool isSmallFloat(mlir::Type type);

mlir::Value castElement(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x,
                        mlir::Type to, const CastRules &rules = {});

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_CASTELEMENT_H

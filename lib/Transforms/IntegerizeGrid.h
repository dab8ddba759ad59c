// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grid of a quantized tensor as plain numbers: what the rewrites of
// integerization compare and compute with.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZEGRID_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZEGRID_H

#include "Coefficient.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include <optional>
#include <string>

namespace qdialect {

/// One grid for a whole tensor: real = (code - zeroPoint) * scale with constant
/// scale and zero point, codes the integers of [min, max].
struct CodeGrid {
  mlir::Type alphabet;
  float scale = 1;
  int32_t zeroPoint = 0;
  int64_t min = -128, max = 127;

  bool operator==(const CodeGrid &other) const {
    return alphabet == other.alphabet && scale == other.scale &&
           zeroPoint == other.zeroPoint;
  }
  bool operator!=(const CodeGrid &other) const { return !(*this == other); }
  bool isInt8() const { return alphabet.isSignlessInteger(8); }
  /// Do the integer rewrites know its codes: integers of 2 to 16 bits?
  bool isInteger() const;
  unsigned bits() const { return alphabet.getIntOrFloatBitWidth(); }
  /// Steps from the smallest code to the largest.
  double range() const { return static_cast<double>(max - min); }
  /// The code that a real value quantizes to (half to even, saturating), by the
  /// exact quotient.
  int32_t encode(double value) const;
  /// The code whose value is exactly `value`, if there is one.
  std::optional<int64_t> exactCode(double value) const;
};

/// The grid of a cast; nothing (and why in `reason`) when it is not per tensor,
/// not constant, has a group index or a real-domain zero point, or its codes
/// are not integers.
std::optional<CodeGrid> getGrid(mlir::Operation *quantizeOrDequantize,
                                std::string *reason = nullptr);

/// Grids that differ along dimensions: the numbers of each index.
struct IndexedGrid {
  CodeGrid codes; ///< of scale 1 and zero point 0
  Coefficient scale, zeroPoint;
};

/// The grids of a cast whose scales and zero points are constants, one for each
/// index of some dimensions; in the space that `map` reads the codes from.
/// Nothing for one grid for the whole tensor.
std::optional<IndexedGrid> getIndexedGrid(mlir::Operation *quantizeOrDequantize,
                                          mlir::AffineMap map);

/// Does the quantize round half to even and saturate? Everything else is left
/// as it is.
bool roundsToNearest(qd::QuantizeOp op);

/// Rank-0 constants as casts take them.
mlir::Value makeScale(mlir::OpBuilder &builder, mlir::Location loc,
                      float scale);
mlir::Value makeZeroPoint(mlir::OpBuilder &builder, mlir::Location loc,
                          int32_t zeroPoint);

/// A cast with this grid.
qd::DequantizeOp makeDequantize(mlir::OpBuilder &builder, mlir::Location loc,
                                mlir::Type result, mlir::Value codes,
                                const CodeGrid &grid);
qd::QuantizeOp makeQuantize(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value input, const CodeGrid &grid);

/// The discardable attributes that belong to this project (qd.name, ...).
void copyMarks(mlir::Operation *from, mlir::Operation *to);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZEGRID_H

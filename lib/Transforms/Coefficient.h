// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants of formulas and grids: a bias per channel, the scales and zero
// points of channels.

#ifndef QDIALECT_LIB_TRANSFORMS_COEFFICIENT_H
#define QDIALECT_LIB_TRANSFORMS_COEFFICIENT_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <vector>

namespace qdialect {

/// Real numbers that vary along some dimensions of an iteration space.
struct Coefficient {
  llvm::SmallVector<unsigned> dims; ///< ascending; empty for one number
  llvm::SmallVector<int64_t> sizes; ///< of dims
  std::vector<double> values;       ///< row-major over dims

  static Coefficient scalar(double value) { return {{}, {}, {value}}; }
  /// The numbers of a constant tensor that is read through `map` (iteration
  /// space to tensor dimensions), dimensions of size one dropped. Nothing if
  /// they vary along a dimension that is read at no plain index.
  static std::optional<Coefficient> read(mlir::Value constant,
                                         mlir::AffineMap map);

  bool operator==(const Coefficient &other) const {
    return dims == other.dims && sizes == other.sizes && values == other.values;
  }
  bool isScalar() const { return dims.empty(); }
  bool allOf(llvm::function_ref<bool(double)> predicate) const;
  bool isExactly(double value) const {
    return allOf([&](double v) { return v == value; });
  }
  /// The largest.
  double magnitude() const;
  Coefficient map(llvm::function_ref<double(double)> f) const;
  /// The same numbers repeated along more dimensions. `dims` holds ours.
  Coefficient spread(llvm::ArrayRef<unsigned> dims,
                     llvm::ArrayRef<int64_t> sizes) const;
  /// In the dimensions of another space: old dimension d is `to[d]`.
  Coefficient renumbered(llvm::ArrayRef<unsigned> to) const;
  /// The map that reads the values as a tensor of `sizes`.
  mlir::AffineMap indexingMap(unsigned rank, mlir::MLIRContext *context) const;
  /// That constant, of f32 or integers of 2 to 16, 32 or 64 bits.
  mlir::Value makeTensor(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Type element) const;
};

/// f(a, b) element by element over the union of the dimensions.
Coefficient combine(const Coefficient &a, const Coefficient &b,
                    llvm::function_ref<double(double, double)> f);

/// Is `value` a constant or a dequantized one?
bool isRealConstant(mlir::Value value);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_COEFFICIENT_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An island is what stands between a qd.quantize and the qd.dequantizes it
// computes from. Walking back through element-wise ops gives the island's value
// as a formula over its leaves, in real numbers:
//
//   clamp( sum over terms of factor * leaf * ... + constant, lower, upper )
//
// A leaf is a dequantized tensor or the result of a contraction or sum, which
// is where the walk stops. Factors and bounds are constants that may vary along
// some dimensions of the result (a bias per channel): Coefficients.
//
// Example: relu6(conv(x) + bias) is one term {1 * conv}, constant bias[c],
// lower 0, upper 6. What is no such formula is a table if it reads one tensor,
// and else stays float; `reason` says why.

#ifndef QDIALECT_LIB_TRANSFORMS_ISLAND_H
#define QDIALECT_LIB_TRANSFORMS_ISLAND_H

#include "IntegerizeGrid.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// Real numbers that vary along some dimensions of an iteration space.
struct Coefficient {
  llvm::SmallVector<unsigned> dims; ///< ascending; empty for one number
  llvm::SmallVector<int64_t> sizes; ///< of dims
  std::vector<double> values;       ///< row-major over dims

  static Coefficient scalar(double value) { return {{}, {}, {value}}; }
  /// The numbers of a constant tensor that is read through `map` (iteration
  /// space to tensor dimensions), dimensions of size one dropped.
  static std::optional<Coefficient> read(mlir::Value constant,
                                         mlir::AffineMap map);

  bool isScalar() const { return dims.empty(); }
  bool allOf(llvm::function_ref<bool(double)> predicate) const;
  bool isExactly(double value) const {
    return allOf([&](double v) { return v == value; });
  }
  Coefficient map(llvm::function_ref<double(double)> f) const;
  /// The same numbers repeated along more dimensions. `dims` holds ours.
  Coefficient spread(llvm::ArrayRef<unsigned> dims,
                     llvm::ArrayRef<int64_t> sizes) const;
  /// In the dimensions of another space: old dimension d is `to[d]`.
  Coefficient renumbered(llvm::ArrayRef<unsigned> to) const;
  /// The map that reads the values as a tensor of `sizes`.
  mlir::AffineMap indexingMap(unsigned rank, mlir::MLIRContext *context) const;
};

/// f(a, b) element by element over the union of the dimensions.
Coefficient combine(const Coefficient &a, const Coefficient &b,
                    llvm::function_ref<double(double, double)> f);

struct Leaf {
  /// Codes (with their grid) or the float result of `root`.
  mlir::Value value;
  mlir::AffineMap map; ///< iteration space to the value's dimensions
  std::optional<CodeGrid> grid;
  mlir::Operation *root = nullptr;
};

struct Term {
  llvm::SmallVector<unsigned, 2> leaves; ///< sorted; their product
  Coefficient factor;
};

struct Formula {
  llvm::SmallVector<Term, 2> terms;
  Coefficient constant = Coefficient::scalar(0);
  std::optional<Coefficient> lower, upper;

  bool isConstant() const { return terms.empty(); }
  bool isClamped() const { return lower || upper; }
};

struct Island {
  qd::QuantizeOp quantize;
  CodeGrid grid; ///< of the result
  llvm::SmallVector<Leaf, 2> leaves;
  Formula formula;
  /// Float ops walked through, in the order met (last one first).
  llvm::SetVector<mlir::Operation *> members;

  mlir::RankedTensorType type() const {
    return mlir::cast<mlir::RankedTensorType>(quantize->getResult(0).getType());
  }
  unsigned rank() const { return type().getRank(); }
  /// The op whose marks (name, request) the result takes: the last member
  /// with a name, else the quantize.
  mlir::Operation *nameSource() const;
  /// The code that clamps the result from below or above, if it does.
  std::optional<int64_t> lowerCode() const, upperCode() const;
};

/// Walks back from `quantize`. On failure `reason` says why and `island` still
/// holds the members that were met.
bool matchIsland(qd::QuantizeOp quantize, Island &island, std::string &reason);

/// Constants and dequantized constants as numbers; nothing for others.
bool isRealConstant(mlir::Value value);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_ISLAND_H

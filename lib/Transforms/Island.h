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
// where a term may be divided by a size that the program computes.
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

#include "Coefficient.h"
#include "IntegerizeGrid.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

struct Leaf {
  /// Codes (with their grid) or the float result of `root`.
  mlir::Value value;
  mlir::AffineMap map; ///< iteration space to the value's dimensions
  std::optional<CodeGrid> grid;
  mlir::Operation *root = nullptr;
  /// Of the codes; the grid's, or one for each index.
  Coefficient zeroPoint = Coefficient::scalar(0);
};

struct Term {
  llvm::SmallVector<unsigned, 2> leaves; ///< sorted; their product
  Coefficient factor;
  /// The size of the program that divides it, if one does: a mean.
  mlir::Value divisor;
};

struct Formula {
  llvm::SmallVector<Term, 2> terms;
  Coefficient constant = Coefficient::scalar(0);
  /// What negative sums are multiplied by, before the clamp.
  std::optional<Coefficient> slope;
  std::optional<Coefficient> lower, upper;

  bool isConstant() const { return terms.empty(); }
  /// More than a sum of terms?
  bool isClamped() const { return slope || lower || upper; }
  /// By positive numbers.
  void divide(const Coefficient &steps);
};

struct Island {
  qd::QuantizeOp quantize;
  CodeGrid grid; ///< of the result
  /// Of the result; the grid's, or one for each index.
  Coefficient zeroPoint = Coefficient::scalar(0);
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
  /// The codes that clamp the result from below or above, if any does.
  std::optional<Coefficient> lowerCodes() const, upperCodes() const;

private:
  Coefficient encode(const Coefficient &real) const;
};

/// Walks back from `quantize`; interpolations and slopes of negative numbers
/// are a formula only for `dyadic` rescaling. On failure `reason` says why and
/// `island` still holds the members that were met.
bool matchIsland(qd::QuantizeOp quantize, bool dyadic, Island &island,
                 std::string &reason);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_ISLAND_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which units become integer and which values are rounded for it. A value is
// rounded only where an integer unit wants codes: a residual sum that a layer
// norm alone reads, or a product that goes into a softmax, stays as it is.
//
//   conv -> add -> relu -> conv       every result is wanted as codes
//   matmul -> add -> layer_norm       nothing before the norm is
//
// Contractions are integer whatever happens to their results; other units (sum,
// product, pool, concatenation, function) only where their result is wanted.

#ifndef QDIALECT_TRANSFORMS_QUANTIZATIONPLAN_H
#define QDIALECT_TRANSFORMS_QUANTIZATIONPLAN_H

#include "QDialect/PTQ/Statistics.h"
#include "QuantizableUnits.h"
#include "llvm/ADT/DenseMap.h"

namespace qdialect {

struct PlannedUnit {
  QuantizableUnit unit;
  LayerRecipe layer;
  bool isInteger = false;    ///< reads codes
  bool roundsResult = false; ///< gives codes
  /// Its activation gets a scale for each row at run time.
  bool isDynamic = false;

  /// Do channels of its activation stay float where statistics say so?
  bool findsOutliers() const {
    return isDynamic && isInteger && layer.activations.outliers;
  }
};

/// A product whose weights are a constant of two dimensions.
bool isMatrixProduct(const QuantizableUnit &unit);

/// Warns of each rule of `recipe` whose name is that of no value of `function`,
/// with the nearest name: a layer that was meant to stay float would be
/// quantized in silence.
void warnOfUnmatchedRules(mlir::func::FuncOp function, const Recipe &recipe);

class QuantizationPlan {
public:
  /// `statistics`, where they are known already, tell which activations are so
  /// large that the recipe's smoothing leaves them to scales chosen at run time
  /// (kLogTo in PTQ/Smoothing.h).
  QuantizationPlan(mlir::func::FuncOp function, const Recipe &recipe,
                   const Statistics *statistics = nullptr);

  std::vector<PlannedUnit> units;

  /// Does an integer unit read `value`, directly or through ops that keep its
  /// grid? The results of the program count where a unit makes them.
  bool isWanted(mlir::Value value) const { return wanted.lookup(value); }
  /// Is `use` that of an integer unit that wants codes of a known grid?
  bool isIntegerUse(mlir::OpOperand &use) const;
  /// Does an integer unit round `value`?
  bool isRounded(mlir::Value value) const { return rounded.contains(value); }
  /// Does an integer softmax, norm or other function read `value`, perhaps as
  /// part of a sum? It wants more than the codes of a product.
  bool isFine(mlir::Value value) const { return fine.lookup(value); }

  /// How observed values are rounded: as the unit that makes them says, float
  /// or not, else (an argument of the program, the result of an op that is no
  /// unit) their first reader, whose rules find them by their own names, too.
  llvm::DenseMap<mlir::Value, TensorRecipe>
  activationRecipes(const Recipe &recipe) const;
  /// Is it the unit's recipe by which its result is rounded?
  static bool setsResult(const PlannedUnit &planned);

private:
  bool wants(mlir::OpOperand &use) const;
  bool wantsFine(mlir::OpOperand &use) const;

  llvm::DenseMap<mlir::Operation *, unsigned> unitOf;
  llvm::DenseMap<mlir::Value, bool> wanted, fine;
  llvm::DenseSet<mlir::Value> rounded;
};

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_QUANTIZATIONPLAN_H

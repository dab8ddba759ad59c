// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few questions about linalg ops that several passes ask, answered in the
// terms of docs/PhaseContract.md section 1.

#ifndef QDIALECT_ANALYSIS_LINALGQUERIES_H
#define QDIALECT_ANALYSIS_LINALGQUERIES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace qdialect {

/// An element-wise computation as the contract spells it: a linalg.generic
/// with one result, parallel loops, an identity output map and inputs by
/// projected permutation, whose payload does not read the output.
bool isElementwiseGeneric(mlir::Operation *op);

/// An element-wise op whose payload gives its only input as it is: a copy,
/// perhaps to several places or with dimensions in another order.
bool isCopy(mlir::Operation *op);

/// A scalar x where it is not negative, x * slope where it is.
struct NegativeSlope {
  mlir::Value argument, slope;
};
std::optional<NegativeSlope> matchNegativeSlope(mlir::Value scalar);

/// An element-wise op that only changes the precision of floats.
bool isFloatConversion(mlir::Operation *op);

/// What a sliding-window or whole-axis reduction of one tensor combines with.
enum class ReductionKind { Sum, Max, Min };

/// The combiner of a pool (`linalg.pooling_*`, whose window operand carries no
/// values) or of a reducing linalg.generic over one input; nothing for other
/// payloads. The init is combined too.
std::optional<ReductionKind> getReductionKind(mlir::Operation *op);

/// The value every element of a filled tensor has: a linalg.fill, or a splat
/// constant, possibly behind reshapes.
std::optional<mlir::Attribute> getSplatValue(mlir::Value tensor);

/// Is the one init of the op a float tensor of zeros?
bool startsFromZero(mlir::linalg::LinalgOp op);

/// A tensor.pad's constant padding value, or null when it computes its value.
mlir::Attribute getConstantPadding(mlir::Operation *pad);

/// How the source of an expand_shape or collapse_shape is read where its result
/// is read by `map`: dimensions of size one that only the source has are read
/// at 0. Nothing if the reshape regroups longer dimensions.
std::optional<mlir::AffineMap> throughUnitReshape(mlir::Operation *reshape,
                                                  mlir::AffineMap map);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_LINALGQUERIES_H

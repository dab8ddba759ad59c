// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The discardable attributes of the qd dialect: what passes note on ops,
// functions and the module for those that come later. lib/IR/
// DialectAttributes.cpp verifies all of them, QDDialect.td describes them.

#ifndef QDIALECT_IR_ATTRIBUTENAMES_H
#define QDIALECT_IR_ATTRIBUTENAMES_H

#include "llvm/ADT/StringRef.h"

namespace qdialect::qd {

/// On arguments, results and ops: the name in the model.
inline constexpr llvm::StringLiteral kNameAttr = "qd.name";
/// On the module: the last phase that is behind it, of kPhaseNames.
inline constexpr llvm::StringLiteral kPhaseAttr = "qd.phase";
/// On arguments: the names of symbolic sizes, the numbers of the others.
inline constexpr llvm::StringLiteral kDimsAttr = "qd.dims";
/// On the function: the least and largest of each symbolic size.
inline constexpr llvm::StringLiteral kDimBoundsAttr = "qd.dim_bounds";
/// On arguments and results that are bytes: the alphabet of their codes.
inline constexpr llvm::StringLiteral kCodesAttr = "qd.codes";

/// On the function: the digest of the program that was observed.
inline constexpr llvm::StringLiteral kProgramAttr = "qd.program";
/// On the function, after qd-expose-observed: the names of the extra results,
/// in order, behind the function's own results; flags come behind them.
inline constexpr llvm::StringLiteral kObservedAttr = "qd.observed";
/// Beside it, where branches are observed: for each name the number of the flag
/// behind the values that says which rows the program computed, -1 if all.
inline constexpr llvm::StringLiteral kTakenAttr = "qd.observed_if";
/// On the function: no float may be left between its casts.
inline constexpr llvm::StringLiteral kIntegerOnlyAttr = "qd.integer_only";

/// On the function: the name of the model that it was imported from.
inline constexpr llvm::StringLiteral kModelAttr = "qd.model";
/// On the function, since it was quantized: the name of the recipe.
inline constexpr llvm::StringLiteral kRecipeAttr = "qd.recipe";
/// On the function: how sums reach the output grid, one of kRescaleModes; what
/// the recipe says until qd-integerize says what it did.
inline constexpr llvm::StringLiteral kRescaleAttr = "qd.rescale_mode";

/// On an op that computes: the precision that the recipe asked of it (w8a8,
/// a8), kKeptFloat where it leaves floats.
inline constexpr llvm::StringLiteral kRequestedAttr = "qd.requested";
inline constexpr llvm::StringLiteral kKeptFloat = "float";
/// On an op that stayed float although it was asked to be integer: the reason.
inline constexpr llvm::StringLiteral kFallbackAttr = "qd.fallback";
/// The scheme by which a function of one value or row becomes integer.
inline constexpr llvm::StringLiteral kIntegerSchemeAttr = "qd.integer_scheme";
/// On an integer op: the proven least and largest of its accumulators.
inline constexpr llvm::StringLiteral kAccBoundAttr = "qd.acc_bound";
/// On an integer contraction: the least and the largest of the activation's
/// codes, where they are fewer than their bytes can hold.
inline constexpr llvm::StringLiteral kCodeRangeAttr = "qd.code_range";
/// On an integer op: the bits that its intermediate words and double words
/// take.
inline constexpr llvm::StringLiteral kIntermediateBitsAttr =
    "qd.intermediate_bits";
/// On an integer product: its multiplications.
inline constexpr llvm::StringLiteral kMacsAttr = "qd.macs";
/// On an integer op: how far its codes are from the exact ones, in steps.
inline constexpr llvm::StringLiteral kErrorLsbAttr = "qd.error_lsb";
/// On the op behind which the bias of a layer that is being corrected counts,
/// in the copies that run: the number of the layer.
inline constexpr llvm::StringLiteral kCorrectedLayerAttr = "qd.corrected_layer";
/// On the first op that adds products in floats of an integer product: how many
/// channels they are of.
inline constexpr llvm::StringLiteral kOutliersAttr = "qd.outliers";
/// On the codes of weights that the model has packed into bytes.
inline constexpr llvm::StringLiteral kPackedAttr = "qd.packed";

/// The phases, in order; qd.phase may be all but the last, behind which there
/// is no module.
inline constexpr llvm::StringLiteral kPhaseNames[] = {
    "import",     "normalize", "calibrate", "quantize",
    "integerize", "dispatch",  "emit"};

/// What qd.rescale_mode may be.
inline constexpr llvm::StringLiteral kRescaleModes[] = {"float", "dyadic"};

} // namespace qdialect::qd

#endif // QDIALECT_IR_ATTRIBUTENAMES_H

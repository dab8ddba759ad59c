// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights and the bias of one contraction to constant codes.

#ifndef QDIALECT_TRANSFORMS_QUANTIZECONTRACTION_H
#define QDIALECT_TRANSFORMS_QUANTIZECONTRACTION_H

#include "QDialect/PTQ/Statistics.h"
#include "QDialect/Transforms/Quantize.h"
#include "QuantizableUnits.h"

namespace qdialect {

/// Replaces the constant f32 weight of `unit` by dequantized codes and, when
/// `inputScale` is known, its bias by dequantized i32 codes. `inputStatistics`
/// is set where the distribution of the activation is known, for the rounding
/// of weights and, with `correctBias`, for the bias. Does nothing to other
/// contractions.
void quantizeContraction(const QuantizableUnit &unit,
                         const TensorRecipe &weights,
                         std::optional<float> inputScale,
                         const ValueStatistics *inputStatistics,
                         bool correctBias, QuantizeSummary &summary);

/// The element type of codes.
mlir::Type codeType(mlir::OpBuilder &builder, const RecipeFormat &format);

/// Replaces the constant f32 weight of a matrix product by codes with a scale
/// for each block of what it sums over (Granularity::Block), or for each
/// channel, which is one block. The bias stays.
void quantizeBlockWeights(const QuantizableUnit &unit,
                          const TensorRecipe &weights,
                          QuantizeSummary &summary);

/// Gives the bias of `unit`, or one that it gets, what rounding its weights as
/// `weights` says would take from the means of its results. False for
/// contractions that this cannot be done to.
bool correctBias(const QuantizableUnit &unit, const TensorRecipe &weights,
                 const ValueStatistics &inputStatistics);

/// Where the bias of a contraction with constant weights counts.
struct BiasPlace {
  mlir::Operation *op;  ///< what adds it, or the contraction without one
  ChannelDims channels; ///< of its result
};
/// Nothing where a bias is there that cannot take a correction along.
std::optional<BiasPlace> findBias(const QuantizableUnit &unit);
/// Adds a number a channel to the bias, or makes one.
void addToBias(const QuantizableUnit &unit, llvm::ArrayRef<double> amounts);

/// Is the distribution of `value` that of its grid source? A max pool shifts
/// it, the other grid-keeping ops hardly do.
bool keepsMean(mlir::Value value);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_QUANTIZECONTRACTION_H

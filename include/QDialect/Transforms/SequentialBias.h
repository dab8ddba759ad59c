// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Empirical bias correction (Nagel et al., "Data-Free Quantization Through
// Weight Equalization and Bias Correction", ICCV 2019, appendix D), layer by
// layer: samples run through the quantized network; where the mean of a
// channel behind a contraction is not that of the float network, the bias takes
// the difference, before the next layer is looked at. What rounded activations
// and clamps shift counts, and so does what the corrections in front have left;
// the analytic form (PTQ/BiasCorrection.h) knows the rounding of one layer's
// weights alone.
//
// All layers at once would not do: each takes back the shift that reaches it,
// and a shift that the layer in front has taken back already would be taken
// back again.
//
// Both networks run once, whatever the number of layers: the samples go side by
// side from op to op, and what a correction changes is what is held at its
// layer. Memory is that of the values alive at one place, for every sample.

#ifndef QDIALECT_TRANSFORMS_SEQUENTIALBIAS_H
#define QDIALECT_TRANSFORMS_SEQUENTIALBIAS_H

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/PTQ/Statistics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// The analytic form: by the statistics alone. How many contractions were
/// corrected.
int64_t correctBiases(mlir::func::FuncOp function, const Recipe &recipe,
                      const Statistics &statistics);

/// Corrects the biases of `function`, which has its observers, for being
/// quantized by `recipe` and `statistics`, on the first samples at `path`. How
/// many contractions were corrected.
llvm::Expected<int64_t> correctBiasSequentially(mlir::func::FuncOp function,
                                                const Recipe &recipe,
                                                const Statistics &statistics,
                                                llvm::StringRef path);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_SEQUENTIALBIAS_H

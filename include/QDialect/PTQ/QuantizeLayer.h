// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and bias of one layer to codes.
//
// Scales. Each row (or the whole matrix) gets a symmetric grid. The bias is
// added to the integer accumulator, so its scale is sx * sw and its code must
// fit i32 with room for the sum: where |b / (sx * sw)| would reach 2^30 the
// row's weight scale is raised until it does not. That concerns dead rows (all
// weights zero, whose scale is free) and rows so small that their products are
// below the bias's 2^-30 anyway.
//
//   weights {0, 0}, bias 0.5, sx = 0.1:  sw = 0.5 / (0.1 * 2^30) raised to f32
//   weights {0, 0}, no bias:             sw = 1
//
// The scale of the bias is RN(sx * sw) in f32, the very product that the
// accumulator is later multiplied with.

#ifndef QDIALECT_PTQ_QUANTIZELAYER_H
#define QDIALECT_PTQ_QUANTIZELAYER_H

#include "QDialect/PTQ/CalibratedRounding.h"
#include "QDialect/PTQ/LayerView.h"
#include "QDialect/PTQ/Recipe.h"
#include <optional>

namespace qdialect {

struct QuantizedLayer {
  /// One a row; all equal with Granularity::Tensor.
  std::vector<float> weightScales;
  /// Laid out as the layer's weights are.
  std::vector<int32_t> weightCodes;
  /// Present when the layer has a bias (or bias correction made one) and the
  /// input's scale is known.
  std::vector<float> biasScales;
  std::vector<int32_t> biasCodes;
  /// The bias as corrected, for a bias that stays float.
  std::vector<float> bias;
  /// Rows without a weight other than zero, and rows whose scale was raised
  /// for the bias.
  int64_t deadRows = 0;
  int64_t raisedRows = 0;
};

/// Quantizes `layer`. `inputScale` is the activation's, if it has one scale.
/// `moments` (of each input channel; the layer's channels are known then) is
/// what calibrated rounding looks at, if the recipe asks for it
/// (CalibratedRounding.h), and with `correctBias` what the bias is corrected by
/// for the mean of the weights' error (BiasCorrection.h).
QuantizedLayer quantizeLayer(const LayerView &layer,
                             const TensorRecipe &weights,
                             std::optional<float> inputScale,
                             const InputMoments *moments = nullptr,
                             bool correctBias = false);

} // namespace qdialect

#endif // QDIALECT_PTQ_QUANTIZELAYER_H

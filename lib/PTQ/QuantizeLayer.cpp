// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and bias of one layer to codes (QuantizeLayer.h).

#include "QDialect/PTQ/QuantizeLayer.h"
#include "QDialect/Numerics/Quantize.h"
#include "QDialect/Numerics/ScaleSelection.h"
#include "QDialect/PTQ/BiasCorrection.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace qdialect;

/// Codes of a bias stay below this, which leaves the accumulator half its
/// range.
static constexpr double kMaxBiasCode = 1 << 30;

/// A scale so that |bias| / RN(inputScale * scale) is below kMaxBiasCode, at
/// least `scale`.
static float raiseForBias(float scale, float bias, float inputScale) {
  auto fits = [&](float candidate) {
    return std::fabs(static_cast<double>(bias)) <
           kMaxBiasCode * static_cast<double>(inputScale * candidate);
  };
  if (fits(scale))
    return scale;
  float raised = static_cast<float>(std::fabs(static_cast<double>(bias)) /
                                    inputScale / kMaxBiasCode);
  raised = std::max(raised, scale);
  while (!fits(raised))
    raised =
        std::nextafter(raised * 1.0000002f, std::numeric_limits<float>::max());
  return raised;
}

QuantizedLayer qdialect::quantizeLayer(const LayerView &layer,
                                       const TensorRecipe &weights,
                                       std::optional<float> inputScale,
                                       const std::vector<double> *inputMeans) {
  const ScaleOptions options = weights.scaleOptions();
  const int64_t rows = layer.rows, columns = layer.columns;
  QuantizedLayer result;
  result.bias = layer.bias;
  if (weights.granularity == Granularity::Channel) {
    for (int64_t row = 0; row < rows; ++row)
      result.weightScales.push_back(
          chooseParams(layer.weights.data() + row * columns, columns, options)
              .scale);
  } else {
    float scale =
        chooseParams(layer.weights.data(), rows * columns, options).scale;
    result.weightScales.assign(rows, scale);
  }

  bool raises = inputScale && !layer.bias.empty();
  for (int64_t row = 0; row < rows; ++row) {
    const float *w = layer.weights.data() + row * columns;
    bool dead =
        std::all_of(w, w + columns, [](float value) { return value == 0; });
    result.deadRows += dead;
    if (!raises)
      continue;
    float &scale = result.weightScales[row];
    float bias = layer.bias[row];
    // A dead row's scale is free: the smallest that the bias allows keeps the
    // most of it.
    bool free = dead && weights.granularity == Granularity::Channel;
    float start = free && bias != 0 ? std::numeric_limits<float>::min() : scale;
    float raised = raiseForBias(start, bias, *inputScale);
    result.raisedRows += !free && raised != scale;
    scale = raised;
  }
  if (weights.granularity == Granularity::Tensor && rows)
    result.weightScales.assign(rows,
                               *std::max_element(result.weightScales.begin(),
                                                 result.weightScales.end()));

  result.weightCodes.resize(rows * columns);
  std::vector<float> rounded(inputMeans ? rows * columns : 0);
  for (int64_t row = 0, i = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column, ++i) {
      float scale = result.weightScales[row];
      result.weightCodes[i] = quantize(layer.weights[i], scale, 0, options.qmin,
                                       options.qmax, Rounding::HalfEven);
      if (inputMeans)
        rounded[i] = dequantize(result.weightCodes[i], scale, 0);
    }
  if (inputMeans) {
    std::vector<double> correction =
        biasCorrection(layer, rounded, *inputMeans);
    result.bias.resize(rows, 0);
    for (int64_t row = 0; row < rows; ++row)
      result.bias[row] = static_cast<float>(result.bias[row] + correction[row]);
  }
  if (!inputScale || result.bias.empty())
    return result;
  for (int64_t row = 0; row < rows; ++row) {
    float scale = *inputScale * result.weightScales[row];
    result.biasScales.push_back(scale);
    result.biasCodes.push_back(quantize(
        result.bias[row], scale, 0, std::numeric_limits<int32_t>::min(),
        std::numeric_limits<int32_t>::max(), Rounding::HalfEven));
  }
  return result;
}

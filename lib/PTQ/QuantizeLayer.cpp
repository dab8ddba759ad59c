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

/// Scales from the weights alone; `dead[row]` tells rows of zeros.
static void chooseScales(const LayerView &layer, const TensorRecipe &weights,
                         std::vector<float> &scales, std::vector<char> &dead) {
  const ScaleOptions options = weights.scaleOptions();
  const int64_t columns = layer.columns();
  bool perRow = weights.granularity != Granularity::Tensor;
  scales.assign(layer.rows(), 0);
  dead.assign(layer.rows(), 0);
  layer.forEachRowBlock([&](const LayerView::RowBlock &block) {
    for (int64_t i = 0; i < block.count; ++i) {
      const float *w = block.weights + i * columns;
      dead[block.first + i] =
          std::all_of(w, w + columns, [](float value) { return value == 0; });
      if (perRow)
        scales[block.first + i] = chooseParams(w, columns, options).scale;
    }
  });
  if (!perRow)
    scales.assign(layer.rows(),
                  chooseParams(layer.weights, layer.size(), options).scale);
}

/// Raises scales where the bias asks for it.
static void raiseScales(const LayerView &layer, const TensorRecipe &weights,
                        float inputScale, const std::vector<char> &dead,
                        QuantizedLayer &result) {
  bool perRow = weights.granularity != Granularity::Tensor;
  for (int64_t row = 0; row < layer.rows(); ++row) {
    float &scale = result.weightScales[row];
    float bias = layer.bias[row];
    // A dead row's scale is free: the smallest that the bias allows keeps the
    // most of it.
    bool free = dead[row] && perRow;
    float start = free && bias != 0 ? std::numeric_limits<float>::min() : scale;
    float raised = raiseForBias(start, bias, inputScale);
    result.raisedRows += !free && raised != scale;
    scale = raised;
  }
  if (!perRow && layer.rows())
    result.weightScales.assign(layer.rows(),
                               *std::max_element(result.weightScales.begin(),
                                                 result.weightScales.end()));
}

/// The codes of one row to the neighbours that the input's moments ask for.
static void calibrateRow(const LayerView &layer, int64_t row, const float *w,
                         float scale, const ScaleOptions &options,
                         const InputMoments &moments, int32_t *codes) {
  std::vector<double> steps, means, variances;
  for (int64_t column = 0; column < layer.columns(); ++column) {
    int64_t channel = layer.rowChannels[row] + layer.columnChannels[column];
    steps.push_back(static_cast<double>(w[column]) / scale);
    means.push_back(moments.means[channel]);
    variances.push_back(moments.variances[channel]);
  }
  roundByMoments(steps, means, variances, options.qmin, options.qmax, codes);
}

/// Codes, and the bias corrected if `correctBias`.
static void roundWeights(const LayerView &layer, const TensorRecipe &weights,
                         const InputMoments *moments, bool correctBias,
                         QuantizedLayer &result) {
  const ScaleOptions options = weights.scaleOptions();
  const int64_t columns = layer.columns();
  const bool calibrated =
      moments && weights.rounding == WeightRounding::Calibrated;
  correctBias &= moments != nullptr;
  result.weightCodes.resize(layer.size());
  if (correctBias)
    result.bias.resize(layer.rows(), 0);
  layer.forEachRowBlock([&](const LayerView::RowBlock &block) {
    std::vector<float> rounded(correctBias ? columns : 0);
    std::vector<int32_t> codes(block.count * columns);
    for (int64_t i = 0; i < block.count; ++i) {
      const float *w = block.weights + i * columns;
      int64_t row = block.first + i;
      float scale = result.weightScales[row];
      for (int64_t column = 0; column < columns; ++column)
        codes[i * columns + column] =
            quantize(w[column], scale, 0, options.qmin, options.qmax,
                     Rounding::HalfEven);
      if (calibrated)
        calibrateRow(layer, row, w, scale, options, *moments,
                     codes.data() + i * columns);
      if (!correctBias)
        continue;
      for (int64_t column = 0; column < columns; ++column)
        rounded[column] = dequantize(codes[i * columns + column], scale, 0);
      double correction =
          biasCorrection(layer, row, w, rounded.data(), moments->means);
      result.bias[row] = static_cast<float>(result.bias[row] + correction);
    }
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t i = 0; i < block.count; ++i)
        result.weightCodes[layer.rowOffsets[block.first + i] +
                           layer.columnOffsets[column]] =
            codes[i * columns + column];
  });
}

QuantizedLayer qdialect::quantizeLayer(const LayerView &layer,
                                       const TensorRecipe &weights,
                                       std::optional<float> inputScale,
                                       const InputMoments *moments,
                                       bool correctBias) {
  QuantizedLayer result;
  result.bias = layer.bias;
  std::vector<char> dead;
  chooseScales(layer, weights, result.weightScales, dead);
  result.deadRows = std::count(dead.begin(), dead.end(), 1);
  if (inputScale && !layer.bias.empty())
    raiseScales(layer, weights, *inputScale, dead, result);
  roundWeights(layer, weights, moments, correctBias, result);
  if (!inputScale || result.bias.empty())
    return result;
  for (int64_t row = 0; row < layer.rows(); ++row) {
    float scale = *inputScale * result.weightScales[row];
    result.biasScales.push_back(scale);
    result.biasCodes.push_back(quantize(
        result.bias[row], scale, 0, std::numeric_limits<int32_t>::min(),
        std::numeric_limits<int32_t>::max(), Rounding::HalfEven));
  }
  return result;
}

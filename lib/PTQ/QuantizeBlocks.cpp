// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights by blocks to codes (QuantizeBlocks.h).

#include "QDialect/PTQ/QuantizeBlocks.h"
#include "QDialect/Numerics/Quantize.h"
#include <algorithm>

using namespace qdialect;

static int32_t codeOf(float weight, const QuantParams &params,
                      const ScaleOptions &options, const RecipeFormat &format) {
  if (format.minifloat)
    return static_cast<int32_t>(
        format.minifloat->encode(weight / params.scale));
  return quantize(weight, params.scale, params.zeroPoint, options.qmin,
                  options.qmax, Rounding::HalfEven);
}

BlockedLayer qdialect::quantizeBlocks(const LayerView &layer,
                                      const TensorRecipe &weights) {
  const ScaleOptions options = weights.scaleOptions();
  const int64_t rows = layer.rows(), columns = layer.columns();
  BlockedLayer result;
  // A scale a channel is one block.
  const int64_t size =
      weights.granularity == Granularity::Block ? weights.block : columns;
  result.blocks = (columns + size - 1) / size;
  result.scales.resize(result.blocks * rows);
  result.zeroPoints.resize(result.blocks * rows);
  result.codes.resize(layer.size());
  layer.forEachRowBlock([&](const LayerView::RowBlock &part) {
    for (int64_t i = 0; i < part.count; ++i)
      for (int64_t block = 0; block < result.blocks; ++block) {
        int64_t row = part.first + i, first = block * size;
        int64_t end = std::min(columns, first + size);
        const float *w = part.weights + i * columns;
        QuantParams params = chooseParams(w + first, end - first, options);
        result.scales[block * rows + row] = params.scale;
        result.zeroPoints[block * rows + row] = params.zeroPoint;
        for (int64_t column = first; column < end; ++column)
          result.codes[layer.rowOffsets[row] + layer.columnOffsets[column]] =
              codeOf(w[column], params, options, weights.format);
      }
  });
  return result;
}

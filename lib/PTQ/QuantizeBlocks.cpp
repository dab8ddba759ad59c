// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights by blocks to codes (QuantizeBlocks.h).

#include "QDialect/PTQ/QuantizeBlocks.h"
#include "QDialect/Numerics/Quantize.h"
#include <algorithm>

using namespace qdialect;

BlockedLayer qdialect::quantizeBlocks(const LayerView &layer,
                                      const TensorRecipe &weights) {
  const ScaleOptions options = weights.scaleOptions();
  const int64_t rows = layer.rows(), columns = layer.columns();
  BlockedLayer result;
  result.blocks = (columns + weights.block - 1) / weights.block;
  result.scales.resize(result.blocks * rows);
  result.zeroPoints.resize(result.blocks * rows);
  result.codes.resize(layer.size());
  layer.forEachRowBlock([&](const LayerView::RowBlock &part) {
    for (int64_t i = 0; i < part.count; ++i)
      for (int64_t block = 0; block < result.blocks; ++block) {
        int64_t row = part.first + i, first = block * weights.block;
        int64_t end = std::min(columns, first + weights.block);
        const float *w = part.weights + i * columns;
        QuantParams params = chooseParams(w + first, end - first, options);
        result.scales[block * rows + row] = params.scale;
        result.zeroPoints[block * rows + row] = params.zeroPoint;
        for (int64_t column = first; column < end; ++column)
          result.codes[layer.rowOffsets[row] + layer.columnOffsets[column]] =
              quantize(w[column], params.scale, params.zeroPoint, options.qmin,
                       options.qmax, Rounding::HalfEven);
      }
  });
  return result;
}

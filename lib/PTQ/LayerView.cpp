// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gathering rows (LayerView.h).

#include "QDialect/PTQ/LayerView.h"
#include "llvm/Support/Parallel.h"
#include <algorithm>

using namespace qdialect;

LayerView LayerView::dense(const float *weights, int64_t rows,
                           int64_t columns) {
  LayerView layer;
  layer.weights = weights;
  for (int64_t row = 0; row < rows; ++row)
    layer.rowOffsets.push_back(row * columns);
  for (int64_t column = 0; column < columns; ++column)
    layer.columnOffsets.push_back(column);
  return layer;
}

void LayerView::forEachRowBlock(
    const std::function<void(const RowBlock &)> &visit) const {
  int64_t blocks = (rows() + kBlockRows - 1) / kBlockRows;
  llvm::parallelFor(0, blocks, [&](size_t block) {
    int64_t first = static_cast<int64_t>(block) * kBlockRows;
    int64_t count = std::min(kBlockRows, rows() - first);
    std::vector<float> gathered(count * columns());
    for (int64_t column = 0; column < columns(); ++column) {
      const float *from = weights + columnOffsets[column];
      float *to = gathered.data() + column;
      for (int64_t row = 0; row < count; ++row)
        to[row * columns()] = from[rowOffsets[first + row]];
    }
    visit({first, count, gathered.data()});
  });
}

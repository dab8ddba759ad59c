// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layer as the methods of this library see it: a matrix of weights, one row
// an output channel, and what each weight multiplies. Convolution, depthwise,
// grouped and matmul look alike here, in whatever layout their weights lie:
// the place of a weight, and the input channel it reads, are sums of one number
// for the row and one for the column.
//
//   a 3x3x16x32 (HWCF) convolution: rowOffsets {0, 1, ..., 31},
//   columnOffsets {0, 32, 64, ...}, columnChannels {0, 1, ..., 15, 0, 1, ...}

#ifndef QDIALECT_PTQ_LAYERVIEW_H
#define QDIALECT_PTQ_LAYERVIEW_H

#include <cstdint>
#include <functional>
#include <vector>

namespace qdialect {

struct LayerView {
  /// rows * columns weights without gaps, not owned.
  const float *weights = nullptr;
  /// Weight (row, column) is weights[rowOffsets[row] + columnOffsets[column]].
  std::vector<int64_t> rowOffsets, columnOffsets;
  /// Weight (row, column) multiplies the activation's channel
  /// rowChannels[row] + columnChannels[column]; empty where not known.
  std::vector<int64_t> rowChannels, columnChannels;
  /// One value a row, or empty.
  std::vector<float> bias;

  int64_t rows() const { return static_cast<int64_t>(rowOffsets.size()); }
  int64_t columns() const { return static_cast<int64_t>(columnOffsets.size()); }
  int64_t size() const { return rows() * columns(); }

  /// A row-major matrix of `rows` x `columns`.
  static LayerView dense(const float *weights, int64_t rows, int64_t columns);

  /// Rows [first, first + count) as a row-major matrix of their own.
  struct RowBlock {
    int64_t first, count;
    const float *weights;
  };
  /// All rows in blocks of at most kBlockRows, gathered, each block on some
  /// thread. Neighbouring rows often lie in the same cache lines.
  void
  forEachRowBlock(const std::function<void(const RowBlock &)> &visit) const;
  static constexpr int64_t kBlockRows = 16;
};

} // namespace qdialect

#endif // QDIALECT_PTQ_LAYERVIEW_H

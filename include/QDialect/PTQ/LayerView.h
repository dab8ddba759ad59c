// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layer as the methods of this library see it: a matrix of weights, one row
// an output channel, and what each weight multiplies. Convolution, depthwise,
// grouped and matmul look alike here.

#ifndef QDIALECT_PTQ_LAYERVIEW_H
#define QDIALECT_PTQ_LAYERVIEW_H

#include <cstdint>
#include <vector>

namespace qdialect {

struct LayerView {
  int64_t rows = 0;
  int64_t columns = 0;
  /// rows * columns, row-major.
  std::vector<float> weights;
  /// The channel of the activation that weight (row, column) multiplies; as
  /// long as `weights`, or empty where it is not known.
  std::vector<int32_t> inputChannels;
  /// One value a row, or empty.
  std::vector<float> bias;
};

} // namespace qdialect

#endif // QDIALECT_PTQ_LAYERVIEW_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of one layer to codes with a scale, and perhaps a zero point, for
// each block of neighbouring columns of each row:
//
//   row {0.7, -0.7, 1.4, -0.2}, blocks of 2, s4 symmetric:
//       scales {0.1, 0.2}, codes {7, -7, 7, -1}
//
// Symmetric codes leave the lowest one out.

#ifndef QDIALECT_PTQ_QUANTIZEBLOCKS_H
#define QDIALECT_PTQ_QUANTIZEBLOCKS_H

#include "QDialect/PTQ/LayerView.h"
#include "QDialect/PTQ/Recipe.h"

namespace qdialect {

struct BlockedLayer {
  int64_t blocks = 0; ///< of a row; the last may be short
  /// [block][row].
  std::vector<float> scales;
  std::vector<int32_t> zeroPoints;
  /// Laid out as the layer's weights are.
  std::vector<int32_t> codes;
};

BlockedLayer quantizeBlocks(const LayerView &layer,
                            const TensorRecipe &weights);

} // namespace qdialect

#endif // QDIALECT_PTQ_QUANTIZEBLOCKS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analytic bias correction (BiasCorrection.h).

#include "QDialect/PTQ/BiasCorrection.h"
#include <cassert>

double qdialect::biasCorrection(const LayerView &layer, int64_t row,
                                const float *weights, const float *rounded,
                                const std::vector<double> &inputMeans) {
  assert(layer.rowChannels.size() == layer.rowOffsets.size() &&
         layer.columnChannels.size() == layer.columnOffsets.size());
  double result = 0;
  for (int64_t column = 0; column < layer.columns(); ++column)
    result -= (static_cast<double>(rounded[column]) - weights[column]) *
              inputMeans[layer.rowChannels[row] + layer.columnChannels[column]];
  return result;
}

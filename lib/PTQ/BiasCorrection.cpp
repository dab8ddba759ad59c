// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analytic bias correction (BiasCorrection.h).

#include "QDialect/PTQ/BiasCorrection.h"
#include <cassert>

std::vector<double>
qdialect::biasCorrection(const LayerView &layer,
                         const std::vector<float> &rounded,
                         const std::vector<double> &inputMeans) {
  assert(rounded.size() == layer.weights.size() &&
         layer.inputChannels.size() == layer.weights.size());
  std::vector<double> result(layer.rows, 0);
  for (int64_t row = 0, i = 0; row < layer.rows; ++row)
    for (int64_t column = 0; column < layer.columns; ++column, ++i)
      result[row] -= (static_cast<double>(rounded[i]) - layer.weights[i]) *
                     inputMeans[layer.inputChannels[i]];
  return result;
}

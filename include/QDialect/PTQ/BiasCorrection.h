// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analytic bias correction (Nagel et al., "Data-Free Quantization Through
// Weight Equalization and Bias Correction", ICCV 2019, section 4.2): rounding
// weights shifts the mean of each output by (W' - W) E[x]; the bias takes it
// back.
//
//   W = {0.34}, W' = {0.3}, E[x] = 2:  the mean falls by 0.08, b' = b + 0.08
//
// E[x] comes from the calibration statistics of the float network, so errors of
// earlier layers are not seen; padding counts as if it had the mean.

#ifndef QDIALECT_PTQ_BIASCORRECTION_H
#define QDIALECT_PTQ_BIASCORRECTION_H

#include "QDialect/PTQ/LayerView.h"
#include <vector>

namespace qdialect {

/// What to add to the bias of `row`: -(W' - W) E[x], in f64. `weights` is the
/// row of W, `rounded` that of W', in the order of the layer's columns; its
/// channels must be known and be below inputMeans.size().
double biasCorrection(const LayerView &layer, int64_t row, const float *weights,
                      const float *rounded,
                      const std::vector<double> &inputMeans);

} // namespace qdialect

#endif // QDIALECT_PTQ_BIASCORRECTION_H

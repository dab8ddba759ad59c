// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounds weights so that their errors cancel in the layer's output. With
// d[k] = code[k] - w[k] / scale the error of a row's output is sum d[k] x[k],
// and for inputs of means m and variances v that hang together in nothing else
//
//   E[(sum d[k] x[k])^2] = (sum d[k] m[k])^2 + sum d[k]^2 v[k]
//
// Rounding to nearest makes the second term least; the first one adds up over
// the columns, most of all behind a relu, where all means are positive. Each
// weight takes the neighbour, below or above it, that lowers the whole; the
// best change is made first, until none helps.
//
//   w / scale = {0.4, 0.4, 0.4}, m = 1, v = 0.1:
//   nearest {0, 0, 0}: 1.2^2 + 0.048 = 1.488   found {1, 0, 0}: 0.04 + 0.068
//
// Nagel et al. ("Up or Down?", ICML 2020) choose by gradients on data and Guo
// et al. (SQuant, ICLR 2022) by the plain sums of errors, which are these with
// m = 1; a search on calibration means is between them: it takes no data but
// the statistics and no training.

#ifndef QDIALECT_PTQ_CALIBRATEDROUNDING_H
#define QDIALECT_PTQ_CALIBRATEDROUNDING_H

#include <cstdint>
#include <vector>

namespace qdialect {

/// What is known of a layer's input, by channel.
struct InputMoments {
  std::vector<double> means, variances;
};

/// Changes `codes`, which are `steps` (weights over their scale) rounded to
/// nearest and clamped to [qmin, qmax], to neighbours within the same bounds.
/// All vectors have one element a column.
void roundByMoments(const std::vector<double> &steps,
                    const std::vector<double> &means,
                    const std::vector<double> &variances, int64_t qmin,
                    int64_t qmax, int32_t *codes);

} // namespace qdialect

#endif // QDIALECT_PTQ_CALIBRATEDROUNDING_H

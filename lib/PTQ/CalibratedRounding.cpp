// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Descent over the neighbours of one row's weights (CalibratedRounding.h).

#include "QDialect/PTQ/CalibratedRounding.h"
#include <cassert>
#include <cmath>

using namespace qdialect;

void qdialect::roundByMoments(const std::vector<double> &steps,
                              const std::vector<double> &means,
                              const std::vector<double> &variances,
                              int64_t qmin, int64_t qmax, int32_t *codes) {
  const size_t count = steps.size();
  assert(means.size() == count && variances.size() == count);
  // By column: what a change to the other neighbour adds to the sum of errors,
  // and to the sum of variances.
  std::vector<double> shift(count, 0), cost(count, 0);
  double sum = 0;
  auto consider = [&](size_t k) {
    double error = codes[k] - steps[k];
    double change = error > 0 ? -1 : 1;
    int64_t other = codes[k] + static_cast<int64_t>(change);
    // A clamped weight has no other neighbour: beyond it lies the next step.
    bool possible = error != 0 && std::fabs(error) < 1 && other >= qmin &&
                    other <= qmax && std::isfinite(means[k]);
    shift[k] = possible ? change * means[k] : 0;
    cost[k] = possible ? (1 + 2 * change * error) * variances[k] : 0;
  };
  for (size_t k = 0; k < count; ++k) {
    consider(k);
    sum += (codes[k] - steps[k]) * means[k];
  }
  // Every change lowers the error, so no code comes twice; the bound is for
  // ones that lower it by rounding alone.
  for (size_t changes = 0; changes < 2 * count; ++changes) {
    double best = -1e-12 * sum * sum;
    size_t chosen = count;
    for (size_t k = 0; k < count; ++k) {
      double change = shift[k] * (2 * sum + shift[k]) + cost[k];
      if (change < best) {
        best = change;
        chosen = k;
      }
    }
    if (chosen == count)
      return;
    sum += shift[chosen];
    codes[chosen] += codes[chosen] > steps[chosen] ? -1 : 1;
    consider(chosen);
  }
}

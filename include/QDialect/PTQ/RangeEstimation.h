// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a distribution to a quantization grid: which part of the range the codes
// cover, then scale and zero point.

#ifndef QDIALECT_PTQ_RANGEESTIMATION_H
#define QDIALECT_PTQ_RANGEESTIMATION_H

#include "QDialect/PTQ/Statistics.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <string>
#include <vector>

namespace qdialect {

struct RangeEstimator {
  enum class Kind {
    /// The extremes seen.
    MinMax,
    /// The central `percentile` per cent of the values.
    Percentile,
    /// The range of least squared error.
    MSE,
    /// The range of least Kullback-Leibler divergence (8 bits and less).
    Entropy,
    /// The range of least |error|^p.
    Lp,
  };
  Kind kind = Kind::MinMax;
  double percentile = 99.99;
  double p = 2.4;
};

/// One grid: real = (code - zeroPoint) * scale.
struct Grid {
  float scale = 1;
  int32_t zeroPoint = 0;
};

/// Whether codes are symmetric about zero and which they are.
struct CodeRange {
  int64_t min = 0;
  int64_t max = 255;
  /// Symmetric grids have the zero point in the middle of the alphabet (0 for
  /// signed codes) and leave the lowest signed code out.
  bool symmetric = false;
};

} // namespace qdialect

#endif // QDIALECT_PTQ_RANGEESTIMATION_H

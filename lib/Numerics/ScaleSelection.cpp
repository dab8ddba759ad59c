// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a range to a grid: scale and zero point. The rule: f64 inside, one
// rounding to f32, and no input for which the scale is not a positive normal
// number. The estimators of the range are in RangeEstimation.cpp.
#include "QDialect/Numerics/ScaleSelection.h"

#include "QDialect/Numerics/Rounding.h"

#include <algorithm>
#include <cmath>

#ifndef QDIALECT_MUTATE
#define QDIALECT_MUTATE 0
#endif

namespace qdialect {

/// The code of 0 on a symmetric grid: int8 0, uint8 128.
static int32_t middleCode(const ScaleOptions &options) {
  int64_t sum = static_cast<int64_t>(options.qmin) + options.qmax + 1;
  return static_cast<int32_t>(sum >= 0 ? sum / 2 : -(-sum / 2));
}

static float toScale(double scale, const ScaleOptions &options) {
  double largest = std::numeric_limits<float>::max();
  return static_cast<float>(
      std::min(std::max(scale, double{options.minScale}), largest));
}

static QuantParams symmetricParams(double magnitude,
                                   const ScaleOptions &options) {
  QuantParams params;
  params.zeroPoint = middleCode(options);
  // A one-bit signed alphabet has no positive code.
  int64_t steps = int64_t{options.qmax} - params.zeroPoint;
  if (steps == 0)
    steps = int64_t{params.zeroPoint} - options.qmin;
  if (magnitude > 0 && steps > 0)
    params.scale = toScale(magnitude / static_cast<double>(steps), options);
  if (options.domain == ZeroPointDomain::Real) {
    params.realZero =
        static_cast<float>(-double{params.scale} * params.zeroPoint);
    params.zeroPoint = 0;
  }
  return params;
}

QuantParams chooseParams(ValueRange range, const ScaleOptions &options) {
  double min = range.empty() ? 0.0 : range.min;
  double max = range.empty() ? 0.0 : range.max;
  if (options.symmetric)
    return symmetricParams(std::max(std::fabs(min), std::fabs(max)), options);

  // A single value has no width; 0 beside it gives the grid one.
  if (options.zero == ZeroInRange::Include || min == max) {
    min = std::min(min, 0.0);
    max = std::max(max, 0.0);
  }
  QuantParams params;
  double steps = static_cast<double>(int64_t{options.qmax} - options.qmin);
  double scale = steps > 0 ? (max - min) / steps : 0.0;
  bool inCodes = options.domain == ZeroPointDomain::Code;
  if (inCodes) // |z| <= 2^22
    scale = std::max(scale, std::max(std::fabs(min), std::fabs(max)) / 0x1p22);
  if (scale > 0)
    params.scale = toScale(scale, options);
  if (!inCodes) {
    params.realZero = static_cast<float>(
        min - static_cast<double>(options.qmin) * params.scale);
    return params;
  }
  double zero = static_cast<double>(options.qmin) - min / params.scale;
  // Seeded fault 8: the zero point is cut off instead of rounded.
  zero = QDIALECT_MUTATE == 8 ? std::floor(zero) : roundHalfEven(zero);
  // Where 0 is inside, so is its code; only the rounding of s can say
  // otherwise.
  if (min <= 0 && max >= 0)
    zero = std::min<double>(std::max<double>(zero, options.qmin), options.qmax);
  params.zeroPoint = static_cast<int32_t>(zero);
  return params;
}

QuantParams chooseParams(const float *data, int64_t n,
                         const ScaleOptions &options, int64_t stride) {
  return chooseParams(estimateRange(data, n, options, stride), options);
}

QuantParams chooseParams(const Bins &bins, const ScaleOptions &options) {
  return chooseParams(estimateRange(bins, options), options);
}

std::vector<QuantParams> chooseParamsPerChannel(const float *data,
                                                int64_t outer, int64_t channels,
                                                int64_t inner,
                                                const ScaleOptions &options) {
  std::vector<QuantParams> result;
  std::vector<float> channel(static_cast<size_t>(outer * inner));
  for (int64_t c = 0; c < channels; ++c) {
    float *next = channel.data();
    for (int64_t o = 0; o < outer; ++o)
      next = std::copy_n(data + (o * channels + c) * inner, inner, next);
    result.push_back(chooseParams(channel.data(), outer * inner, options));
  }
  return result;
}

QuantParams chooseDynamicParams(ValueRange values, int32_t qmin, int32_t qmax,
                                bool symmetric) {
  auto lo = static_cast<float>(std::min(values.min, 0.0)),
       hi = static_cast<float>(std::max(values.max, 0.0));
  auto low = static_cast<float>(qmin), high = static_cast<float>(qmax);
  int32_t middle = (qmin + qmax + 1) / 2;
  QuantParams params;
  params.scale = symmetric ? std::max(std::fabs(lo), hi) /
                                 static_cast<float>(qmax - middle)
                           : (hi - lo) / static_cast<float>(qmax - qmin);
  if (!(params.scale > 0) || !std::isfinite(params.scale))
    params.scale = 1;
  params.zeroPoint =
      symmetric ? middle
                : static_cast<int32_t>(std::nearbyint(
                      std::min(std::max(low - lo / params.scale, low), high)));
  return params;
}

} // namespace qdialect

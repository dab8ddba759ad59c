// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row reductions and the row functions built on them, each operation
// rounded to f32 and in the order that the header fixes.
#include "QDialect/Numerics/Reductions.h"

#include "QDialect/Numerics/FloatFunctions.h"

#include <cmath>
#include <limits>

namespace qdialect {

/// Sums value(0) .. value(n - 1) in sixteen lanes and a tree.
template <typename Value>
static float laneSum(int64_t n, Value value) {
  float lanes[kReductionLanes] = {};
  for (int64_t i = 0; i < n; ++i)
    lanes[i % kReductionLanes] += value(i);
  // Seeded fault 5: neighbours first instead of halves first.
  if constexpr (QDIALECT_MUTATE == 5) {
    for (int64_t step = 1; step < kReductionLanes; step *= 2)
      for (int64_t lane = 0; lane < kReductionLanes; lane += 2 * step)
        lanes[lane] += lanes[lane + step];
    return lanes[0];
  }
  for (int64_t half = kReductionLanes / 2; half != 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      lanes[lane] += lanes[lane + half];
  return lanes[0];
}

float rowSum(const float *x, int64_t n, int64_t stride) {
  return laneSum(n, [&](int64_t i) { return x[i * stride]; });
}

float rowSumOfSquares(const float *x, int64_t n, int64_t stride) {
  return laneSum(n, [&](int64_t i) { return x[i * stride] * x[i * stride]; });
}

float maximum(float a, float b) {
  if (a != a || b != b)
    return a + b; // NaN
  if (a == b)     // +0 over -0
    return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

float minimum(float a, float b) {
  if (a != a || b != b)
    return a + b;
  if (a == b)
    return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

float rowMax(const float *x, int64_t n, int64_t stride) {
  float result = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i)
    result = maximum(result, x[i * stride]);
  return result;
}

void softmaxRow(const float *x, float *y, int64_t n, int64_t stride) {
  float max = rowMax(x, n, stride);
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] = expF32(x[i * stride] - max);
  float sum = rowSum(y, n, stride);
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] /= sum;
}

/// y = (y * factor) * gamma + beta.
static void scaleRow(float *y, int64_t n, int64_t stride, float factor,
                     const float *gamma, const float *beta) {
  for (int64_t i = 0; i < n; ++i) {
    float value = y[i * stride] * factor;
    if (gamma)
      value = value * gamma[i];
    if (beta)
      value = value + beta[i];
    y[i * stride] = value;
  }
}

void layerNormRow(const float *x, float *y, int64_t n, int64_t stride,
                  const float *gamma, const float *beta, float epsilon) {
  auto count = static_cast<float>(n);
  float mean = rowSum(x, n, stride) / count;
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] = x[i * stride] - mean;
  float variance = rowSumOfSquares(y, n, stride) / count;
  scaleRow(y, n, stride, rsqrtF32(variance + epsilon), gamma, beta);
}

void rmsNormRow(const float *x, float *y, int64_t n, int64_t stride,
                const float *gamma, float epsilon) {
  float square = rowSumOfSquares(x, n, stride) / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i)
    y[i * stride] = x[i * stride];
  scaleRow(y, n, stride, rsqrtF32(square + epsilon), gamma, /*beta=*/nullptr);
}

} // namespace qdialect

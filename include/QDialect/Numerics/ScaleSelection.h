// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From data to a scale and a zero point: which range of values the codes shall
// cover, and the grid over that range.
//
// Two steps, usable apart. `estimateRange` looks at the data (raw values or
// bins) and gives [min, max]; `chooseParams` turns a range into (scale, zero
// point):
//
//   asymmetric  s = (max - min) / (qmax - qmin),  z = rne(qmin - min / s)
//   symmetric   s = max(|min|, |max|) / (qmax - z), z the middle of the codes
//
// [-1, 3] on int8: s = 4 / 255 = 0.015686, z = rne(-128 + 63.75) = -64;
// symmetric s = 3 / 127 = 0.023622, z = 0, and code -128 is not used. Symmetric
// codes of uint8 have z = 128. s is computed in f64 and rounded to f32 once; z
// uses the rounded s.
//
// Zero. ZeroInRange::Include stretches the range to hold 0, so that padding and
// ReLU are exact and z lies in [qmin, qmax]. Keep does not: z may lie outside,
// at most 2^22 away from 0, for which the scale is enlarged where needed (data
// in [1000, 1000.001] cannot have 8-bit steps in the code domain). The real
// domain, x = q * s + m, has no such limit: m = min - qmin * s.
//
// Methods of estimateRange (all ignore NaN and infinities):
//   MinMax      the extremes
//   AbsMax      [-a, a], a the largest magnitude
//   Percentile  the central `percentile` per cent; of |x| if symmetric
//   MSE, Lp     the range of least sum |x - dequantize(quantize(x))|^p, p = 2
//               for MSE: a search over shrunken ranges in f64 on the real grid
//   Entropy     least Kullback-Leibler divergence between the histogram of |x|
//               and its quantized form (TensorRT's calibration); alphabets of
//               more than 256 codes take MinMax
//
// Dead channels: no finite data, or all zero, gives s = 1 and the z that codes
// 0 (the middle if symmetric, else 0 clamped to [qmin, qmax]). Never a scale of
// 0, infinity, NaN or below `minScale`, whose default is the smallest normal
// f32.
#ifndef QDIALECT_NUMERICS_SCALESELECTION_H
#define QDIALECT_NUMERICS_SCALESELECTION_H

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace qdialect {

enum class RangeMethod : uint8_t {
  MinMax,
  AbsMax,
  Percentile,
  MSE,
  Entropy,
  Lp
};

enum class ZeroInRange : uint8_t { Include, Keep };
enum class ZeroPointDomain : uint8_t { Code, Real };

/// An interval of real numbers; empty (min > max) where no finite data was.
struct ValueRange {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  bool empty() const { return !(min <= max); }
};

struct ScaleOptions {
  int32_t qmin = -128;
  int32_t qmax = 127;
  RangeMethod method = RangeMethod::MinMax;
  bool symmetric = false;
  ZeroInRange zero = ZeroInRange::Include;
  ZeroPointDomain domain = ZeroPointDomain::Code;
  /// Percentile: the share of the values inside the range, in per cent.
  double percentile = 99.99;
  /// Lp: the exponent.
  double p = 2.4;
  float minScale = std::numeric_limits<float>::min();
};

/// x = (q - zeroPoint) * scale, or q * scale + realZero in the real domain
/// (where zeroPoint is 0).
struct QuantParams {
  float scale = 1.0f;
  int32_t zeroPoint = 0;
  float realZero = 0.0f;
};

/// Uniform bins: `counts[i]` values in [lower + i * width, lower + (i+1) *
/// width), which the estimators take as that many values at the middle.
/// `extremes`, where known, bound the range better than the edges of the bins.
struct Bins {
  double lower = 0.0;
  double width = 1.0;
  const uint64_t *counts = nullptr;
  size_t size = 0;
  ValueRange extremes;
};

/// The range of n values `stride` apart that `options.method` finds.
ValueRange estimateRange(const float *data, int64_t n,
                         const ScaleOptions &options, int64_t stride = 1);
ValueRange estimateRange(const Bins &bins, const ScaleOptions &options);

/// The grid over a range.
QuantParams chooseParams(ValueRange range, const ScaleOptions &options);

/// The grid over the range of `values` and 0 as programs choose it when they
/// run: in f32, each operation rounded; scale 1 where it would be 0 or
/// infinite.
QuantParams chooseDynamicParams(ValueRange values, int32_t qmin, int32_t qmax,
                                bool symmetric);

/// Both steps.
QuantParams chooseParams(const float *data, int64_t n,
                         const ScaleOptions &options, int64_t stride = 1);
QuantParams chooseParams(const Bins &bins, const ScaleOptions &options);

/// Both steps for every channel of data [outer, channels, inner].
std::vector<QuantParams> chooseParamsPerChannel(const float *data,
                                                int64_t outer, int64_t channels,
                                                int64_t inner,
                                                const ScaleOptions &options);

/// A weighted set of values; what the estimators work on.
struct WeightedValues {
  std::vector<float> values; // ascending
  std::vector<double> weights;
};

/// sum of weight * |x - dequantize(quantize(x))|^p on the grid of `params`.
double quantizationError(const WeightedValues &data, const QuantParams &params,
                         const ScaleOptions &options, double p);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_SCALESELECTION_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The range estimators. All but MinMax work on sorted weighted values, so raw
// data and histograms take one path. Searches are deterministic grids: no
// randomness, no convergence test.
#include "QDialect/Numerics/Rounding.h"
#include "QDialect/Numerics/ScaleSelection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace qdialect {

static WeightedValues collect(const float *data, int64_t n, int64_t stride) {
  WeightedValues result;
  for (int64_t i = 0; i < n; ++i)
    if (std::isfinite(data[i * stride]))
      result.values.push_back(data[i * stride]);
  std::sort(result.values.begin(), result.values.end());
  result.weights.assign(result.values.size(), 1.0);
  return result;
}

static WeightedValues collect(const Bins &bins) {
  WeightedValues result;
  for (size_t i = 0; i < bins.size; ++i) {
    if (bins.counts[i] == 0)
      continue;
    double center = bins.lower + (static_cast<double>(i) + 0.5) * bins.width;
    if (!bins.extremes.empty())
      center = std::clamp(center, bins.extremes.min, bins.extremes.max);
    result.values.push_back(static_cast<float>(center));
    result.weights.push_back(static_cast<double>(bins.counts[i]));
  }
  return result;
}

/// The smallest value with at least `share` of the weight at or below it.
static double quantile(const WeightedValues &data, double share) {
  double total = 0;
  for (double weight : data.weights)
    total += weight;
  double below = 0;
  for (size_t i = 0; i < data.values.size(); ++i) {
    below += data.weights[i];
    // A hair of slack: 0.9 * 10 must be 9.
    if (below >= share * total * (1 - 1e-12))
      return data.values[i];
  }
  return data.values.back();
}

static WeightedValues magnitudes(const WeightedValues &data) {
  std::vector<std::pair<float, double>> pairs;
  for (size_t i = 0; i < data.values.size(); ++i)
    pairs.emplace_back(std::fabs(data.values[i]), data.weights[i]);
  std::sort(pairs.begin(), pairs.end());
  WeightedValues result;
  for (auto [value, weight] : pairs) {
    result.values.push_back(value);
    result.weights.push_back(weight);
  }
  return result;
}

static ValueRange percentileRange(const WeightedValues &data,
                                  const ScaleOptions &options) {
  double share = std::clamp(options.percentile / 100.0, 0.0, 1.0);
  if (options.symmetric) {
    double bound = quantile(magnitudes(data), share);
    return {-bound, bound};
  }
  double tail = (1 - share) / 2;
  // The low end is the mirror image of the high one.
  WeightedValues mirrored;
  for (size_t i = data.values.size(); i-- > 0;) {
    mirrored.values.push_back(-data.values[i]);
    mirrored.weights.push_back(data.weights[i]);
  }
  return {-quantile(mirrored, 1 - tail), quantile(data, 1 - tail)};
}

double quantizationError(const WeightedValues &data, const QuantParams &params,
                         const ScaleOptions &options, double p) {
  double scale = params.scale;
  double zero = params.zeroPoint, offset = params.realZero;
  double lo = options.qmin - zero, hi = options.qmax - zero;
  double error = 0;
  for (size_t i = 0; i < data.values.size(); ++i) {
    double x = data.values[i] - offset;
    double steps = std::clamp(roundHalfEven(x / scale), lo, hi);
    double distance = std::fabs(x - steps * scale);
    error += data.weights[i] *
             (p == 2.0 ? distance * distance : std::pow(distance, p));
  }
  return error;
}

namespace {

/// Searches the range of least |error|^p below the full range.
class RangeSearch {
public:
  RangeSearch(const WeightedValues &data, const ScaleOptions &options, double p)
      : data(data), options(options), p(p) {}

  ValueRange search(ValueRange full) {
    if (options.symmetric) {
      double bound = std::max(std::fabs(full.min), std::fabs(full.max));
      full = {-bound, bound};
    }
    best = full;
    bestError = error(full);
    // Both ends together, coarse then fine.
    double center = scan(full, 1.0, 0.04, 24, Both);
    scan(full, std::min(1.0, center + 0.03), 0.01, 6, Both);
    if (options.symmetric)
      return best;
    // Then each end alone, around what was found.
    for (int round = 0; round < 2; ++round)
      for (Ends ends : {Low, High})
        scan(best, 1.3, 0.02, 30, ends, full);
    return best;
  }

private:
  enum Ends { Low, High, Both };

  double error(ValueRange range) const {
    return quantizationError(data, chooseParams(range, options), options, p);
  }

  /// Tries the factors first, first - step, ...; returns the best one.
  double scan(ValueRange from, double first, double step, int count, Ends ends,
              ValueRange limit) {
    double bestFactor = 1.0;
    for (int i = 0; i < count; ++i) {
      double factor = first - step * i;
      ValueRange range = from;
      if (ends != High)
        range.min = std::max(from.min * factor, limit.min);
      if (ends != Low)
        range.max = std::min(from.max * factor, limit.max);
      double candidate = error(range);
      if (candidate < bestError) {
        bestError = candidate;
        best = range;
        bestFactor = factor;
      }
    }
    return bestFactor;
  }

  double scan(ValueRange from, double first, double step, int count,
              Ends ends) {
    return scan(from, first, step, count, ends, from);
  }

  const WeightedValues &data;
  const ScaleOptions &options;
  double p;
  ValueRange best;
  double bestError = 0;
};

/// KL(P || Q) where P is `counts` with everything from `kept` on moved into the
/// last kept bin, and Q is the first `kept` bins merged into `levels` groups,
/// each group's count spread evenly over its bins that are not empty.
double divergence(const std::vector<double> &counts, size_t kept,
                  size_t levels) {
  double outside = 0, total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    if (i >= kept)
      outside += counts[i];
  }
  double inside = total - outside;
  if (inside <= 0)
    return std::numeric_limits<double>::infinity();
  double result = 0;
  for (size_t level = 0; level < levels; ++level) {
    size_t begin = level * kept / levels, end = (level + 1) * kept / levels;
    double sum = 0, used = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += counts[i];
      used += counts[i] > 0;
    }
    for (size_t i = begin; i < end; ++i) {
      double p = counts[i] + (i + 1 == kept ? outside : 0.0);
      if (p == 0)
        continue;
      // Only the last bin can be empty in Q and not in P; a count of one
      // keeps the divergence finite.
      double q = used > 0 ? sum / used : 1.0;
      result += p / total * std::log((p / total) / (q / inside));
    }
  }
  return result;
}

} // namespace

static ValueRange entropyRange(const WeightedValues &data, ValueRange full,
                               const ScaleOptions &options) {
  int64_t codes = int64_t{options.qmax} - options.qmin + 1;
  double bound = std::max(std::fabs(full.min), std::fabs(full.max));
  if (codes > 256 || codes < 4 || bound == 0)
    return full;
  // One-sided data use all codes for one sign.
  bool oneSided = !options.symmetric && (full.min >= 0 || full.max <= 0);
  auto levels = static_cast<size_t>(oneSided ? codes : codes / 2);
  constexpr size_t kBins = 2048;
  std::vector<double> counts(kBins, 0.0);
  for (size_t i = 0; i < data.values.size(); ++i) {
    double position = std::fabs(data.values[i]) / bound * kBins;
    counts[std::min(static_cast<size_t>(position), kBins - 1)] +=
        data.weights[i];
  }
  // What rounds to zero whatever the threshold says nothing about it.
  counts[0] = 0;
  size_t best = kBins;
  double least = std::numeric_limits<double>::infinity();
  for (size_t kept = levels; kept <= kBins; kept += 8) {
    double value = divergence(counts, kept, levels);
    if (value < least) {
      least = value;
      best = kept;
    }
  }
  double threshold = bound * static_cast<double>(best) / kBins;
  return {std::max(full.min, -threshold), std::min(full.max, threshold)};
}

static ValueRange estimate(const WeightedValues &data, ValueRange full,
                           const ScaleOptions &options) {
  if (data.values.empty())
    return {};
  switch (options.method) {
  case RangeMethod::MinMax:
    return full;
  case RangeMethod::AbsMax: {
    double bound = std::max(std::fabs(full.min), std::fabs(full.max));
    return {-bound, bound};
  }
  case RangeMethod::Percentile:
    return percentileRange(data, options);
  case RangeMethod::MSE:
    return RangeSearch(data, options, 2.0).search(full);
  case RangeMethod::Lp:
    return RangeSearch(data, options, options.p).search(full);
  case RangeMethod::Entropy:
    return entropyRange(data, full, options);
  }
  return full;
}

static ValueRange extremes(const WeightedValues &data) {
  if (data.values.empty())
    return {};
  return {data.values.front(), data.values.back()};
}

ValueRange estimateRange(const float *data, int64_t n,
                         const ScaleOptions &options, int64_t stride) {
  if (options.method == RangeMethod::MinMax ||
      options.method == RangeMethod::AbsMax) {
    // The common case needs no sorting.
    ValueRange range;
    for (int64_t i = 0; i < n; ++i) {
      double x = data[i * stride];
      if (std::isfinite(x))
        range = {std::min(range.min, x), std::max(range.max, x)};
    }
    if (options.method == RangeMethod::MinMax || range.empty())
      return range;
    double bound = std::max(std::fabs(range.min), std::fabs(range.max));
    return {-bound, bound};
  }
  WeightedValues values = collect(data, n, stride);
  return estimate(values, extremes(values), options);
}

ValueRange estimateRange(const Bins &bins, const ScaleOptions &options) {
  WeightedValues values = collect(bins);
  ValueRange full = bins.extremes.empty() ? extremes(values) : bins.extremes;
  return estimate(values, full, options);
}

} // namespace qdialect

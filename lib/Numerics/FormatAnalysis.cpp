// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Partial moments of the distributions, and the search for the best scale.
#include "QDialect/Numerics/FormatAnalysis.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>

namespace qdialect {

using Moments3 = std::array<double, 3>;

static constexpr double kPi = 3.14159265358979323846;

Distribution Distribution::uniform() {
  auto moments = [](double x) {
    x = std::clamp(x, -1.0, 1.0);
    return Moments3{(x + 1) / 2, (x * x - 1) / 4, (x * x * x + 1) / 6};
  };
  return {moments, 1.0 / 3.0};
}

Distribution Distribution::gauss() {
  auto moments = [](double x) {
    double density = std::exp(-x * x / 2) / std::sqrt(2 * kPi);
    double below = std::erfc(-x / std::sqrt(2.0)) / 2;
    double product = std::isinf(x) ? 0.0 : x * density;
    return Moments3{below, -density, below - product};
  };
  return {moments, 1.0};
}

Distribution Distribution::laplace() {
  auto moments = [](double x) {
    double tail = std::exp(-std::fabs(x)) / 2, t = std::fabs(x);
    if (std::isinf(x))
      return x < 0 ? Moments3{0, 0, 0} : Moments3{1, 0, 2};
    double first = -tail * (t + 1), second = tail * (t * t + 2 * t + 2);
    if (x < 0)
      return Moments3{tail, first, second};
    return Moments3{1 - tail, first, 2 - second};
  };
  return {moments, 2.0};
}

/// The regularized incomplete beta function I_x(a, b) by its continued fraction
/// (Lentz's method), for x below (a + 1) / (a + b + 2); else by symmetry.
static double incompleteBeta(double x, double a, double b) {
  if (x <= 0)
    return 0;
  if (x >= 1)
    return 1;
  if (x > (a + 1) / (a + b + 2))
    return 1 - incompleteBeta(1 - x, b, a);
  double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                          a * std::log(x) + b * std::log1p(-x)) /
                 a;
  constexpr double tiny = 1e-300;
  double f = 1, c = 1, d = 0;
  for (int i = 0; i <= 300; ++i) {
    int m = i / 2;
    double numerator = 1;
    if (i > 0)
      numerator = i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                             : -(a + m) * (a + b + m) * x /
                                   ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + numerator * d;
    d = 1 / (std::fabs(d) < tiny ? tiny : d);
    c = 1 + numerator / c;
    c = std::fabs(c) < tiny ? tiny : c;
    f *= c * d;
    if (std::fabs(1 - c * d) < 1e-15)
      break;
  }
  return front * (f - 1);
}

/// Student's cumulative distribution function.
static double studentBelow(double x, double degrees) {
  if (std::isinf(x))
    return x < 0 ? 0.0 : 1.0;
  double tail =
      incompleteBeta(degrees / (degrees + x * x), degrees / 2, 0.5) / 2;
  return x < 0 ? tail : 1 - tail;
}

Distribution Distribution::studentT(double degrees) {
  assert(degrees > 2 && "the variance must exist");
  double n = degrees;
  double norm = std::exp(std::lgamma((n + 1) / 2) - std::lgamma(n / 2)) /
                std::sqrt(n * kPi);
  // x^2 p = n ((1 + x^2 / n) p - p), and (1 + x^2 / n) p is (n - 1) / (n - 2)
  // times the density of t(n - 2) at x sqrt((n - 2) / n), stretched.
  double stretch = std::sqrt((n - 2) / n);
  auto moments = [=](double x) {
    double below = studentBelow(x, n);
    double first = 0;
    if (std::isfinite(x))
      first = -norm * std::pow(1 + x * x / n, (1 - n) / 2) * n / (n - 1);
    double second =
        n * ((n - 1) / (n - 2) * studentBelow(x * stretch, n - 2) - below);
    return Moments3{below, first, second};
  };
  return {moments, n / (n - 2)};
}

Distribution Distribution::histogram(const Bins &bins) {
  // Prefix sums: entry i is the moments of the bins below i.
  std::vector<Moments3> sums(bins.size + 1, Moments3{});
  for (size_t i = 0; i < bins.size; ++i) {
    double x = bins.lower + (static_cast<double>(i) + 0.5) * bins.width;
    auto count = static_cast<double>(bins.counts[i]);
    sums[i + 1] = {sums[i][0] + count, sums[i][1] + count * x,
                   sums[i][2] + count * x * x};
  }
  double total = std::max(sums.back()[0], 1.0);
  for (Moments3 &sum : sums)
    for (double &moment : sum)
      moment /= total;
  double lower = bins.lower, width = bins.width;
  double power = sums.back()[2];
  auto moments = [sums = std::move(sums), lower, width](double x) {
    auto last = static_cast<double>(sums.size() - 1);
    // The bins whose middle lies below x.
    double below = std::ceil((x - lower) / width - 0.5);
    return sums[static_cast<size_t>(std::clamp(below, 0.0, last))];
  };
  return {moments, power};
}

double expectedSquaredError(const Distribution &distribution,
                            const std::vector<double> &grid, double scale) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double error = 0;
  Moments3 below = distribution.partialMoments(-infinity);
  for (size_t i = 0; i < grid.size(); ++i) {
    double value = grid[i] * scale;
    double end =
        i + 1 < grid.size() ? (grid[i] + grid[i + 1]) / 2 * scale : infinity;
    Moments3 upTo = distribution.partialMoments(end);
    error += (upTo[2] - below[2]) - 2 * value * (upTo[1] - below[1]) +
             value * value * (upTo[0] - below[0]);
    below = upTo;
  }
  return error;
}

std::vector<double> formatGrid(const Format &format, bool symmetric) {
  std::vector<double> values;
  for (double value : format.decodeTable())
    if (std::isfinite(value))
      values.push_back(value == 0 ? 0.0 : value); // -0 is 0
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (symmetric && format.kind() == Format::Kind::SignedInt &&
      values.size() > 2)
    values.erase(values.begin());
  return values;
}

FormatFit fitScale(const Distribution &distribution,
                   const std::vector<double> &grid, double largestClip) {
  double largest = std::fmax(std::fabs(grid.front()), std::fabs(grid.back()));
  double sigma = std::sqrt(distribution.power());
  FormatFit fit;
  if (!(largest > 0) || !(sigma > 0))
    return fit;
  // Work on the logarithm of the clip in units of sigma: from a quarter up to
  // where sigma falls below the smallest step, 2^20 at most, in steps that see
  // the ripple each octave of a minifloat brings.
  double smallest = largest;
  for (double value : grid)
    if (value != 0)
      smallest = std::fmin(smallest, std::fabs(value));
  auto error = [&](double logClip) {
    double scale = std::exp2(logClip) * sigma / largest;
    return expectedSquaredError(distribution, grid, scale);
  };
  double best = 0, least = std::numeric_limits<double>::infinity();
  constexpr double step = 0x1p-5;
  double limit = std::fmin(20.0, std::log2(largest / smallest) + 2);
  limit = std::fmin(limit, std::log2(largestClip / sigma));
  for (double at = -2; at < limit + step; at += step) {
    double value = error(std::fmin(at, limit));
    if (value < least) {
      least = value;
      best = std::fmin(at, limit);
    }
  }
  double low = best - step, high = std::fmin(best + step, limit);
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  for (int i = 0; i < 24; ++i) {
    double a = high - ratio * (high - low), b = low + ratio * (high - low);
    if (error(a) < error(b))
      high = b;
    else
      low = a;
  }
  // At the limit the search ends beside the best point, not on it.
  double middle = (low + high) / 2;
  if (error(middle) <= least)
    best = middle;
  fit.clip = std::exp2(best) * sigma;
  fit.scale = fit.clip / largest;
  fit.squaredError = error(best);
  fit.sqnrDecibel = 10 * std::log10(distribution.power() / fit.squaredError);
  return fit;
}

} // namespace qdialect

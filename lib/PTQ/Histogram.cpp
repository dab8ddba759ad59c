// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order-independent histogram of PTQ/Histogram.h.

#include "QDialect/PTQ/Histogram.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace qdialect;

/// The exponent that a largest magnitude asks for.
static int exponentFor(double absMax) {
  return absMax > 0 ? std::ilogb(absMax) - (Histogram::kBinsLog2 - 1)
                    : Histogram::kEmptyExponent;
}

/// floor(k / 2^shift), for negative k too.
static int64_t floorShift(int64_t k, int shift) {
  return k >> std::min(shift, 63);
}

double Histogram::getBinWidth() const { return std::ldexp(1.0, exponent); }

double Histogram::lowerEdge(size_t index) const {
  return std::ldexp(static_cast<double>(first + static_cast<int64_t>(index)),
                    exponent);
}

double Histogram::center(size_t index) const {
  return lowerEdge(index) + 0.5 * getBinWidth();
}

uint64_t Histogram::total() const {
  uint64_t sum = 0;
  for (uint64_t count : counts)
    sum += count;
  return sum;
}

void Histogram::growTo(int target) {
  if (target <= exponent)
    return;
  int shift = target - exponent;
  exponent = target;
  if (counts.empty())
    return;
  int64_t last = first + static_cast<int64_t>(counts.size()) - 1;
  int64_t newFirst = floorShift(first, shift);
  std::vector<uint64_t> merged(floorShift(last, shift) - newFirst + 1, 0);
  for (size_t i = 0, n = counts.size(); i < n; ++i)
    merged[floorShift(first + static_cast<int64_t>(i), shift) - newFirst] +=
        counts[i];
  first = newFirst;
  counts = std::move(merged);
}

void Histogram::cover(int64_t low, int64_t high) {
  if (counts.empty()) {
    first = low;
    counts.assign(high - low + 1, 0);
    return;
  }
  int64_t last = first + static_cast<int64_t>(counts.size()) - 1;
  if (low < first) {
    counts.insert(counts.begin(), first - low, 0);
    first = low;
  }
  if (high > last)
    counts.resize(std::max(high, last) - first + 1, 0);
}

void Histogram::trim() {
  size_t begin = 0, end = counts.size();
  while (begin < end && !counts[begin])
    ++begin;
  while (end > begin && !counts[end - 1])
    --end;
  if (begin == end) {
    counts.clear();
    first = 0;
    return;
  }
  counts.erase(counts.begin() + end, counts.end());
  counts.erase(counts.begin(), counts.begin() + begin);
  first += static_cast<int64_t>(begin);
}

void Histogram::add(const float *data, int64_t size, double absMax) {
  growTo(exponentFor(absMax));
  // All bins of both signs: an index cannot leave the array, and the loop has
  // no test in it.
  constexpr int64_t half = int64_t(1) << kBinsLog2;
  cover(-half, half - 1);
  const double inverse = std::ldexp(1.0, -exponent);
  for (int64_t i = 0; i < size; ++i) {
    double scaled = data[i] * inverse;
    // floor() without the library call that plain x86-64 needs for it.
    int64_t bin = static_cast<int64_t>(scaled);
    bin -= scaled < static_cast<double>(bin);
    assert(bin >= -half && bin < half && "a value above absMax");
    ++counts[bin + half];
  }
  trim();
}

void Histogram::merge(const Histogram &other) {
  if (other.counts.empty())
    return;
  growTo(other.exponent);
  Histogram coarse = other;
  coarse.growTo(exponent);
  cover(coarse.first,
        coarse.first + static_cast<int64_t>(coarse.counts.size()) - 1);
  for (size_t i = 0, n = coarse.counts.size(); i < n; ++i)
    counts[coarse.first - first + static_cast<int64_t>(i)] += coarse.counts[i];
  trim();
}

bool Histogram::fromParts(int exponent, int64_t first,
                          std::vector<uint64_t> counts, Histogram &result) {
  constexpr int64_t half = int64_t(1) << kBinsLog2;
  if (exponent < kEmptyExponent || exponent > 128 || first < -half ||
      first + static_cast<int64_t>(counts.size()) > half)
    return false;
  result.exponent = exponent;
  result.first = first;
  result.counts = std::move(counts);
  result.trim();
  return true;
}

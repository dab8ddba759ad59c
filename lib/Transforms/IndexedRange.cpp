// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interval arithmetic on numbers that vary by index; see the header.

#include "IndexedRange.h"

#include <algorithm>
#include <functional>

namespace qdialect {
namespace {

double lesser(double a, double b) { return std::min(a, b); }
double greater(double a, double b) { return std::max(a, b); }

} // namespace

IndexedRange IndexedRange::ofCodes(const Leaf &leaf) {
  auto distance = [&](int64_t code) {
    return leaf.zeroPoint.map(
        [&](double zero) { return static_cast<double>(code) - zero; });
  };
  return {distance(leaf.grid->min), distance(leaf.grid->max)};
}

IndexedRange IndexedRange::operator+(const IndexedRange &other) const {
  return {combine(low, other.low, std::plus<double>()),
          combine(high, other.high, std::plus<double>())};
}

IndexedRange IndexedRange::operator*(const IndexedRange &other) const {
  auto corner = [](const Coefficient &a, const Coefficient &b) {
    return combine(a, b, std::multiplies<double>());
  };
  IndexedRange result(corner(low, other.low), corner(low, other.low));
  for (const Coefficient &product :
       {corner(low, other.high), corner(high, other.low),
        corner(high, other.high)}) {
    result.low = combine(result.low, product, lesser);
    result.high = combine(result.high, product, greater);
  }
  return result;
}

double IndexedRange::magnitude() const {
  return std::max(low.magnitude(), high.magnitude());
}

AccumulatorBound IndexedRange::bound() const {
  AccumulatorBound bound;
  bound.low = static_cast<int64_t>(*llvm::min_element(low.values));
  bound.high = static_cast<int64_t>(*llvm::max_element(high.values));
  bound.partialLow = std::min<int64_t>(bound.low, 0);
  bound.partialHigh = std::max<int64_t>(bound.high, 0);
  return bound;
}

} // namespace qdialect

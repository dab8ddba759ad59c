// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A histogram whose result does not depend on the order of what went in, nor on
// how the data were split: the grid is fixed by arithmetic, not by the first
// batch.
//
// A bin is [k * 2^e, (k + 1) * 2^e) with integer k. The exponent e is a
// function of the largest magnitude seen, a: e = ilogb(a) - 10, so 2^10 <= a /
// 2^e < 2^11. When a larger value arrives e grows, and because bins of width
// 2^e nest in those of width 2^(e+1), counts move exactly (k -> floor(k / 2)).
// Hence merge(A, B) equals one pass over A and B, bin for bin.
//
// Example: after 0.75 the width is 2^-11 and 0.75 sits in bin 1536; 6.0
// arrives, the width becomes 2^-8 and 0.75 sits in bin 192, 6.0 in bin 1536.
//
// At most 2^11 bins of each sign: the memory of a value is 32 KiB at worst.

#ifndef QDIALECT_PTQ_HISTOGRAM_H
#define QDIALECT_PTQ_HISTOGRAM_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace qdialect {

class Histogram {
public:
  /// Bins of one sign: the largest magnitude falls in the upper half of them.
  static constexpr int kBinsLog2 = 11;
  /// The exponent while nothing but zero was seen; below every exponent that a
  /// float can need, so that it always grows from here.
  static constexpr int kEmptyExponent = -200;

  /// Counts `size` finite values of which none is larger in magnitude than
  /// `absMax` (which may come from a larger set: the result then has the
  /// coarser bins that set asks for).
  void add(const float *data, int64_t size, double absMax);

  /// Adds the counts of `other`.
  void merge(const Histogram &other);

  /// Builds from parts of a statistics file; false when they are inconsistent.
  static bool fromParts(int exponent, int64_t first,
                        std::vector<uint64_t> counts, Histogram &result);

  bool empty() const { return counts.empty(); }
  int getExponent() const { return exponent; }
  /// The number k of the first stored bin; it and the last are not empty.
  int64_t getFirst() const { return first; }
  const std::vector<uint64_t> &getCounts() const { return counts; }
  double getBinWidth() const;
  /// Lower edge and middle of stored bin `index` (0 is the first stored one).
  double lowerEdge(size_t index) const;
  double center(size_t index) const;
  uint64_t total() const;

  friend bool operator==(const Histogram &a, const Histogram &b) {
    return a.exponent == b.exponent && a.first == b.first &&
           a.counts == b.counts;
  }

private:
  /// Coarsens until the exponent is `target`; does nothing if it is already.
  void growTo(int target);
  /// Makes bins [low, high] stored.
  void cover(int64_t low, int64_t high);
  /// Drops empty bins at both ends, so that equal contents compare equal.
  void trim();

  int exponent = kEmptyExponent;
  int64_t first = 0;
  std::vector<uint64_t> counts;
};

} // namespace qdialect

#endif // QDIALECT_PTQ_HISTOGRAM_H

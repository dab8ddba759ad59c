// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What numbers that payloads compute from codes can be, whatever the codes: an
// interval for each index of some dimensions. Both ends are reached as long as
// no tensor of codes is read twice.
//
// Example: codes of [-128, 127] with zero points (0, 5) for two channels are
// [-128, 127] and [-133, 122] from them; times 3 and less 10, [-394, 371] and
// [-409, 356].
//
// The ends are doubles: integers are exact below 2^53, which callers see to.

#ifndef QDIALECT_LIB_TRANSFORMS_INDEXEDRANGE_H
#define QDIALECT_LIB_TRANSFORMS_INDEXEDRANGE_H

#include "Coefficient.h"
#include "Island.h"
#include "QDialect/Analysis/AccumulatorBounds.h"

namespace qdialect {

class IndexedRange {
public:
  static IndexedRange number(const Coefficient &value) {
    return {value, value};
  }
  /// code - zero point
  static IndexedRange ofCodes(const Leaf &leaf);

  IndexedRange operator+(const IndexedRange &other) const;
  IndexedRange operator*(const IndexedRange &other) const;

  /// The largest absolute value of all indices.
  double magnitude() const;
  /// Over all indices.
  AccumulatorBound bound() const;

private:
  IndexedRange(Coefficient low, Coefficient high)
      : low(std::move(low)), high(std::move(high)) {}

  Coefficient low, high;
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INDEXEDRANGE_H

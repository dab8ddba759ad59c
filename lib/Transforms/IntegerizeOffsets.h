// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bias of a contraction in steps of its accumulator: rounded, clipped where
// the result saturates all the same, or left to the zero point.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZEOFFSETS_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZEOFFSETS_H

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/AccumulatorBounds.h"

namespace qdialect {

/// The bias in accumulator steps, per element of the init.
struct Offsets {
  Coefficient steps;
  Coefficient lost;  ///< steps that rounding took away
  Coefficient shift; ///< output steps left to the zero point
};

struct OffsetRounding {
  /// Beyond this a bias is clipped where that provably changes nothing.
  double largest = 1 << 30;

  /// The even number of output steps nearest to an offset in output steps.
  static double evenShift(double inOutput);
  /// Does what `shift` leaves of the offset fit, in steps of `perStep` output
  /// steps?
  bool fitsShifted(double shift, double inOutput, double perStep) const;

  /// Rounds offsets; those out of reach are clipped if the output saturates all
  /// the same, or leave an even number of output steps to the zero point (even,
  /// so that ties go where they went). `stepSize` is in output steps; there is
  /// an `output` if the sum is rounded.
  std::optional<Offsets>
  round(IntegerizeContext &context, const Coefficient &exact,
        const Coefficient &stepSize, llvm::ArrayRef<WeightSums> sums,
        const Coefficient &channel, const CodeGrid &input,
        const CodeGrid *output) const;
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZEOFFSETS_H

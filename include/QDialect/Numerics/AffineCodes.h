// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An affine function of a code that is rounded to another grid, in f32:
//
//   q = z + round(clamp(f32(n) * factor + offset, qmin - z, qmax - z))
//
// Its two roundings decide values next to a tie in their own way, which is
// neither that of the real numbers nor that of a program that multiplies by a
// scale, adds a bias and divides by another scale. There are few integers n, so
// `chooseFloatAffine` tries all of them and moves factor and offset by
// fractions of an ulp until every code is the wanted one.
//   (n * 0.044769403 + 3.29) / 0.04770089 may be 25.49999999999 for some n,
//   where the nearest floats give 25.5, hence 26; an offset a little lower
//   gives 25.
#ifndef QDIALECT_NUMERICS_AFFINECODES_H
#define QDIALECT_NUMERICS_AFFINECODES_H

#include "QDialect/Numerics/Quantize.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace qdialect {

struct FloatAffine {
  float factor = 1, offset = 0;
};

/// The codes of low, low + 1, ... and the grid that they lie on.
struct AffineCodes {
  int32_t low = -128;
  std::vector<int32_t> codes;
  int32_t zeroPoint = 0, min = -128, max = 127;

  /// Does `affine` give them all?
  bool areThoseOf(FloatAffine affine) const;
};

/// Constants next to `nearest` that give every code; nothing if there are none.
/// `adds`: may the offset move, too?
std::optional<FloatAffine> chooseFloatAffine(const AffineCodes &wanted,
                                             FloatAffine nearest, bool adds);

} // namespace qdialect

#endif // QDIALECT_NUMERICS_AFFINECODES_H

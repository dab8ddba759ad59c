// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Implements the choice of float constants for affine functions of codes.
#include "QDialect/Numerics/AffineCodes.h"

#include <cmath>

namespace qdialect {

/// The distance from x to the next float of larger magnitude.
static float ulp(float x) {
  x = std::fabs(x);
  return std::nextafter(x, HUGE_VALF) - x;
}

/// 0, 1, -1, 2, -2, ...: the smallest change comes first.
static float signedStep(int i) {
  return static_cast<float>(i % 2 ? (i + 1) / 2 : -i / 2);
}

bool AffineCodes::areThoseOf(FloatAffine affine) const {
  for (size_t i = 0; i < codes.size(); ++i) {
    auto n = static_cast<float>(low + static_cast<int64_t>(i));
    if (clampRound(n * affine.factor + affine.offset, zeroPoint, min, max,
                   Rounding::HalfEven, {}) != codes[i])
      return false;
  }
  return true;
}

std::optional<FloatAffine> chooseFloatAffine(const AffineCodes &wanted,
                                             FloatAffine nearest, bool adds) {
  if (wanted.areThoseOf(nearest))
    return nearest;
  // Sums that do not saturate stay below the range of the codes, products below
  // that and the offset.
  auto range = static_cast<float>(static_cast<double>(wanted.max) - wanted.min);
  float unit = ulp(std::fmax(range, std::fabs(nearest.offset))) / 8,
        factorUnit = ulp(nearest.factor);
  for (int i = 0; i < (adds ? 5 : 17); ++i)
    for (int j = 0; j < (adds ? 65 : 1); ++j) {
      FloatAffine moved{nearest.factor + signedStep(i) * factorUnit,
                        nearest.offset + signedStep(j) * unit};
      if (wanted.areThoseOf(moved))
        return moved;
    }
  return std::nullopt;
}

} // namespace qdialect

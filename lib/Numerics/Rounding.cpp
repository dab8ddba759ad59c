// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Implements the general rounding modes, the exact integer shift and Philox.
// The rule: all decide in `roundsUp`, so reals and integers agree wherever both
// are defined.
#include "QDialect/Numerics/Rounding.h"

#include <cassert>

namespace qdialect {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u; // golden ratio
    key[1] += 0xBB67AE85u; // sqrt(3) - 1
  }
  return counter;
}

uint32_t stochasticBits(StochasticKey key) {
  uint64_t block = key.index >> 2;
  return philox4x32(
      {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
      {static_cast<uint32_t>(key.seed),
       static_cast<uint32_t>(key.seed >> 32)})[key.index & 3];
}

bool roundsUp(Rounding mode, const RoundingSite &site, StochasticKey key) {
  switch (mode) {
  case Rounding::HalfEven:
    return site.half > 0 || (site.half == 0 && site.floorIsOdd);
  case Rounding::HalfAway:
    return site.half > 0 || (site.half == 0 && !site.negative);
  case Rounding::HalfUp:
    return site.half >= 0;
  case Rounding::Floor:
    return false;
  case Rounding::Trunc:
    return site.negative;
  case Rounding::Stochastic:
    return stochasticBits(key) < site.fraction32;
  }
  assert(false && "unknown rounding mode");
  return false;
}

double roundSlow(double x, Rounding mode, StochasticKey key) {
  if (!(std::fabs(x) < 0x1p52))
    return x;
  double floor = std::floor(x);
  if (x == floor)
    return x;
  RoundingSite site;
  site.negative = x < 0;
  // x - floor may round for x in (-1, 0), floor + 1/2 is always exact.
  double middle = floor + 0.5;
  site.half = x > middle ? 1 : x == middle ? 0 : -1;
  site.floorIsOdd = std::fmod(floor, 2.0) != 0.0;
  double fraction = std::fmin(x - floor, 0x1.fffffffffffffp-1);
  site.fraction32 = static_cast<uint64_t>(fraction * 0x1p32);
  return std::copysign(floor + (roundsUp(mode, site, key) ? 1.0 : 0.0), x);
}

Int128 shiftRight(Int128 x, unsigned shift, Rounding mode, StochasticKey key) {
  assert(shift <= 127 && "shift out of range");
  if (shift == 0)
    return x;
  // Seeded fault 4: ties up instead of to even.
  if constexpr (QDIALECT_MUTATE == 4)
    if (mode == Rounding::HalfEven)
      mode = Rounding::HalfUp;
  Int128 floor = x >> shift;
  UInt128 one = 1;
  UInt128 rest = static_cast<UInt128>(x) & ((one << shift) - 1);
  if (rest == 0)
    return floor;
  UInt128 middle = one << (shift - 1);
  RoundingSite site;
  site.negative = x < 0;
  site.half = rest > middle ? 1 : rest == middle ? 0 : -1;
  site.floorIsOdd = (floor & 1) != 0;
  site.fraction32 = static_cast<uint64_t>(shift <= 32 ? rest << (32 - shift)
                                                      : rest >> (shift - 32));
  return floor + (roundsUp(mode, site, key) ? 1 : 0);
}

} // namespace qdialect

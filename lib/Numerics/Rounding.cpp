// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Implements the general rounding modes, the exact integer shift and Philox.
// The rule: decide on (floor, fraction) once, the same way for reals and
// integers, so that both forms agree wherever both are defined.
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

/// Whether a value goes up from its floor. `half` is the sign of
/// fraction - 1/2, `fraction32` the fraction times 2^32, rounded down.
static bool goesUp(Rounding mode, bool negative, bool exact, int half,
                   bool floorIsOdd, uint64_t fraction32, StochasticKey key) {
  if (exact)
    return false;
  switch (mode) {
  case Rounding::HalfEven:
    return half > 0 || (half == 0 && floorIsOdd);
  case Rounding::HalfAway:
    return half > 0 || (half == 0 && !negative);
  case Rounding::HalfUp:
    return half >= 0;
  case Rounding::Floor:
    return false;
  case Rounding::Trunc:
    return negative;
  case Rounding::Stochastic:
    return stochasticBits(key) < fraction32;
  }
  assert(false && "unknown rounding mode");
  return false;
}

double roundSlow(double x, Rounding mode, StochasticKey key) {
  if (!(std::fabs(x) < 0x1p52))
    return x;
  double floor = std::floor(x);
  // x - floor may round for x in (-1, 0), floor + 1/2 is always exact.
  double middle = floor + 0.5;
  int half = x > middle ? 1 : x == middle ? 0 : -1;
  double fraction = std::fmin(x - floor, 0x1.fffffffffffffp-1);
  bool odd = std::fmod(floor, 2.0) != 0.0;
  bool up = goesUp(mode, x < 0, x == floor, half, odd,
                   static_cast<uint64_t>(fraction * 0x1p32), key);
  return std::copysign(floor + (up ? 1.0 : 0.0), x);
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
  UInt128 middle = one << (shift - 1);
  int half = rest > middle ? 1 : rest == middle ? 0 : -1;
  uint64_t fraction32 =
      static_cast<uint64_t>(shift <= 32 ? rest << (32 - shift) //
                                        : rest >> (shift - 32));
  bool up =
      goesUp(mode, x < 0, rest == 0, half, (floor & 1) != 0, fraction32, key);
  return floor + (up ? 1 : 0);
}

} // namespace qdialect

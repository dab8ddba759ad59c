// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounding real numbers and shifted integers to integers.
//
// Every conversion of this project that loses digits names one of six modes,
// and the mode says all: nothing reads the floating-point environment.
//
//   x        -2.5  -1.5  -0.5   0.5   1.5   2.5   2.7
//   HalfEven   -2    -2     0     0     2     2     3   ties to even
//   HalfAway   -3    -2    -1     1     2     3     3   ties away from zero
//   HalfUp     -2    -1     0     1     2     3     3   ties toward +infinity
//   Floor      -3    -2    -1     0     1     2     2
//   Trunc      -2    -1     0     0     1     2     2   toward zero
//   Stochastic: up with a probability equal to the fraction
//
// `shiftRight(x, n, mode)` is the same rounding of x / 2^n in exact integers:
// shiftRight(-6, 2, HalfUp) = -1, HalfAway -2, HalfEven -2.
//
// Stochastic rounding draws 32 bits u from Philox4x32-10 keyed by a seed and
// the element's index, so the result depends on neither the order of evaluation
// nor the number of threads. With t = floor(fraction * 2^32) the value goes up
// if and only if u < t: an integer never moves, and both functions agree.
//
// Edges: NaN and infinities pass through `roundTo`; a result of zero keeps the
// sign of x (-0.3 gives -0.0), which vanishes on conversion to an integer.
#ifndef QDIALECT_NUMERICS_ROUNDING_H
#define QDIALECT_NUMERICS_ROUNDING_H

#include <array>
#include <cmath>
#include <cstdint>

#ifndef QDIALECT_MUTATE
#define QDIALECT_MUTATE 0
#endif

namespace qdialect {

enum class Rounding : uint8_t {
  HalfEven,
  HalfAway,
  HalfUp,
  Floor,
  Trunc,
  Stochastic
};

/// What a stochastic rounding depends on; the other modes ignore it.
struct StochasticKey {
  uint64_t seed = 0;
  /// The row-major linear index of the element in its tensor.
  uint64_t index = 0;
};

// `__extension__`: the 128-bit type is outside ISO C++, and both our compilers
// have it on every 64-bit target.
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

/// Philox4x32 with ten rounds (Salmon et al., SC 2011): counter and key to four
/// words.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key);

/// The 32 random bits of an element: word `index mod 4` of
/// philox4x32({index div 4, 0, 0}, seed), low half of each number first.
uint32_t stochasticBits(StochasticKey key);

/// Rounds to the nearest integer, ties to even, for the default floating-point
/// environment; several times as fast as a call into libm.
inline float roundHalfEven(float x) {
  if (!(std::fabs(x) < 0x1p23f))
    return x; // already an integer, infinite or NaN
  float magic = std::copysign(0x1p23f, x);
  return std::copysign((x + magic) - magic, x);
}

inline double roundHalfEven(double x) {
  if (!(std::fabs(x) < 0x1p52))
    return x;
  double magic = std::copysign(0x1p52, x);
  return std::copysign((x + magic) - magic, x);
}

/// What a rounding mode looks at in a number between two integers.
struct RoundingSite {
  bool negative = false;
  /// The sign of fraction - 1/2.
  int half = -1;
  bool floorIsOdd = false;
  /// floor(fraction * 2^32); only stochastic rounding asks.
  uint64_t fraction32 = 0;
};

/// Whether `mode` takes a number that is no integer up from its floor. Every
/// rounding of this library is decided here.
bool roundsUp(Rounding mode, const RoundingSite &site, StochasticKey key = {});

/// The general case of `roundTo`: every mode by floor and fraction.
double roundSlow(double x, Rounding mode, StochasticKey key);

/// Rounds `x` to an integer under `mode`.
inline double roundTo(double x, Rounding mode, StochasticKey key = {}) {
  // Seeded fault 1: ties up instead of to even.
  if constexpr (QDIALECT_MUTATE == 1)
    if (mode == Rounding::HalfEven)
      return roundSlow(x, Rounding::HalfUp, key);
  return mode == Rounding::HalfEven ? roundHalfEven(x)
                                    : roundSlow(x, mode, key);
}

/// The same for f32; every step of it is exact, so it equals the f64 form.
inline float roundTo(float x, Rounding mode, StochasticKey key = {}) {
  if (mode == Rounding::HalfEven && QDIALECT_MUTATE != 1)
    return roundHalfEven(x);
  return static_cast<float>(roundTo(static_cast<double>(x), mode, key));
}

/// x / 2^shift rounded to an integer, exactly; 0 <= shift <= 127.
Int128 shiftRight(Int128 x, unsigned shift, Rounding mode,
                  StochasticKey key = {});

/// x / 2^shift rounded to an integer, exactly; 0 <= shift <= 63.
inline int64_t shiftRight(int64_t x, unsigned shift, Rounding mode,
                          StochasticKey key = {}) {
  return static_cast<int64_t>(
      shiftRight(static_cast<Int128>(x), shift, mode, key));
}

} // namespace qdialect

#endif // QDIALECT_NUMERICS_ROUNDING_H

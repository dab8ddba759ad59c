// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantize and dequantize: the edges of the contract literally, every pair of
// int8 codes through the grid, and the exact quotient against rational
// arithmetic.
#include "QDialect/Numerics/Quantize.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace qdialect;
using qdialect::test::Random;

static constexpr float kInf = std::numeric_limits<float>::infinity();
static constexpr Rounding kDeterministic[] = {
    Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp, Rounding::Floor,
    Rounding::Trunc};

TEST(Quantize, LiteralExamples) {
  EXPECT_EQ(quantize(1.0f, 0.1f, -3, -128, 127), 7);
  EXPECT_EQ(quantize(2.5f, 1.0f, 0, -128, 127), 2);
  EXPECT_EQ(quantize(3.5f, 1.0f, 0, -128, 127), 4);
  EXPECT_EQ(quantize(-2.5f, 1.0f, 10, -128, 127), 8);
  EXPECT_EQ(quantize(2.5f, 1.0f, 0, -128, 127, Rounding::HalfAway), 3);
  EXPECT_EQ(quantize(-2.5f, 1.0f, 0, -128, 127, Rounding::HalfUp), -2);
  EXPECT_EQ(quantize(2.7f, 1.0f, 0, -128, 127, Rounding::Trunc), 2);
  EXPECT_EQ(quantize(-2.1f, 1.0f, 0, -128, 127, Rounding::Floor), -3);
  EXPECT_EQ(quantize(1e30f, 1.0f, 5, -128, 127), 127);
  EXPECT_EQ(quantize(-1e30f, 1.0f, 5, -128, 127), -128);
  EXPECT_EQ(quantize(127.4f, 1.0f, 0, -128, 127), 127);
  EXPECT_EQ(quantize(126.5f, 1.0f, 0, -128, 127), 126);
  EXPECT_EQ(quantize(127.0f, 1.0f, 0, -128, 127), 127);
  EXPECT_EQ(dequantize(7, 0.1f, -3), 1.0f);
}

TEST(Quantize, EdgesOfTheContract) {
  float nan = std::nanf("");
  EXPECT_EQ(quantize(nan, 1.0f, 3, -128, 127), 3);
  EXPECT_EQ(quantize(1.0f, nan, 3, -128, 127), 3);
  EXPECT_EQ(quantize(0.0f, 0.0f, 3, -128, 127), 3);
  EXPECT_EQ(quantize(kInf, kInf, 3, -128, 127), 3);
  EXPECT_EQ(quantize(nan, 1.0f, 200, -128, 127), 127); // z outside the codes
  EXPECT_EQ(quantize(kInf, 1.0f, 3, -128, 127), 127);
  EXPECT_EQ(quantize(-kInf, 1.0f, 3, -128, 127), -128);
  EXPECT_EQ(quantize(1.0f, 0.0f, 3, -128, 127), 127);
  EXPECT_EQ(quantize(-1.0f, 0.0f, 3, -128, 127), -128);
  EXPECT_EQ(quantize(-0.0f, 1.0f, 3, -128, 127), 3);
  EXPECT_EQ(quantize(1e-45f, 1.0f, 0, -128, 127), 0);
  EXPECT_EQ(quantize(3e38f, 1e-38f, 0, -128, 127), 127);
  // Far zero points: the data live at 1000.
  EXPECT_EQ(quantize(1000.0f, 0.5f, -2000, -128, 127), 0);
  EXPECT_EQ(quantize(0.0f, 0.5f, -2000, -128, 127), -128);
  EXPECT_EQ(dequantize(0, 0.5f, -2000), 1000.0f);
}

TEST(Quantize, DivisionIsNotAReciprocal) {
  // A reciprocal is off by one somewhere; the contract's division is not.
  int differences = 0;
  for (int i = 1; i <= 1000; ++i) {
    float s = 0.001f * static_cast<float>(i);
    float x = s * 2.5f; // ties where the product is exact
    int32_t byDivision = quantize(x, s, 0, -128, 127);
    auto want = static_cast<int32_t>(roundHalfEven(x / s));
    ASSERT_EQ(byDivision, want);
    differences += want != static_cast<int32_t>(roundHalfEven(x * (1.0f / s)));
  }
  EXPECT_GT(differences, 0);
}

TEST(Quantize, EveryInt8CodeSurvivesEveryGrid) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int trial = 0; trial < 200; ++trial) {
    auto s = static_cast<float>(std::exp(random.real(-60, 60)));
    for (int32_t z : {-128, -1, 0, 17, 127, -1000, 4096})
      for (int32_t q = -128; q <= 127; ++q)
        for (Rounding mode :
             {Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp})
          ASSERT_EQ(quantize(dequantize(q, s, z), s, z, -128, 127, mode), q)
              << s << " " << z;
  }
}

TEST(Quantize, ClampBeforeRoundIsClampAfter) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int i = 0; i < 200000; ++i) {
    auto x = static_cast<float>(random.real(-300, 300));
    if (i % 2)
      x = std::floor(x) + 0.5f;
    auto z = static_cast<int32_t>(random.integer(-200, 200));
    for (Rounding mode : kDeterministic) {
      double after = roundTo(static_cast<double>(x), mode) + z;
      after = std::fmin(std::fmax(after, -128), 127);
      ASSERT_EQ(quantize(x, 1.0f, z, -128, 127, mode), after) << x;
      ASSERT_EQ(quantizeExact(x, 1.0, z, -128, 127, mode), after) << x;
    }
  }
}

/// round(x / s) of integers x and s > 0, by integer division.
static int64_t divideIntegers(int64_t x, int64_t s, Rounding mode) {
  int64_t floor = x / s - (x % s < 0);
  int64_t rest = x - floor * s; // in [0, s)
  if (rest == 0)
    return floor;
  int64_t twice = 2 * rest;
  switch (mode) {
  case Rounding::HalfEven:
    return floor + (twice > s || (twice == s && floor % 2 != 0));
  case Rounding::HalfAway:
    return floor + (twice > s || (twice == s && x > 0));
  case Rounding::HalfUp:
    return floor + (twice >= s);
  case Rounding::Floor:
    return floor;
  default:
    return floor + (x < 0);
  }
}

TEST(QuantizeExact, EqualsIntegerDivision) {
  for (int64_t s = 1; s <= 40; ++s)
    for (int64_t x = -400; x <= 400; ++x)
      for (Rounding mode : kDeterministic)
        for (double unit : {1.0, 0x1p-300, 0x1p200})
          ASSERT_EQ(divideAndRound(static_cast<double>(x) * unit,
                                   static_cast<double>(s) * unit, mode),
                    static_cast<double>(divideIntegers(x, s, mode)))
              << x << " / " << s;
}

TEST(QuantizeExact, QuotientsThatRoundOntoATie) {
  Random random;
  SCOPED_TRACE(test::trace());
  int hard = 0;
  for (int i = 0; i < 200000; ++i) {
    // x close to (n + 1/2) s where x / s rounds to the tie itself.
    int64_t s = random.integer(int64_t{1} << 51, (int64_t{1} << 52) - 1) * 2;
    int64_t n = random.integer(0, 1 << 8);
    int64_t x = (2 * n + 1) * (s / 2) + random.integer(-1, 1);
    if (x >= int64_t{1} << 53 && x % 512 != 0)
      x -= x % 512; // still exact in a double
    double quotient = static_cast<double>(x) / static_cast<double>(s);
    hard += quotient - std::floor(quotient) == 0.5;
    for (Rounding mode : kDeterministic) {
      ASSERT_EQ(
          divideAndRound(static_cast<double>(x), static_cast<double>(s), mode),
          static_cast<double>(divideIntegers(x, s, mode)))
          << x << " / " << s;
      ASSERT_EQ(
          divideAndRound(-static_cast<double>(x), static_cast<double>(s), mode),
          static_cast<double>(divideIntegers(-x, s, mode)))
          << -x << " / " << s;
    }
  }
  EXPECT_GT(hard, 1000); // the test did meet them
}

TEST(QuantizeExact, Edges) {
  EXPECT_EQ(quantizeExact(std::nan(""), 1, 3, -128, 127), 3);
  EXPECT_EQ(quantizeExact(0, 0, 3, -128, 127), 3);
  EXPECT_EQ(quantizeExact(kInf, 1, 3, -128, 127), 127);
  EXPECT_EQ(quantizeExact(-1, 0, 3, -128, 127), -128);
  EXPECT_EQ(quantizeExact(2.5, -1, 0, -128, 127), -2);
  EXPECT_EQ(quantizeExact(2.5, -1, 0, -128, 127, Rounding::HalfAway), -3);
  EXPECT_TRUE(std::signbit(divideAndRound(-0.25, 1)));
  EXPECT_EQ(dequantizeExact(7, 0.1, -3), 1.0);
}

TEST(Quantize, StochasticMovesByAtMostOneStep) {
  for (uint64_t i = 0; i < 10000; ++i) {
    float x = -2.0f + 0.0004f * static_cast<float>(i);
    int32_t q = quantize(x, 1.0f, 0, -128, 127, Rounding::Stochastic, {5, i});
    ASSERT_GE(q, std::floor(x));
    ASSERT_LE(q, std::ceil(x));
    int32_t exact =
        quantizeExact(x, 1.0, 0, -128, 127, Rounding::Stochastic, {5, i});
    ASSERT_EQ(q, exact);
  }
}

TEST(Quantize, Wrapping) {
  EXPECT_EQ(quantizeWrap(130.0f, 1.0f, 0, 8, true), -126);
  EXPECT_EQ(quantizeWrap(-1.0f, 1.0f, 0, 8, false), 255);
  EXPECT_EQ(quantizeWrap(100.0f, 1.0f, 100, 8, true), -56);
  EXPECT_EQ(quantizeWrap(kInf, 1.0f, 7, 8, true), 7);
  EXPECT_EQ(quantizeWrap(std::nanf(""), 1.0f, 7, 8, true), 7);
  EXPECT_EQ(quantizeWrap(0x1p40f, 1.0f, 7, 8, true), 7);
}

TEST(Quantize, RealZeroPoint) {
  EXPECT_EQ(quantizeRealZero(1.5f, 0.5f, 1.0f, 0, 15), 1);
  EXPECT_EQ(quantizeRealZero(0.0f, 0.5f, 1.0f, 0, 15), 0);
  EXPECT_EQ(dequantizeRealZero(3, 0.5f, 1.0f), 2.5f);
}

TEST(Quantize, AnyFormat) {
  Format fp4 = Format::minifloat(2, 1), int4 = Format::signedInt(4);
  EXPECT_EQ(quantizeToFormat(3.1f, 0.5f, 0, fp4), 7u); // 6.2 -> 6
  EXPECT_EQ(dequantizeFromFormat(7, 0.5f, 0, fp4), 3.0f);
  EXPECT_EQ(quantizeToFormat(-1.0f, 1.0f, 0, int4), 15u);
  EXPECT_EQ(dequantizeFromFormat(15, 2.0f, -3, int4), 4.0f);
  EXPECT_EQ(
      quantizeToFormat(9.0f, 1.0f, 0, int4, Rounding::HalfEven, Overflow::Wrap),
      9u);
  EXPECT_EQ(quantizeToFormat(-0.2f, 1.0f, 0, Format::binary()), 0u);
}

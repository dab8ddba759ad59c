// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requantize, rescale and the dyadic choice; the vectors of TFLite, gemmlowp
// and TOSA are literal (research: tie vectors, multiplier pairs, equivalences).
#include "QDialect/Numerics/Rescale.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace qdialect;
using qdialect::test::Random;

static constexpr Rounding kDeterministic[] = {
    Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp, Rounding::Floor,
    Rounding::Trunc};
static constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
static constexpr int32_t kMax = std::numeric_limits<int32_t>::max();

TEST(Requantize, EveryProductOfInt8) {
  // All 65536 products, three scales and the edges of three zero points,
  // against the formula in f64 (products have 15 bits, so f32(acc) * s rounds
  // once).
  for (float s : {0.25f, 0.0078125f, 0.0123f})
    for (int32_t z : {-128, 5, 127})
      for (int32_t a = -128; a <= 127; ++a)
        for (int32_t b = -128; b <= 127; ++b) {
          float product = static_cast<float>(a * b) * s;
          double want =
              roundTo(static_cast<double>(product), Rounding::HalfEven) + z;
          want = std::fmin(std::fmax(want, -128), 127);
          ASSERT_EQ(requantize(a * b, s, z, -128, 127), want)
              << a << " * " << b;
        }
}

TEST(Requantize, Edges) {
  float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(requantize(kMax, 1.0f, 0, -128, 127), 127);
  EXPECT_EQ(requantize(kMin, 1.0f, 0, -128, 127), -128);
  EXPECT_EQ(requantize(5, std::nanf(""), 9, -128, 127), 9);
  EXPECT_EQ(requantize(0, inf, 9, -128, 127), 9);
  EXPECT_EQ(requantize(1, inf, 9, -128, 127), 127);
  EXPECT_EQ(requantize(5, 0.0f, 9, -128, 127), 9);
  EXPECT_EQ(requantize(-3, 0.5f, 0, -128, 127), -2); // -1.5 to even
  EXPECT_EQ(requantize(-3, 0.5f, 0, -128, 127, Rounding::HalfUp), -1);
  // 2^24 + 1 is not an f32: the accumulator is rounded before the product.
  EXPECT_EQ(requantize((1 << 24) + 1, 0x1p-1f, 0, -(1 << 24), 1 << 24),
            1 << 23);
  EXPECT_EQ(requantizeScale(0.1f, 0.2f, 0.3f), 0.1f * 0.2f / 0.3f);
}

TEST(Dyadic, PairsOfTFLite) {
  struct Row {
    double real;
    int32_t multiplier;
    int exponent;
  };
  for (Row row : {Row{0.25, 1073741824, -1},
                  {0.75, 1610612736, 0},
                  {1.25, 1342177280, 1},
                  {0x1p-32, 1073741824, -31},
                  {1.0, 1073741824, 1},
                  {0.5, 1073741824, 0}}) {
    QuantizedMultiplier pair = quantizeMultiplier(row.real);
    EXPECT_EQ(pair.multiplier, row.multiplier) << row.real;
    EXPECT_EQ(pair.exponent, row.exponent) << row.real;
    auto dyadic = chooseDyadic(row.real, int64_t{1} << 31);
    ASSERT_TRUE(dyadic.has_value());
    // The same pair, shift = 31 - exponent, up to the limit of 62.
    EXPECT_EQ(dyadic->multiplier, row.multiplier) << row.real;
    EXPECT_EQ(dyadic->shift, 31 - row.exponent) << row.real;
    EXPECT_EQ(dyadic->error, 0) << row.real;
  }
  EXPECT_EQ(quantizeMultiplier(0).multiplier, 0);
  // The fraction that rounds up to one takes the next exponent.
  EXPECT_EQ(quantizeMultiplier(1 - 0x1p-40).multiplier, 1 << 30);
  EXPECT_EQ(quantizeMultiplier(1 - 0x1p-40).exponent, 1);
}

TEST(Dyadic, EveryPowerOfTwoAndItsNeighbours) {
  for (int exponent = -80; exponent <= 31; ++exponent)
    for (double factor : {1 - 0x1p-32, 1 - 0x1p-31, 1.0, 1 + 0x1p-31, 1.5}) {
      double real = std::ldexp(factor, exponent);
      auto dyadic = chooseDyadic(real, int64_t{1} << 31);
      if (real >= 0x1p31 - 0.5) {
        EXPECT_FALSE(dyadic.has_value()) << real;
        continue;
      }
      ASSERT_TRUE(dyadic.has_value()) << real;
      EXPECT_GE(dyadic->multiplier, 0);
      EXPECT_GE(dyadic->shift, 0);
      EXPECT_LE(dyadic->shift, 62);
      double got = std::ldexp(dyadic->multiplier, -dyadic->shift);
      double bound = std::fmax(real * 0x1p-31, 0x1p-63);
      EXPECT_LE(std::fabs(got - real), bound) << real;
      EXPECT_GE(dyadic->error, std::fabs(got - real) * 0x1p31) << real;
    }
}

TEST(DyadicProperty, TheMultiplierIsRoundedToNearest) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int i = 0; i < 100000; ++i) {
    double real = std::exp2(random.real(-70, 30.9));
    auto dyadic = chooseDyadic(real, int64_t{1} << 31);
    ASSERT_TRUE(dyadic.has_value());
    double digits = std::ldexp(real, dyadic->shift);
    ASSERT_LE(std::fabs(digits - dyadic->multiplier), 0.5) << real;
    // No digit is given away: 31 of them, or the largest shift.
    ASSERT_TRUE(dyadic->multiplier >= 1 << 30 || dyadic->shift == 62) << real;
  }
}

TEST(Dyadic, Refusals) {
  EXPECT_FALSE(chooseDyadic(-1, 1).has_value());
  EXPECT_FALSE(chooseDyadic(std::nan(""), 1).has_value());
  EXPECT_FALSE(
      chooseDyadic(std::numeric_limits<double>::infinity(), 1).has_value());
  EXPECT_FALSE(chooseDyadic(0x1p31, 1).has_value());
  EXPECT_FALSE(chooseDyadic(4.0, std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(chooseDyadic(0, 1000)->multiplier, 0);
  // A scale below 2^-63 rounds every i32 to zero, and says what that costs.
  auto tiny = chooseDyadic(0x1p-70, int64_t{1} << 31);
  ASSERT_TRUE(tiny.has_value());
  EXPECT_EQ(tiny->multiplier, 0);
  EXPECT_GE(tiny->error, 0x1p-39);
  EXPECT_LT(tiny->error, 0x1p-38);
}

TEST(ShortDyadic, SevenDigitsBehindTheUpperWordAndNoTies) {
  Random random;
  SCOPED_TRACE(test::trace());
  constexpr int64_t kWord = int64_t{1} << 31;
  for (int i = 0; i < 100000; ++i) {
    double real = std::exp2(random.real(-70, 30.9));
    auto dyadic = chooseShortDyadic(real, kWord);
    ASSERT_TRUE(dyadic.has_value());
    ASSERT_LE(dyadic->shift, kShortShift);
    ASSERT_TRUE(dyadic->shift == kShortShift || dyadic->multiplier >= 1 << 30)
        << real;
    double distance =
        std::fabs(std::ldexp(dyadic->multiplier, -dyadic->shift) - real);
    ASSERT_LT(distance, std::ldexp(1.0, -dyadic->shift)) << real;
    ASSERT_EQ(dyadic->multiplier % 2, 1) << real;
    if (dyadic->shift == kShortShift)
      ASSERT_LE(dyadic->error, kShortError);
    ASSERT_GE(dyadic->error, distance * static_cast<double>(kWord));
    // No product but 0 is an odd number of half steps.
    auto acc = static_cast<int64_t>(random.integer(1, kWord));
    if (dyadic->shift >= 33)
      ASSERT_NE(acc * dyadic->multiplier % (int64_t{1} << (dyadic->shift - 1)),
                0);
  }
}

TEST(ShortDyadic, WhatIsExactStaysSo) {
  for (double real : {0x1p-8, 0x1.8p-9, 0x1p-39, 0x1.4p-20}) {
    auto dyadic = chooseShortDyadic(real, int64_t{1} << 31);
    ASSERT_TRUE(dyadic.has_value());
    EXPECT_EQ(dyadic->error, 0) << real;
    EXPECT_EQ(std::ldexp(dyadic->multiplier, -dyadic->shift), real);
  }
  auto none = chooseShortDyadic(0, 1000);
  EXPECT_EQ(none->multiplier, 0);
  EXPECT_EQ(none->shift, kShortShift);
}

TEST(ShortDyadic, TooCoarseForLargeSums) {
  // 2^40 sums of 2^-40: 39 digits leave nothing, 62 do.
  double real = 0x1.23456789p-40;
  auto dyadic = chooseShortDyadic(real, int64_t{1} << 40);
  auto longest = chooseDyadic(real, int64_t{1} << 40);
  ASSERT_TRUE(dyadic.has_value());
  EXPECT_EQ(dyadic->shift, longest->shift);
  EXPECT_EQ(dyadic->multiplier, longest->multiplier);
  EXPECT_FALSE(chooseShortDyadic(-1, 1).has_value());
}

TEST(Dyadic, NothingOverflowsInSixtyFourBits) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int i = 0; i < 200000; ++i) {
    double real = std::exp2(random.real(-70, 31));
    int64_t maxAbs = random.integer(1, int64_t{1} << random.integer(1, 62));
    auto dyadic = chooseDyadic(real, maxAbs);
    if (!dyadic)
      continue;
    Int128 half = dyadic->shift ? Int128{1} << (dyadic->shift - 1) : 0;
    ASSERT_TRUE(static_cast<Int128>(maxAbs) * dyadic->multiplier + half <
                Int128{1} << 63);
    // Within the certificate plus the rounding.
    int64_t acc = random.integer(-maxAbs, maxAbs);
    if (std::fabs(static_cast<double>(acc) * real) > 0x1p40)
      continue;
    double want = static_cast<double>(acc) * real;
    int64_t limit = int64_t{1} << 50;
    auto got = static_cast<double>(
        rescale(acc, dyadic->multiplier, dyadic->shift, 0, -limit, limit));
    ASSERT_LE(std::fabs(got - want),
              0.5 + dyadic->error + std::fabs(want) * 0x1p-50)
        << acc << " * " << real;
  }
}

TEST(Rescale, EveryModeIsTheRoundedQuotient) {
  for (int32_t multiplier : {1, 3, 1 << 30, 1518500250, kMax})
    for (int32_t shift : {0, 1, 5, 31, 32, 62})
      for (int64_t acc = -300; acc <= 300; ++acc)
        for (Rounding mode : kDeterministic) {
          Int128 product = static_cast<Int128>(acc) * multiplier;
          Int128 want = shiftRight(product, static_cast<unsigned>(shift), mode);
          want = want + 7 < -128 ? -128 : want + 7 > 127 ? 127 : want + 7;
          ASSERT_EQ(rescale(acc, multiplier, shift, 7, -128, 127, mode),
                    static_cast<int64_t>(want));
        }
  EXPECT_EQ(rescale(7, 1610612736, 31, 0, -128, 127), 5);
  EXPECT_EQ(rescale(6, 1610612736, 31, 0, -128, 127), 4);
  EXPECT_EQ(rescale(6, 1610612736, 31, 0, -128, 127, Rounding::HalfUp), 5);
  // Nothing overflows, whatever comes.
  int64_t big = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(rescale(big, kMax, 0, 0, -128, 127), 127);
  EXPECT_EQ(rescale(-big, kMax, 62, 0, -128, 127), -128);
}

TEST(Rescale, TieVectors) {
  struct Row {
    int32_t shift, x, single, doubled, even;
  };
  for (Row row : {Row{31, -3, -1, -1, -2},
                  {31, 1, 1, 1, 0},
                  {32, -6, -1, -2, -2},
                  {32, -2, 0, -1, 0},
                  {32, 2, 1, 1, 0},
                  {32, 10, 3, 3, 2},
                  {32, -10, -2, -3, -2}}) {
    int32_t half = 1 << 30;
    EXPECT_EQ(tosaApplyScale32(row.x, half, row.shift, false), row.single);
    EXPECT_EQ(tosaApplyScale32(row.x, half, row.shift, true), row.doubled);
    EXPECT_EQ(multiplyByQuantizedMultiplier(row.x, half, 31 - row.shift),
              row.doubled);
    EXPECT_EQ(rescale(row.x, half, row.shift, 0, kMin, kMax), row.even);
    EXPECT_EQ(rescale(row.x, half, row.shift, 0, kMin, kMax, Rounding::HalfUp),
              row.single);
  }
  EXPECT_EQ(tosaApplyScale32(3914, 1452694124, 35, false), 165);
  EXPECT_EQ(tosaApplyScale32(3914, 1452694124, 35, true), 166);
  EXPECT_EQ(multiplyByQuantizedMultiplier(3914, 1452694124, -4), 166);
}

TEST(RescaleProperty, TosaIsHalfUpAndGemmlowp) {
  Random random;
  SCOPED_TRACE(test::trace());
  int different = 0;
  for (int i = 0; i < 200000; ++i) {
    auto multiplier = static_cast<int32_t>(random.integer(1 << 30, kMax));
    auto shift = static_cast<int32_t>(random.integer(31, 45));
    int64_t limit = shift == 31 ? (int64_t{1} << 30) - 1 : kMax;
    auto x = static_cast<int32_t>(random.integer(-limit, limit));
    int32_t single = tosaApplyScale32(x, multiplier, shift, false);
    int32_t doubled = tosaApplyScale32(x, multiplier, shift, true);
    ASSERT_EQ(single,
              rescale(x, multiplier, shift, 0, kMin, kMax, Rounding::HalfUp));
    ASSERT_EQ(doubled, multiplyByQuantizedMultiplier(x, multiplier, 31 - shift))
        << x << " " << multiplier << " " << shift;
    different += single != doubled;
  }
  EXPECT_GT(different, 0);
}

TEST(Rescale, GemmlowpPrimitives) {
  EXPECT_EQ(saturatingRoundingDoublingHighMul(kMin, kMin), kMax);
  EXPECT_EQ(saturatingRoundingDoublingHighMul(kMin, kMax), kMin + 1);
  EXPECT_EQ(saturatingRoundingDoublingHighMul(1 << 30, 1), 1); // tie goes up
  EXPECT_EQ(saturatingRoundingDoublingHighMul(-(1 << 30), 1), 0);
  EXPECT_EQ(roundingDivideByPOT(5, 1), 3);
  EXPECT_EQ(roundingDivideByPOT(-5, 1), -3); // tie goes away
  EXPECT_EQ(roundingDivideByPOT(kMin, 31), -1);
  EXPECT_EQ(roundingDivideByPOT(7, 0), 7);
}

TEST(Rescale, AveragePoolsOfTosa) {
  Dyadic of49 = tosaReciprocal(49);
  EXPECT_EQ(of49.multiplier, 1402438302);
  EXPECT_EQ(of49.shift, 36);
  // Every sum of 49 bytes: exactly the rounded-half-up division.
  for (int32_t sum = 0; sum <= 49 * 255; ++sum)
    ASSERT_EQ(tosaApplyScale32(sum, of49.multiplier, of49.shift, false),
              (2 * sum + 49) / 98);
  EXPECT_EQ(tosaReciprocal(1).shift, 30);
  EXPECT_EQ(tosaReciprocal(1).multiplier, (1 << 30) + 1);
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounding: the table of the header literally, integers against reals
// exhaustively on a small domain, Philox against Random123's known answers.
#include "QDialect/Numerics/Rounding.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace qdialect;
using qdialect::test::Random;

static constexpr Rounding kDeterministic[] = {
    Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp, Rounding::Floor,
    Rounding::Trunc};

TEST(Rounding, TableOfTheHeader) {
  const double x[] = {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.7, -2.7};
  const double want[5][8] = {{-2, -2, 0, 0, 2, 2, 3, -3},
                             {-3, -2, -1, 1, 2, 3, 3, -3},
                             {-2, -1, 0, 1, 2, 3, 3, -3},
                             {-3, -2, -1, 0, 1, 2, 2, -3},
                             {-2, -1, 0, 0, 1, 2, 2, -2}};
  for (int mode = 0; mode < 5; ++mode)
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(roundTo(x[i], kDeterministic[mode]), want[mode][i]);
      EXPECT_EQ(roundTo(static_cast<float>(x[i]), kDeterministic[mode]),
                static_cast<float>(want[mode][i]));
    }
}

TEST(Rounding, EdgesOfTheReals) {
  double inf = std::numeric_limits<double>::infinity();
  double below = std::nextafter(0.5, 0.0), above = std::nextafter(0.5, 1.0);
  for (Rounding mode : kDeterministic) {
    EXPECT_TRUE(std::isnan(roundTo(std::nan(""), mode)));
    EXPECT_EQ(roundTo(inf, mode), inf);
    EXPECT_EQ(roundTo(-inf, mode), -inf);
    EXPECT_EQ(roundTo(0x1p60, mode), 0x1p60);
    EXPECT_EQ(roundTo(0x1p52 + 1, mode), 0x1p52 + 1);
    EXPECT_TRUE(std::signbit(roundTo(-0.0, mode)));
    EXPECT_FALSE(std::signbit(roundTo(0.0, mode)));
  }
  for (Rounding mode :
       {Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp}) {
    EXPECT_EQ(roundTo(below, mode), 0.0);
    EXPECT_EQ(roundTo(above, mode), 1.0);
    EXPECT_EQ(roundTo(-below, mode), 0.0);
    EXPECT_EQ(roundTo(-above, mode), -1.0);
    EXPECT_EQ(roundTo(0x1p51 + 0.75, mode), 0x1p51 + 1);
  }
  // Halves of the largest binade that has them.
  EXPECT_EQ(roundTo(0x1p51 + 0.5, Rounding::HalfEven), 0x1p51);
  EXPECT_EQ(roundTo(0x1p51 + 1.5, Rounding::HalfEven), 0x1p51 + 2);
  EXPECT_EQ(roundTo(8388606.5f, Rounding::HalfEven), 8388606.0f);
  EXPECT_EQ(roundTo(8388607.5f, Rounding::HalfEven), 8388608.0f);
  EXPECT_EQ(roundTo(-1e-300, Rounding::Floor), -1.0);
  EXPECT_EQ(roundTo(1e-300, Rounding::Floor), 0.0);
}

TEST(Rounding, ShiftsOfEverySmallInteger) {
  for (unsigned shift = 0; shift <= 12; ++shift)
    for (int64_t x = -5000; x <= 5000; ++x)
      for (Rounding mode : kDeterministic) {
        double real = static_cast<double>(x) / std::ldexp(1.0, shift);
        ASSERT_EQ(static_cast<double>(shiftRight(x, shift, mode)),
                  roundTo(real, mode))
            << x << " >> " << shift;
      }
}

TEST(Rounding, StochasticAgreesBetweenIntegersAndReals) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int i = 0; i < 100000; ++i) {
    int64_t x = random.integer(-(int64_t{1} << 40), int64_t{1} << 40);
    auto shift = static_cast<unsigned>(random.integer(0, 45));
    StochasticKey key{random.bits(), random.bits()};
    double real = std::ldexp(static_cast<double>(x), -static_cast<int>(shift));
    ASSERT_EQ(
        static_cast<double>(shiftRight(x, shift, Rounding::Stochastic, key)),
        roundTo(real, Rounding::Stochastic, key))
        << x << " >> " << shift;
  }
}

TEST(Rounding, StochasticIsUnbiasedAndNeverMovesIntegers) {
  int ups = 0;
  for (uint64_t index = 0; index < 100000; ++index) {
    StochasticKey key{7, index};
    double rounded = roundTo(2.25, Rounding::Stochastic, key);
    ASSERT_TRUE(rounded == 2 || rounded == 3);
    ups += rounded == 3;
    ASSERT_EQ(roundTo(-4.0, Rounding::Stochastic, key), -4.0);
  }
  // Five standard deviations of a binomial with p = 1/4.
  EXPECT_NEAR(ups, 25000, 5 * std::sqrt(100000 * 0.25 * 0.75));
}

TEST(Rounding, WideShifts) {
  Int128 big = Int128{1} << 100;
  EXPECT_TRUE(shiftRight(big + (big >> 1), 100, Rounding::HalfEven) == 2);
  EXPECT_TRUE(shiftRight(-big - (big >> 1), 100, Rounding::HalfEven) == -2);
  EXPECT_TRUE(shiftRight(-big - (big >> 1), 100, Rounding::HalfUp) == -1);
  EXPECT_TRUE(shiftRight(-big - (big >> 1), 100, Rounding::Trunc) == -1);
  EXPECT_TRUE(shiftRight(big, 127, Rounding::HalfUp) == 0);
  int64_t lowest = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(shiftRight(lowest, 63, Rounding::HalfEven), -1);
  EXPECT_EQ(shiftRight(lowest + 1, 63, Rounding::Floor), -1);
  EXPECT_EQ(shiftRight(lowest + 1, 63, Rounding::Trunc), 0);
  EXPECT_EQ(shiftRight(lowest / 2, 63, Rounding::HalfEven), 0);
  EXPECT_EQ(shiftRight(lowest / 2, 63, Rounding::HalfAway), -1);
}

TEST(Philox, KnownAnswersOfRandom123) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  // Four neighbours share a block.
  EXPECT_EQ(stochasticBits({0, 3}), 0x9b00dbd8u);
  EXPECT_EQ(stochasticBits({0, 4}), philox4x32({1, 0, 0, 0}, {0, 0})[0]);
}

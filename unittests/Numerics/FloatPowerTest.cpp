// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// x^y against f64 on random arguments, and against libm on all pairs of special
// values.
#include "QDialect/Numerics/FloatPower.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

using namespace qdialect;
using qdialect::test::Random;

/// The error in ulp; results from 2^128 on count as infinite.
static double ulpError(float got, double want) {
  if (std::fabs(want) >= 0x1.fffffep127)
    return std::fabs(got) >= 0x1.fffffep127f ? 0.0 : 1e9;
  int exponent = want == 0 ? -126 : std::max(std::ilogb(want), -126);
  return std::fabs(got - want) / std::ldexp(1.0, exponent - 23);
}

TEST(FloatPowerProperty, CloseToTheRealOne) {
  Random random;
  SCOPED_TRACE(test::trace());
  double worst = 0;
  for (int i = 0; i < 3000000; ++i) {
    float x, y;
    switch (i % 4) {
    case 0: // any bits
      x = std::fabs(random.anyFloat());
      y = random.anyFloat();
      break;
    case 1: // results over the whole range
      x = static_cast<float>(std::exp2(random.real(-149, 128)));
      y = static_cast<float>(random.real(-150, 150) / std::log2(x));
      break;
    case 2: // near 1
      x = static_cast<float>(1 + std::exp2(random.real(-24, -1)) *
                                     (random.integer(0, 1) ? 1 : -1));
      y = static_cast<float>(random.real(-100, 100) / std::log(x));
      break;
    default: // what models do: small exponents
      x = static_cast<float>(random.real(0, 100));
      y = static_cast<float>(random.integer(-12, 12)) * 0.25f;
    }
    if (!std::isfinite(x) || !std::isfinite(y) || x == 0)
      continue;
    double error = ulpError(powF32(x, y), std::pow(double{x}, double{y}));
    worst = std::max(worst, error);
    ASSERT_LE(error, 2.5) << x << " ^ " << y;
  }
  std::printf("  worst %.4f ulp\n", worst);
}

TEST(FloatPower, SpecialValuesAreThoseOfC) {
  float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  std::vector<float> values = {0.0f,
                               0x1p-149f,
                               0.25f,
                               0.5f,
                               1.0f,
                               1.5f,
                               2.0f,
                               3.0f,
                               0x1p22f + 0.5f,
                               0x1p23f + 1,
                               0x1p24f,
                               0x1p24f + 2,
                               std::numeric_limits<float>::max(),
                               inf,
                               nan};
  for (size_t i = 0, n = values.size(); i < n; ++i)
    values.push_back(-values[i]);
  for (float x : values)
    for (float y : values) {
      double exact = std::pow(double{x}, double{y});
      auto want = static_cast<float>(exact);
      float got = powF32(x, y);
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got)) << x << " ^ " << y << " = " << got;
        continue;
      }
      EXPECT_FALSE(std::isnan(got)) << x << " ^ " << y;
      EXPECT_EQ(std::signbit(got), std::signbit(want)) << x << " ^ " << y;
      if (std::isinf(want) || want == 0)
        EXPECT_EQ(got, want) << x << " ^ " << y;
      else
        EXPECT_LE(ulpError(got, exact), 2.5) << x << " ^ " << y;
    }
}

TEST(FloatPower, ExactSquaresAndRoots) {
  for (int i = 1; i <= 1000; ++i) {
    auto x = static_cast<float>(i);
    EXPECT_NEAR(powF32(x, 2.0f), x * x, x * x * 0x1p-23f);
    EXPECT_EQ(powF32(x, 0.0f), 1.0f);
    EXPECT_NEAR(powF32(-x, 3.0f), -x * x * x, x * x * x * 0x1p-22f);
  }
  EXPECT_EQ(powF32(2.0f, 10.0f), 1024.0f);
  EXPECT_EQ(powF32(10.0f, 3.0f), 1000.0f);
}

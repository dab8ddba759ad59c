// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row reductions: the order, literally and on values where order shows;
// maximum's special cases; softmax and layer norm against f64.
#include "QDialect/Numerics/Reductions.h"

#include "QDialect/Numerics/FloatFunctions.h"
#include "Random.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <vector>

using namespace qdialect;
using qdialect::test::Random;

static constexpr float kInf = std::numeric_limits<float>::infinity();

/// The definition, written the other way round: recursion over the tree.
static float tree(const std::vector<float> &x, int64_t lane, int64_t width) {
  if (width == 16) {
    float sum = 0;
    for (size_t i = static_cast<size_t>(lane); i < x.size(); i += 16)
      sum += x[i];
    return sum;
  }
  return tree(x, lane, 2 * width) + tree(x, lane + width, 2 * width);
}

TEST(RowSum, IsTheSixteenLaneTree) {
  Random random;
  SCOPED_TRACE(test::trace());
  int sensitive = 0;
  for (size_t n = 0; n <= 200; ++n) {
    std::vector<float> x(n), spread(3 * n);
    float inOrder = 0;
    for (size_t i = 0; i < n; ++i) {
      x[i] = static_cast<float>(random.real(-1, 1) *
                                std::exp2(random.real(-20, 20)));
      spread[3 * i] = x[i];
      inOrder += x[i];
    }
    auto count = static_cast<int64_t>(n);
    ASSERT_EQ(rowSum(x.data(), count), tree(x, 0, 1)) << n;
    ASSERT_EQ(rowSum(spread.data(), count, 3), tree(x, 0, 1)) << n;
    sensitive += inOrder != tree(x, 0, 1);

    std::vector<float> squares(n);
    for (size_t i = 0; i < n; ++i)
      squares[i] = x[i] * x[i];
    ASSERT_EQ(rowSumOfSquares(x.data(), count), tree(squares, 0, 1));
  }
  EXPECT_GT(sensitive, 50); // the order does show
}

TEST(RowSum, HalvesFirst) {
  // Lanes 0 and 8 meet first: 2^24 - 2^24 + 1 = 1; lanes 0 and 1 first gives 0.
  std::vector<float> x(16, 0.0f);
  x[0] = 0x1p24f;
  x[1] = 1.0f;
  x[8] = -0x1p24f;
  EXPECT_EQ(rowSum(x.data(), 16), 1.0f);
}

TEST(RowSum, ZerosAndEmptyRows) {
  const float zeros[] = {-0.0f, -0.0f};
  EXPECT_FALSE(std::signbit(rowSum(zeros, 2)));
  EXPECT_FALSE(std::signbit(rowSum(zeros, 0)));
}

TEST(RowMax, SpecialValues) {
  const float zeros[] = {-0.0f, 0.0f, -0.0f};
  EXPECT_FALSE(std::signbit(rowMax(zeros, 3)));
  EXPECT_TRUE(std::signbit(rowMax(zeros, 1)));
  const float nan[] = {1.0f, std::nanf(""), 5.0f};
  EXPECT_TRUE(std::isnan(rowMax(nan, 3)));
  EXPECT_EQ(rowMax(nan, 1), 1.0f);
  EXPECT_EQ(rowMax(nan, 0), -kInf);
  EXPECT_EQ(rowMax(nan, 2, 2), 5.0f);
  EXPECT_TRUE(std::signbit(minimum(0.0f, -0.0f)));
  EXPECT_TRUE(std::signbit(minimum(-0.0f, 0.0f)));
  EXPECT_EQ(minimum(2.0f, -kInf), -kInf);
  EXPECT_TRUE(std::isnan(minimum(2.0f, std::nanf(""))));
}

TEST(SoftmaxRow, CloseToTheRealOneAndInPlace) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int64_t n : {1, 3, 16, 100, 1000}) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float &value : x)
      value = static_cast<float>(random.real(-20, 20));
    std::vector<float> y(x.size());
    softmaxRow(x.data(), y.data(), n);
    double max = rowMax(x.data(), n), sum = 0;
    for (float value : x)
      sum += std::exp(value - max);
    for (size_t i = 0; i < x.size(); ++i) {
      double want = std::exp(x[i] - max) / sum;
      // x - max is rounded to f32: at 40 half an ulp is 2^-19.
      ASSERT_NEAR(y[i], want, want * 0x1p-17);
    }
    softmaxRow(x.data(), x.data(), n);
    ASSERT_EQ(x, y);
  }
  std::vector<float> same(4, -3.0f);
  softmaxRow(same.data(), same.data(), 4);
  EXPECT_EQ(same, std::vector<float>(4, 0.25f));
  std::vector<float> masked = {0.0f, -kInf};
  softmaxRow(masked.data(), masked.data(), 2);
  EXPECT_EQ(masked, (std::vector<float>{1.0f, 0.0f}));
  std::vector<float> nothing(2, -kInf);
  softmaxRow(nothing.data(), nothing.data(), 2);
  EXPECT_TRUE(std::isnan(nothing[0]) && std::isnan(nothing[1]));
}

TEST(LayerNormRow, CloseToTheRealOne) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int64_t n : {1, 7, 768}) {
    auto size = static_cast<size_t>(n);
    std::vector<float> x(size), y(size), gamma(size), beta(size);
    for (size_t i = 0; i < size; ++i) {
      x[i] = static_cast<float>(random.real(-3, 5));
      gamma[i] = static_cast<float>(random.real(-2, 2));
      beta[i] = static_cast<float>(random.real(-2, 2));
    }
    layerNormRow(x.data(), y.data(), n, 1, gamma.data(), beta.data(), 1e-5f);
    double mean = 0, variance = 0;
    for (float value : x)
      mean += value;
    mean /= static_cast<double>(n);
    for (float value : x)
      variance += (value - mean) * (value - mean);
    variance /= static_cast<double>(n);
    for (size_t i = 0; i < size; ++i) {
      double want = (x[i] - mean) / std::sqrt(variance + 1e-5) * gamma[i];
      ASSERT_NEAR(y[i], want + beta[i], 2e-6 * (1 + std::fabs(want)));
    }
    // No gamma and beta is gamma 1 and beta 0, in place and strided.
    std::vector<float> ones(size, 1.0f), spread(2 * size);
    layerNormRow(x.data(), y.data(), n, 1, ones.data(), nullptr, 1e-5f);
    for (size_t i = 0; i < size; ++i)
      spread[2 * i] = x[i];
    layerNormRow(spread.data(), spread.data(), n, 2, nullptr, nullptr, 1e-5f);
    for (size_t i = 0; i < size; ++i)
      ASSERT_EQ(spread[2 * i], y[i]);
    rmsNormRow(x.data(), y.data(), n, 1, gamma.data(), 1e-5f);
    double square = 0;
    for (float value : x)
      square += double(value) * value;
    square /= static_cast<double>(n);
    for (size_t i = 0; i < size; ++i) {
      double want = x[i] / std::sqrt(square + 1e-5) * gamma[i];
      ASSERT_NEAR(y[i], want, 2e-6 * (1 + std::fabs(want)));
      spread[2 * i] = x[i];
    }
    rmsNormRow(x.data(), y.data(), n, 1, ones.data(), 1e-5f);
    rmsNormRow(spread.data(), spread.data(), n, 2, nullptr, 1e-5f);
    for (size_t i = 0; i < size; ++i)
      ASSERT_EQ(spread[2 * i], y[i]);
  }
}

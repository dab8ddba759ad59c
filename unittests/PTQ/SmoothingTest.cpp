// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant's factors and what they do to statistics.

#include "QDialect/PTQ/Smoothing.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

TEST(SmoothingTest, FactorsBalanceBothSides) {
  // 16^0.5 / 0.25^0.5 = 8: the channel is 2 then, and so is its weight.
  EXPECT_EQ(smoothingFactors({16, 1}, {0.25f, 1}, 0.5),
            (std::vector<float>{8, 1}));
  EXPECT_EQ(smoothingFactors({16}, {0.25f}, 1), std::vector<float>{16});
  EXPECT_EQ(smoothingFactors({16}, {0.25f}, 0), std::vector<float>{4});
}

TEST(SmoothingTest, DeadChannelsAndExtremesKeepFinite) {
  EXPECT_EQ(smoothingFactors({0, 4, 0}, {1, 0, 0}, 0.5),
            (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(smoothingFactors({1e30f, 1e-30f}, {1, 1}, 1),
            (std::vector<float>{0x1p16f, 0x1p-16f}));
}

TEST(SmoothingTest, LogarithmicFactorsLeaveTheLogarithm) {
  // FPTQ's examples: 50 becomes 5.70, 150 becomes 7.25.
  std::vector<float> factors = logFactors({50, 150, 0, 1e-9f});
  EXPECT_NEAR(50 / factors[0], 5.70, 0.005);
  EXPECT_NEAR(150 / factors[1], 7.25, 0.005);
  EXPECT_EQ(factors[2], 1);
  EXPECT_EQ(factors[3], 1e-5f);
}

TEST(SmoothingTest, PercentileChangesTheLargestChannelsAlone) {
  // Of 200 channels the second largest is the base.
  std::vector<float> activations(200, 1);
  activations[7] = 12;
  activations[9] = 4;
  std::vector<float> factors = percentileFactors(activations);
  for (size_t c = 0; c < factors.size(); ++c)
    EXPECT_EQ(factors[c], c == 7 ? 3 : 1) << "channel " << c;
  EXPECT_EQ(percentileFactors({1e-5f, 0}), (std::vector<float>{1, 1}));
  EXPECT_EQ(percentileFactors({}), std::vector<float>());
}

TEST(SmoothingTest, ActivationAwareFactorsAreTheBestOfTheirFamily) {
  // r = 0.5 of roots 16 and 1: 4 and 1, over their middle 2.
  auto distance = [](const std::vector<float> &factors) {
    return std::abs(factors[0] - 2.0) + std::abs(factors[1] - 0.5);
  };
  std::vector<float> found = activationAwareFactors({256, 1}, distance);
  EXPECT_NEAR(found[0], 2, 1e-5);
  EXPECT_NEAR(found[1], 0.5, 1e-5);
  // Nothing is better than nothing.
  auto one = [](const std::vector<float> &factors) {
    return std::abs(factors[0] - 1.0);
  };
  EXPECT_EQ(activationAwareFactors({256, 1}, one), (std::vector<float>{1, 1}));
}

TEST(SmoothingTest, DividedStatisticsHaveTheDividedExtremes) {
  ValueStatistics value;
  value.count = 4;
  value.channelMin = {-8, -1};
  value.channelMax = {4, 2};
  value.channelSum = {-4, 1};
  value.channelSumOfSquares = {80, 5};
  EXPECT_EQ(channelMagnitudes(value), (std::vector<float>{8, 2}));
  ValueStatistics divided = dividedChannels(value, {4, 0.5f});
  EXPECT_EQ(divided.channelMin, (std::vector<float>{-2, -2}));
  EXPECT_EQ(divided.channelMax, (std::vector<float>{1, 4}));
  EXPECT_EQ(divided.min, -2);
  EXPECT_EQ(divided.max, 4);
  EXPECT_EQ(divided.sum, -4 / 4.0 + 1 / 0.5);
  EXPECT_EQ(divided.channelSumOfSquares, (std::vector<double>{5, 20}));
  EXPECT_EQ(divided.sumOfSquares, 25);
  ScaleOptions options;
  options.qmin = 0;
  options.qmax = 255;
  QuantParams grid = divided.chooseParams(options);
  EXPECT_FLOAT_EQ(grid.scale, 6 / 255.0f);
  EXPECT_EQ(grid.zeroPoint, 85);
}

} // namespace

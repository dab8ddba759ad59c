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

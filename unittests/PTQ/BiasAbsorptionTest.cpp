// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/PTQ/BiasAbsorption.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

/// Channels {4, 8} and {1, 3}.
ValueStatistics twoChannels() {
  ValueStatistics value;
  value.count = 4;
  value.min = 1;
  value.max = 8;
  value.sum = 16;
  value.sumOfSquares = 90;
  value.channelMin = {4, 1};
  value.channelMax = {8, 3};
  value.channelSum = {12, 4};
  value.channelSumOfSquares = {80, 10};
  return value;
}

TEST(BiasAbsorptionTest, TakesTheLeastValueBehindARelu) {
  EXPECT_EQ(channelShifts(twoChannels(), /*rectified=*/true, 0),
            (std::vector<float>{4, 1}));
}

TEST(BiasAbsorptionTest, TakesTheMeanLessDeviations) {
  // Means 6 and 2, deviations 2 and 1.
  EXPECT_EQ(channelShifts(twoChannels(), true, 1), (std::vector<float>{4, 1}));
  EXPECT_EQ(channelShifts(twoChannels(), true, 2), (std::vector<float>{2, 0}));
  EXPECT_EQ(channelShifts(twoChannels(), true, 3), std::vector<float>());
}

TEST(BiasAbsorptionTest, TakesTheMiddleElsewhere) {
  EXPECT_EQ(channelShifts(twoChannels(), /*rectified=*/false, 3),
            (std::vector<float>{6, 2}));
}

TEST(BiasAbsorptionTest, LeavesARangeThatWouldStay) {
  ValueStatistics value = twoChannels();
  value.channelMin[0] = 0;
  EXPECT_EQ(channelShifts(value, true, 0), std::vector<float>());
  EXPECT_EQ(channelShifts(ValueStatistics(), true, 0), std::vector<float>());
}

TEST(BiasAbsorptionTest, ShiftedStatisticsAreThoseOfTheShiftedValue) {
  ValueStatistics shifted = shiftedChannels(twoChannels(), {5, 1}, false);
  EXPECT_EQ(shifted.channelMin, (std::vector<float>{-1, 0}));
  EXPECT_EQ(shifted.channelMax, (std::vector<float>{3, 2}));
  EXPECT_EQ(shifted.channelSum, (std::vector<double>{2, 2}));
  EXPECT_EQ(shifted.channelSumOfSquares, (std::vector<double>{10, 4}));
  EXPECT_EQ(shifted.sum, 4);
  EXPECT_EQ(shifted.sumOfSquares, 14);
  EXPECT_TRUE(shifted.histogram.empty());
  // A relu cuts off what falls below 0.
  EXPECT_EQ(shiftedChannels(twoChannels(), {5, 1}, true).min, 0);
  // The extremes are all that is known, whatever the method asks for.
  ScaleOptions options;
  options.method = RangeMethod::Lp;
  options.qmin = 0;
  options.qmax = 255;
  QuantParams grid = shifted.chooseParams(options);
  EXPECT_FLOAT_EQ(grid.scale, 4 / 255.0f);
  EXPECT_EQ(grid.zeroPoint, 64);
}

} // namespace

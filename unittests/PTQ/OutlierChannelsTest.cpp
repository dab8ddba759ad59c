// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/PTQ/OutlierChannels.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

ValueStatistics withExtremes(std::vector<float> least,
                             std::vector<float> greatest) {
  ValueStatistics value;
  value.channelMin = std::move(least);
  value.channelMax = std::move(greatest);
  return value;
}

TEST(OutlierChannelsTest, EitherSideReachesTheThreshold) {
  ValueStatistics value =
      withExtremes({-5.75f, -6, 0, 1, -70}, {5.75f, 0, 6, 5.875f, 2});
  EXPECT_EQ(findOutlierChannels(value, 6, 5), (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(findOutlierChannels(value, 71, 5), std::vector<int64_t>());
}

TEST(OutlierChannelsTest, TheLargestOfManyInOrder) {
  std::vector<float> least(100, 0), greatest(100, 8);
  greatest[3] = 7;
  greatest[99] = 9;
  least[50] = -10;
  std::vector<int64_t> found =
      findOutlierChannels(withExtremes(least, greatest), 6, 100);
  ASSERT_EQ(found.size(), 32u);
  // 50 and 99, and the first thirty of the equal ones.
  std::vector<int64_t> expected{0, 1, 2};
  for (int64_t channel = 4; channel <= 30; ++channel)
    expected.push_back(channel);
  expected.insert(expected.end(), {50, 99});
  EXPECT_EQ(found, expected);
}

TEST(OutlierChannelsTest, NothingIsSaidOfOtherChannels) {
  EXPECT_TRUE(findOutlierChannels(withExtremes({0}, {9}), 6, 2).empty());
  EXPECT_TRUE(findOutlierChannels({}, 6, 4).empty());
}

} // namespace

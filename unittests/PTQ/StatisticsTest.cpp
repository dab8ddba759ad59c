// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collecting, merging and the file form of statistics.

#include "QDialect/PTQ/Statistics.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>
#include <random>

using namespace qdialect;

namespace {

std::string messageOf(llvm::Error error) {
  return llvm::toString(std::move(error));
}

std::vector<float> sample(unsigned seed, size_t size, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.5f, scale);
  std::vector<float> values(size);
  for (float &value : values)
    value = normal(random);
  return values;
}

/// Samples [first, last) of a made-up program with two values.
Statistics collect(unsigned first, unsigned last) {
  StatisticsCollector collector("digest");
  for (unsigned i = first; i < last; ++i) {
    std::vector<float> a = sample(i, 60, 1.0f + i), b = sample(i + 99, 10, 3);
    EXPECT_FALSE(static_cast<bool>(collector.add("a", a, 3)));
    EXPECT_FALSE(static_cast<bool>(collector.add("b", b, 1)));
    collector.finishSample();
  }
  return collector.take();
}

void expectSame(const ValueStatistics &a, const ValueStatistics &b) {
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.min, b.min);
  EXPECT_EQ(a.max, b.max);
  EXPECT_TRUE(a.histogram == b.histogram);
  EXPECT_EQ(a.channelMin, b.channelMin);
  EXPECT_EQ(a.channelMax, b.channelMax);
  // Sums depend on the order of additions by rounding alone.
  EXPECT_NEAR(a.sum, b.sum, 1e-12 * a.count);
  EXPECT_NEAR(a.sumOfSquares, b.sumOfSquares, 1e-12 * a.sumOfSquares);
  ASSERT_EQ(a.channelSum.size(), b.channelSum.size());
  for (size_t c = 0; c < a.channelSum.size(); ++c)
    EXPECT_NEAR(a.channelSum[c], b.channelSum[c], 1e-12 * a.count);
  ASSERT_EQ(a.channelSumOfSquares.size(), b.channelSumOfSquares.size());
  for (size_t c = 0; c < a.channelSumOfSquares.size(); ++c)
    EXPECT_NEAR(a.channelSumOfSquares[c], b.channelSumOfSquares[c],
                1e-12 * a.sumOfSquares);
}

TEST(StatisticsTest, CountsOneSample) {
  StatisticsCollector collector("digest");
  ASSERT_FALSE(static_cast<bool>(
      collector.add("x", {1, -2, 3, 4, 0, 6}, /*channels=*/2)));
  collector.finishSample();
  const ValueStatistics *x = collector.get().lookup("x");
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(x->count, 6u);
  EXPECT_EQ(x->min, -2);
  EXPECT_EQ(x->max, 6);
  EXPECT_EQ(x->absMax(), 6);
  EXPECT_DOUBLE_EQ(x->mean(), 2);
  EXPECT_EQ(x->sumOfSquares, 1 + 4 + 9 + 16 + 36);
  EXPECT_EQ(x->channelMin, (std::vector<float>{0, -2}));
  EXPECT_EQ(x->channelMax, (std::vector<float>{3, 6}));
  EXPECT_DOUBLE_EQ(x->channelMean(0), 4.0 / 3);
  EXPECT_DOUBLE_EQ(x->channelMean(1), 8.0 / 3);
  // 1, 3, 0 and -2, 4, 6.
  EXPECT_DOUBLE_EQ(x->channelVariance(0), 10.0 / 3 - 16.0 / 9);
  EXPECT_DOUBLE_EQ(x->channelVariance(1), 56.0 / 3 - 64.0 / 9);
  EXPECT_EQ(collector.get().lookup("y"), nullptr);
}

TEST(StatisticsTest, BadNumbersNameValueAndSample) {
  StatisticsCollector collector("digest");
  ASSERT_FALSE(static_cast<bool>(collector.add("conv1", {1, 2}, 1)));
  collector.finishSample();
  float nan = std::numeric_limits<float>::quiet_NaN();
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(messageOf(collector.add("conv1", {nan, 1, infinity, -infinity}, 1)),
            "value 'conv1' has 3 NaN or infinite of 4 elements in sample 1");
  // Nothing of the bad sample was counted.
  EXPECT_EQ(collector.get().lookup("conv1")->count, 2u);
}

TEST(StatisticsTest, ChannelsMustDivideAndStay) {
  StatisticsCollector collector("digest");
  EXPECT_EQ(messageOf(collector.add("x", {1, 2, 3}, 2)),
            "value 'x': 3 elements do not divide into 2 channels");
  ASSERT_FALSE(static_cast<bool>(collector.add("x", {1, 2, 3, 4}, 2)));
  EXPECT_EQ(messageOf(collector.add("x", {1, 2, 3, 4}, 4)),
            "value 'x' has 4 channels in sample 0, 2 before");
}

TEST(StatisticsTest, MergeRefusesStrangers) {
  Statistics a = collect(0, 2), b = collect(2, 3);
  b.program = "other";
  EXPECT_EQ(messageOf(a.merge(b)),
            "statistics of different programs: digest and other");
  b = collect(2, 3);
  b.values.erase("b");
  EXPECT_EQ(messageOf(a.merge(b)), "value 'b' is in one part only");
}

TEST(StatisticsTest, WhatABranchNeverComputedIsListed) {
  StatisticsCollector collector("digest");
  collector.expect("a");
  collector.expect("b");
  EXPECT_FALSE(static_cast<bool>(collector.add("b", {1, 2}, 1)));
  collector.expect("b");
  collector.finishSample();
  Statistics part = collector.take();
  EXPECT_EQ(part.lookup("a")->count, 0u);
  EXPECT_EQ(part.lookup("b")->count, 2u);
  llvm::Expected<Statistics> read = Statistics::parse(part.print(), "f");
  ASSERT_TRUE(static_cast<bool>(read)) << messageOf(read.takeError());
  EXPECT_EQ(read->print(), part.print());
  // In a part of the data it was taken.
  llvm::Expected<Statistics> merged = merge(part, collect(0, 1));
  ASSERT_TRUE(static_cast<bool>(merged)) << messageOf(merged.takeError());
  expectSame(*merged->lookup("a"), *collect(0, 1).lookup("a"));
}

TEST(StatisticsTest, FileRoundTripLosesNothing) {
  Statistics written = collect(0, 3);
  llvm::Expected<Statistics> read = Statistics::parse(written.print(), "f");
  ASSERT_TRUE(static_cast<bool>(read)) << messageOf(read.takeError());
  EXPECT_EQ(read->print(), written.print());
  EXPECT_EQ(read->samples, 3u);
  EXPECT_EQ(read->lookup("a")->sum, written.lookup("a")->sum);
  EXPECT_TRUE(read->lookup("a")->histogram == written.lookup("a")->histogram);
}

TEST(StatisticsTest, WritesAndReadsAFile) {
  llvm::SmallString<128> path;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("qd", "stats.json", path));
  Statistics written = collect(0, 1);
  ASSERT_EQ(messageOf(written.write(path)), "");
  llvm::Expected<Statistics> read = Statistics::read(path);
  ASSERT_TRUE(static_cast<bool>(read)) << messageOf(read.takeError());
  EXPECT_EQ(read->print(), written.print());
  llvm::sys::fs::remove(path);
}

TEST(StatisticsTest, BadFilesNameFileAndKey) {
  auto parseError = [](llvm::StringRef text) {
    llvm::Expected<Statistics> result = Statistics::parse(text, "s.json");
    return result ? std::string() : messageOf(result.takeError());
  };
  EXPECT_EQ(parseError("{"),
            "s.json: not a statistics file: [1:1, byte=1]: Expected object "
            "key");
  EXPECT_EQ(parseError("{}"), "s.json: not a statistics file: no \"format\": "
                              "\"qdialect-statistics\"");
  EXPECT_EQ(parseError(R"({"format": "qdialect-statistics", "version": 7})"),
            "s.json: statistics version 7 is not supported (this is version "
            "2)");
  const std::string head =
      R"({"format": "qdialect-statistics", "version": 2, "program": "p",)"
      R"( "samples": 1, "values": {"x": )";
  EXPECT_EQ(parseError(head + "3}}"), "s.json: value 'x': is no object");
  EXPECT_EQ(parseError(head + R"({"count": 1, "max": 1}}})"),
            "s.json: value 'x': key min is missing or wrong");
}

/// The error for an entry of two values with these extremes and counts, and
/// with channels where there are some.
std::string entryError(const std::string &min, const std::string &counts,
                       const std::string &channels = "") {
  llvm::Expected<Statistics> result = Statistics::parse(
      R"({"format": "qdialect-statistics", "version": 2, "program": "p",)"
      R"( "samples": 1, "values": {"x": {"count": 2, "min": )" +
          min + R"(, "max": 1, "sum": 1, "sum_of_squares": 1, )" + channels +
          R"("histogram": {"exponent": -10, "first": 1024, "counts": [)" +
          counts + "]}}}}",
      "s.json");
  return result ? std::string() : messageOf(result.takeError());
}

/// The same with channels 1 and 0.5, one of their numbers replaced.
std::string channelError(const std::string &from, const std::string &to) {
  std::string channels = R"("channels": {"min": [1, 0.5], "max": [1, 0.5],)"
                         R"( "sum": [1, 0.5], "sum_of_squares": [1, 0.25]}, )";
  size_t at = channels.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return entryError("0.5", "2", channels.replace(at, from.size(), to));
}

TEST(StatisticsTest, ContradictionsNameBothNumbers) {
  const std::string where = "s.json: value 'x': ";
  EXPECT_EQ(entryError("1", "2"), "");
  EXPECT_EQ(entryError("1", "1"),
            where + "histogram.counts add up to 1, count is 2");
  EXPECT_EQ(entryError("1.5", "2"), where + "min 1.5 is above max 1");
  EXPECT_EQ(entryError("1e999", "2"), where + "key min is missing or wrong");

  EXPECT_EQ(channelError("1, 0.5", "1, 0.5"), "");
  EXPECT_EQ(channelError(R"("max": [1, 0.5])", R"("max": [1])"),
            where + "channels.max has 1 elements, channels.sum 2");
  EXPECT_EQ(channelError(R"("min": [1)", R"("min": [1e39)"),
            where + "element 0 of channels.min is no finite number");
  EXPECT_EQ(channelError(R"("min": [1, 0.5])", R"("min": [1, 0.75])"),
            where + "channel 1 has min 0.75 above max 0.5");
  EXPECT_EQ(channelError(R"("min": [1, 0.5])", R"("min": [1, 0.25])"),
            where + "channel 1 has min 0.25 below min 0.5 of all");
  EXPECT_EQ(channelError(R"("max": [1)", R"("max": [3)"),
            where + "channel 0 has max 3 above max 1 of all");
  EXPECT_EQ(channelError("0.25]", "-0.25]"),
            where + "channel 1 has sum_of_squares -0.25 below 0");
  EXPECT_EQ(entryError("1", "2",
                       R"("channels": {"min": [1, 1, 1], "max": [1, 1, 1],)"
                       R"( "sum": [1, 1, 1], "sum_of_squares": [1, 1, 1]}, )"),
            where + "count 2 is no multiple of 3 channels");
}

TEST(StatisticsTest, MinMaxGridComesFromTheExtremes) {
  StatisticsCollector collector("digest");
  ASSERT_FALSE(static_cast<bool>(collector.add("x", {0, 1.5f, 5.1f, 0}, 1)));
  ScaleOptions options;
  options.qmin = 0;
  options.qmax = 255;
  QuantParams params = collector.get().lookup("x")->chooseParams(options);
  EXPECT_EQ(params.zeroPoint, 0);
  EXPECT_FLOAT_EQ(params.scale, 5.1f / 255);
}

TEST(StatisticsProperty, MergeEqualsOnePass) {
  for (unsigned cut = 1; cut < 6; ++cut) {
    llvm::Expected<Statistics> merged = merge(collect(0, cut), collect(cut, 6));
    ASSERT_TRUE(static_cast<bool>(merged)) << messageOf(merged.takeError());
    Statistics expected = collect(0, 6);
    EXPECT_EQ(merged->samples, 6u);
    for (const char *name : {"a", "b"})
      expectSame(*merged->lookup(name), *expected.lookup(name));
  }
}

} // namespace

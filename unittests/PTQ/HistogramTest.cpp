// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The growing histogram against exact counts, and its independence of order.

#include "QDialect/PTQ/Histogram.h"
#include "gtest/gtest.h"
#include <cmath>
#include <map>
#include <random>

using namespace qdialect;

namespace {

double absMax(const std::vector<float> &values) {
  double result = 0;
  for (float value : values)
    result = std::max(result, std::fabs(static_cast<double>(value)));
  return result;
}

/// One pass that knows the largest magnitude from the start.
Histogram onePass(const std::vector<float> &values) {
  Histogram histogram;
  histogram.add(values.data(), values.size(), absMax(values));
  return histogram;
}

/// In pieces, the range growing as the data asks.
Histogram growing(const std::vector<float> &values, size_t piece) {
  Histogram histogram;
  double largest = 0;
  for (size_t i = 0; i < values.size(); i += piece) {
    std::vector<float> part(values.begin() + i,
                            values.begin() +
                                std::min(values.size(), i + piece));
    largest = std::max(largest, absMax(part));
    histogram.add(part.data(), part.size(), largest);
  }
  return histogram;
}

/// Values whose magnitude spreads over many powers of two.
std::vector<float> wideData(unsigned seed, size_t size) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-12, 4);
  std::vector<float> values(size);
  for (float &value : values)
    value = std::ldexp(normal(random), exponent(random));
  return values;
}

TEST(HistogramTest, ExampleOfTheHeader) {
  Histogram histogram;
  float small = 0.75f, large = 6.0f;
  histogram.add(&small, 1, 0.75);
  EXPECT_EQ(histogram.getExponent(), -11);
  EXPECT_EQ(histogram.getFirst(), 1536);
  histogram.add(&large, 1, 6.0);
  EXPECT_EQ(histogram.getExponent(), -8);
  EXPECT_EQ(histogram.getFirst(), 192);
  EXPECT_EQ(histogram.getCounts().front(), 1u);
  EXPECT_EQ(histogram.getCounts().size(), 1536u - 192 + 1);
  EXPECT_EQ(histogram.total(), 2u);
}

TEST(HistogramTest, CountsAreThoseOfAMap) {
  std::vector<float> values = wideData(1, 20000);
  Histogram histogram = growing(values, 7);
  std::map<int64_t, uint64_t> exact;
  for (float value : values)
    ++exact[static_cast<int64_t>(
        std::floor(value / std::ldexp(1.0, histogram.getExponent())))];
  uint64_t seen = 0;
  for (size_t i = 0; i < histogram.getCounts().size(); ++i) {
    int64_t bin = histogram.getFirst() + static_cast<int64_t>(i);
    uint64_t expected = exact.count(bin) ? exact[bin] : 0;
    ASSERT_EQ(histogram.getCounts()[i], expected) << "bin " << bin;
    seen += expected;
  }
  EXPECT_EQ(seen, values.size());
}

TEST(HistogramTest, ZerosAloneThenValues) {
  std::vector<float> zeros(5, 0.0f);
  Histogram histogram = onePass(zeros);
  EXPECT_EQ(histogram.getExponent(), Histogram::kEmptyExponent);
  EXPECT_EQ(histogram.total(), 5u);
  float value = -1.0f;
  histogram.add(&value, 1, 1.0);
  EXPECT_EQ(histogram.total(), 6u);
  EXPECT_EQ(histogram.getFirst(), -1024);
  EXPECT_EQ(histogram.getCounts().back(), 5u); // bin 0
}

TEST(HistogramTest, DenormalsHaveABin) {
  float tiny = std::numeric_limits<float>::denorm_min();
  Histogram histogram;
  histogram.add(&tiny, 1, tiny);
  EXPECT_EQ(histogram.getFirst(), 1024);
  EXPECT_EQ(histogram.total(), 1u);
}

TEST(HistogramTest, RefusesPartsOutOfRange) {
  Histogram histogram;
  EXPECT_FALSE(Histogram::fromParts(0, -5000, {1}, histogram));
  EXPECT_FALSE(
      Histogram::fromParts(0, 0, std::vector<uint64_t>(5000, 1), histogram));
  EXPECT_FALSE(Histogram::fromParts(-1000, 0, {1}, histogram));
  EXPECT_TRUE(Histogram::fromParts(-3, -2, {0, 1, 2, 0}, histogram));
  EXPECT_EQ(histogram.getFirst(), -1); // empty ends are dropped
  EXPECT_EQ(histogram.getCounts().size(), 2u);
}

TEST(HistogramProperty, PiecesEqualOnePass) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::vector<float> values = wideData(seed, 3000);
    Histogram expected = onePass(values);
    EXPECT_TRUE(growing(values, 1) == expected) << "seed " << seed;
    EXPECT_TRUE(growing(values, 100) == expected) << "seed " << seed;
  }
}

TEST(HistogramProperty, MergeEqualsOnePassInAnyOrder) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::vector<float> a = wideData(seed, 500), b = wideData(seed + 100, 700),
                       c(300, std::ldexp(0.3f, static_cast<int>(seed) - 10));
    std::vector<float> all = a;
    all.insert(all.end(), b.begin(), b.end());
    all.insert(all.end(), c.begin(), c.end());
    Histogram expected = onePass(all);
    Histogram ab = onePass(a);
    ab.merge(onePass(b));
    ab.merge(onePass(c));
    Histogram cb = onePass(c);
    cb.merge(onePass(b));
    cb.merge(onePass(a));
    EXPECT_TRUE(ab == expected) << "seed " << seed;
    EXPECT_TRUE(cb == expected) << "seed " << seed;
  }
}

} // namespace

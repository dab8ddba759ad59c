// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The string of --search, and how it is refused.

#include "QDialect/Search/SearchRequest.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

std::string errorOf(llvm::StringRef text) {
  auto request = SearchRequest::parse(text);
  return request ? std::string() : llvm::toString(request.takeError());
}

TEST(SearchRequestTest, ReadsEveryKey) {
  auto request = SearchRequest::parse(
      "size<=4MB, latency<=250us, bops <= 1.5G, metric=sqnr, "
      "choices=w8a8/w4a8/w8a16, samples=32, threads=2, probes=5");
  ASSERT_TRUE(static_cast<bool>(request));
  CostTable table;
  EXPECT_EQ(request->absoluteLimits(table), (Limits{4e6, 1.5e9, 0.25}));
  EXPECT_EQ(request->metric, LossMetric::SQNR);
  EXPECT_EQ(request->choices,
            (std::vector<Precision>{{4, 8}, {8, 8}, {8, 16}}));
  EXPECT_EQ(request->samples, 32);
  EXPECT_EQ(request->threads, 2);
  EXPECT_EQ(request->probes, 5);
  EXPECT_EQ(request->mainResource(), Resource::Size);
}

TEST(SearchRequestTest, RelativeLimitsAreOfTheWidestChoices) {
  auto request = SearchRequest::parse("size<=0.6x,latency<=2s");
  ASSERT_TRUE(static_cast<bool>(request));
  CostTable table;
  table.rest = {100, 0, 0};
  table.layers.push_back(
      {"a", "conv", std::nullopt, {{{4, 8}, 1, {450}}, {{8, 8}, 0, {900}}}});
  Limits limits = request->absoluteLimits(table);
  EXPECT_DOUBLE_EQ(*limits[0], 600);
  EXPECT_EQ(limits[2], 2000);
}

TEST(SearchRequestTest, RefusalsNameTheKeyAndWhatIsAllowed) {
  const std::string keys =
      "; allowed are size<=, bops<=, latency<=, metric=, choices=, samples=, "
      "threads=, probes=";
  EXPECT_EQ(errorOf("sise<=4MB"), "--search: unknown key 'sise<='" + keys);
  EXPECT_EQ(errorOf("size<=4MB,speed=2"),
            "--search: unknown key 'speed=2'" + keys);
  EXPECT_EQ(errorOf(""), "--search: unknown key ''" + keys);
  EXPECT_EQ(errorOf("size<=4Mb"), "--search: size<=4Mb: unit 'Mb' is none of "
                                  "B, KB, MB, GB, KiB, MiB, GiB, x");
  EXPECT_EQ(errorOf("latency<=fast"),
            "--search: latency<=fast is not a positive number with one of the "
            "units us, ms, s, x");
  EXPECT_EQ(errorOf("size<=0MB"),
            "--search: size<=0MB is not a positive number with one of the "
            "units B, KB, MB, GB, KiB, MiB, GiB, x");
  EXPECT_EQ(errorOf("size<=1MB,metric=psnr"),
            "--search: metric=psnr is none of kl, sqnr, mse, hessian");
  EXPECT_EQ(errorOf("size<=1MB,choices=w4a8/int8"),
            "--search: choices=w4a8/int8: 'int8' is no precision; allowed are "
            "w2 to w8 with a2 to a16, such as w4a8/w8a8/w8a16");
  EXPECT_EQ(errorOf("size<=1MB,samples=0"),
            "--search: samples=0 is not a number from 1 to 1048576");
  EXPECT_EQ(errorOf("metric=kl"), "--search: 'metric=kl' sets no limit: give "
                                  "size<=, bops<= or latency<=");
}

} // namespace

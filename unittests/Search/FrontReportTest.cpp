// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The front as text and picture.

#include "QDialect/Search/FrontReport.h"
#include "gtest/gtest.h"
#include <algorithm>

using namespace qdialect;

namespace {

TEST(FrontReportTest, MarksTheChosenPlan) {
  CostTable table;
  table.metric = "kl";
  table.layers.push_back(
      {"a",
       "conv",
       std::nullopt,
       {{{4, 8}, 0.5, {500, 32e3, 2}}, {{8, 8}, 0, {1000, 64e3, 1}}}});
  PrecisionPlan narrow{{0}, 0.5, {500, 32e3, 2}};
  PrecisionPlan wide{{1}, 0, {1000, 64e3, 1}};
  EXPECT_EQ(frontText(table, {narrow, wide}, wide),
            "          size         bops      latency           kl  layers\n"
            "         500 B         32 K         2 ms          0.5  1 w4a8\n"
            ">         1 KB         64 K         1 ms            0  1 w8a8\n");
  std::string picture =
      frontPicture(table, {narrow, wide}, wide, Resource::Size);
  EXPECT_EQ(picture.find("<svg "), 0u);
  EXPECT_NE(picture.find("predicted loss (kl)"), std::string::npos);
  size_t circles = 0;
  for (size_t at = 0; (at = picture.find("<circle", at)) != std::string::npos;
       ++at)
    ++circles;
  EXPECT_EQ(circles, 3u);
  // One plan alone has no extent to divide by.
  picture = frontPicture(table, {wide}, wide, Resource::Latency);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
}

} // namespace

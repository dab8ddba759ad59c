// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches that run on tensor cores, epilogue included, against the
// interpreter.

#include "ContractionText.h"
#include "GpuCheck.h"
#include "ProductText.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class MmaPlan : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

TEST_F(MmaPlan, Matmul) {
  for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{9, 1, 1},
                                                            {15, 65, 5},
                                                            {13, 100, 33},
                                                            {12, 63, 129},
                                                            {10, 130, 70},
                                                            {49, 48, 64},
                                                            {100, 128, 256},
                                                            {11, 33, 16}}) {
    SCOPED_TRACE(number(m) + " x " + number(n) + " x " + number(k));
    checkGpuDispatch(matmulText(random, m, n, k), "mma", random);
  }
}

TEST_F(MmaPlan, Convolution) {
  ConvCase cases[] = {
      {1, 3, 3, 1, 1, 1, 1},
      {1, 7, 7, 16, 3, 3, 64, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 9, 5, 20, 3, 3, 70, 2, 2, 1, 1, 0, 0, 1, 1},
      {1, 11, 13, 17, 3, 2, 19, 2, 1, 2, 3, 2, 1, 0, 3},
      {1, 8, 8, 32, 1, 1, 96, 2, 2},
      {1, 15, 15, 3, 7, 7, 64, 2, 2},
      {1, 6, 6, 5, 3, 3, 33, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  for (const ConvCase &c : cases)
    checkGpuDispatch(convText(random, c, false), "mma", random);
}

TEST_F(MmaPlan, GroupedConvolution) {
  checkGpuDispatch(groupedText(random, 6, 3, 8, 20, 3), "mma", random);
  checkGpuDispatch(groupedText(random, 5, 2, 16, 64, 1), "mma", random);
  // Narrow groups are no products of matrices.
  checkGpuDispatch(groupedText(random, 5, 4, 8, 4, 3), "elements", random);
}

TEST_F(MmaPlan, ZeroPointsOfTwoActivations) {
  for (int left : {0, 5, -128})
    for (int right : {0, -128, 127})
      for (bool byColumn : {false, true}) {
        Product p;
        p.zeroLeft = left;
        p.zeroRight = right;
        p.rightByColumn = byColumn;
        SCOPED_TRACE(number(left) + ", " + number(right));
        checkGpuDispatch(productText(p), "mma_batch", random);
      }
}

TEST_F(MmaPlan, EdgesOfTwoActivations) {
  for (int64_t depth : {1, 4, 33, 64, 130})
    for (int64_t columns : {1, 16, 65}) {
      Product p;
      p.batch = 2;
      p.heads = 3;
      p.rows = columns + 2;
      p.depth = depth;
      p.columns = columns;
      p.zeroLeft = -128;
      p.zeroRight = 9;
      p.rightByColumn = depth % 2 == 0;
      p.headsInside = columns % 2 == 0;
      SCOPED_TRACE(number(depth) + ", " + number(columns));
      checkGpuDispatch(productText(p), "mma_batch", random);
    }
}

/// Smaller tiles read the same image of the weights.
TEST_F(MmaPlan, FewerRegisters) {
  EXPECT_EQ(checkFewerRegisters(matmulText(random, 2000, 500, 70), random), 2u);
  EXPECT_EQ(checkFewerRegisters(matmulText(random, 3, 33, 16), random), 0u);
  Product p;
  p.batch = 2;
  p.heads = 6;
  p.rows = 200;
  p.columns = 130;
  p.zeroLeft = 3;
  EXPECT_EQ(checkFewerRegisters(productText(p), random), 1u);
}

/// Loads and stores of the epilogue are as wide as its 16 columns.
TEST_F(MmaPlan, EpilogueIsVectorized) {
  ptx::LaunchResult said =
      checkGpuDispatch(matmulText(random, 64, 128, 64), "mma", random);
  uint64_t stores = 0;
  for (const ptx::LineReport &line : said.lines)
    if (line.group == ptx::InstructionClass::Store)
      stores += line.counters.executed;
  // A warp's store is of 8 rows x 64 codes.
  EXPECT_EQ(stores, 64u / 8 * 128 / 64);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products with blocked weights on tensor cores against the interpreter, and
// what they cost.

#include "BlockMma.h"

#include "BlockText.h"
#include "GpuCheck.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class BlockMma : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  void checkDot(const BlockDotProduct &p, const char *family) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " by " + number(p.block) + " of " + p.codes);
    checkGpuDispatch(blockDotText(random, p), family, random);
  }
  ptx::LaunchResult checkWeights(const BlockWeightsProduct &p,
                                 const char *family) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " by " + number(p.block) + " of " + p.codes);
    return checkGpuDispatch(blockWeightsText(random, p), family, random, {},
                            1e-4);
  }
};

/// Rows, columns and depth that no tile, panel or step divides; blocks of a
/// product, of a step, of several, and longer than the depth.
TEST_F(BlockMma, Dot) {
  for (const BlockDotProduct &p :
       std::vector<BlockDotProduct>{{16, 64, 64, 64, "i4", -8, 7},
                                    {1, 1, 16, 32, "i4", -8, 7},
                                    {5, 65, 37, 32, "i4", -8, 7},
                                    {33, 130, 96, 32, "i4", -8, 7},
                                    {70, 140, 100, 32, "i4", -8, 7},
                                    {17, 80, 1030, 128, "i4", -8, 7},
                                    {4, 16, 640, 256, "i4", -8, 7},
                                    {3, 20, 40, 48, "i4", -8, 7},
                                    {35, 70, 100, 16, "i4", -8, 7, -8, 7}})
    checkDot(p, "mma_block_dot");
}

TEST_F(BlockMma, DotZeroPointsAndWidths) {
  for (const BlockDotProduct &p : std::vector<BlockDotProduct>{
           {7, 70, 300, 64, "i4", -8, 7, -8, 7},
           {7, 70, 70, 32, "i4", -8, 7, 3, 3},
           {7, 70, 70, 32, "i4", -8, 7, -8, 7, /*scaleByBlock=*/false},
           {6, 70, 80, 32, "i2", -2, 1, -2, 1},
           {6, 70, 80, 32, "i8", -128, 127},
           {6, 70, 80, 32, "i8", -100, 100, -20, 20}})
    checkDot(p, "mma_block_dot");
}

/// Distances that need nine bits, and blocks that end inside of a product.
TEST_F(BlockMma, DotLeavesToOthers) {
  checkDot({6, 70, 64, 32, "i8", -128, 127, -128, 127}, "tasks-block-dot");
  checkDot({3, 20, 64, 8, "i4", -8, 7}, "tasks-block-dot");
}

TEST_F(BlockMma, Weights) {
  for (const BlockWeightsProduct &p :
       std::vector<BlockWeightsProduct>{{16, 64, 32, 32, "i4", -8, 7},
                                        {1, 1, 16, 16, "i4", -8, 7},
                                        {5, 65, 37, 16, "i4", -8, 7},
                                        {4, 130, 90, 32, "i4", -8, 7, false},
                                        {35, 70, 100, 16, "i4", -8, 7},
                                        {70, 140, 1030, 128, "i4", -8, 7},
                                        {9, 17, 640, 256, "i4", -8, 7, false},
                                        {9, 17, 33, 32, "i2", -2, 1},
                                        {3, 64, 80, 32, "i8", -128, 127},
                                        {16, 130, 40, 16, "i8", -128, 127}})
    checkWeights(p, "mma_block_weights");
}

TEST_F(BlockMma, WeightsLeavesToOthers) {
  checkWeights({3, 20, 40, 8, "i4", -8, 7}, "tasks-block-weights");
}

/// What must come from memory in whole sectors does, and no bank is met twice.
TEST_F(BlockMma, Memory) {
  for (bool zeros : {false, true}) {
    ptx::LaunchResult result = checkWeights(
        {16, 128, 512, 32, "i4", -8, 7, zeros}, "mma_block_weights");
    ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
    EXPECT_GT(copies.sectors, 0u);
    EXPECT_EQ(copies.sectors, copies.idealSectors);
    EXPECT_EQ(result.total().conflicts, 0u);
  }
  ptx::LaunchResult result =
      checkGpuDispatch(blockDotText(random, {16, 128, 512, 64, "i4", -8, 7}),
                       "mma_block_dot", random);
  ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
  EXPECT_EQ(copies.sectors, copies.idealSectors);
  EXPECT_EQ(result.total().conflicts, 0u);
}

} // namespace

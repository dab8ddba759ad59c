// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights by blocks to codes: hand-computed cases, short blocks, zero points.

#include "QDialect/PTQ/QuantizeBlocks.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace qdialect;

namespace {

TensorRecipe s4ByBlocks(int64_t block, bool symmetric) {
  TensorRecipe recipe;
  recipe.format = {/*isSigned=*/true, 4};
  recipe.granularity = Granularity::Block;
  recipe.block = block;
  recipe.symmetric = symmetric;
  return recipe;
}

TEST(QuantizeBlocksTest, OneScaleABlockOfARow) {
  std::vector<float> weights = {7, -7, 1.75f, 3.5f, 3.5f, //
                                0, 0,  3,     0,    -14};
  LayerView layer = LayerView::dense(weights.data(), 2, 5);
  BlockedLayer q = quantizeBlocks(layer, s4ByBlocks(2, true));
  EXPECT_EQ(q.blocks, 3);
  // By block, then by row; the last block is one number long.
  EXPECT_EQ(q.scales, (std::vector<float>{1, 1, 0.5f, 3.0f / 7, 0.5f, 2}));
  EXPECT_EQ(q.zeroPoints, std::vector<int32_t>(6, 0));
  // 1.75 / 0.5 = 3.5 goes to even.
  EXPECT_EQ(q.codes, (std::vector<int32_t>{7, -7, 4, 7, 7, 0, 0, 7, 0, -7}));
}

TEST(QuantizeBlocksTest, ZeroPointsTakeTheWholeAlphabet) {
  std::vector<float> weights = {0, 15, -15, 0, 0, 0};
  LayerView layer = LayerView::dense(weights.data(), 1, 6);
  BlockedLayer q = quantizeBlocks(layer, s4ByBlocks(2, false));
  EXPECT_EQ(q.scales, (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(q.zeroPoints[0], -8);
  EXPECT_EQ(q.zeroPoints[1], 7);
  EXPECT_EQ(q.codes[0], -8);
  EXPECT_EQ(q.codes[1], 7);
  EXPECT_EQ(q.codes[2], -8);
  EXPECT_EQ(q.codes[3], 7);
  EXPECT_EQ(q.codes[4], q.zeroPoints[2]);
}

/// No weight is further from its code's value than half a step.
TEST(QuantizeBlocksTest, RoundsToNearest) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  constexpr int64_t rows = 37, columns = 50, block = 16;
  std::vector<float> weights(rows * columns);
  for (float &weight : weights)
    weight = normal(random);
  for (bool symmetric : {false, true}) {
    LayerView layer = LayerView::dense(weights.data(), rows, columns);
    BlockedLayer q = quantizeBlocks(layer, s4ByBlocks(block, symmetric));
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        int64_t at = column / block * rows + row;
        double code = q.codes[row * columns + column];
        double value = (code - q.zeroPoints[at]) * q.scales[at];
        // The zero point is rounded, which may cut half a step off an end.
        double most = symmetric ? 0.5001 : 1.0001;
        EXPECT_LE(std::abs(value - weights[row * columns + column]),
                  most * q.scales[at]);
      }
  }
}

} // namespace

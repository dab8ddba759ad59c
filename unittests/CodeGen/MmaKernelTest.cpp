// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on tensor cores: every tile, edges in rows, columns and depth,
// windows, alignment.

#include "MmaHarness.h"

#include "gtest/gtest.h"
#include <random>

using namespace qdialect;
using namespace qdialect::gpu;
using namespace qdialect::gpu::test;

namespace {

/// A whole number from `low` to `high`, the ends more often than others.
int64_t pick(std::mt19937_64 &random, int64_t low, int64_t high) {
  uint64_t kind = random() % 8;
  if (kind < 2)
    return kind == 0 ? low : high;
  return low + static_cast<int64_t>(random() % (high - low + 1));
}

std::string describe(const MmaGeometry &g, const MmaTile &tile) {
  auto number = [](int64_t value) { return std::to_string(value) + " "; };
  return "rows " + number(g.rows()) + "columns " + number(g.columns) + "taps " +
         number(g.window.numTaps()) + "run " + number(g.run) + "groups " +
         number(g.groups) + "copies of " + number(g.copyBytes()) + "tile " +
         number(tile.rows) + "x " + number(tile.columns);
}

} // namespace

TEST(MmaKernel, EveryTileWhole) {
  for (const MmaTile &tile : mmaTiles())
    for (bool isUnsigned : {false, true}) {
      MmaGeometry g = matrixProduct(tile.rows, tile.columns, 512);
      g.isUnsigned = isUnsigned;
      SCOPED_TRACE(describe(g, tile));
      ptx::LaunchResult result = expectProduct(g, tile, 1);
      EXPECT_EQ(result.total().conflicts, 0u);
    }
}

/// One step, fewer steps than stages, as many, one more.
TEST(MmaKernel, Depths) {
  for (const MmaTile &tile : mmaTiles().take_back(3))
    for (int64_t steps = 1; steps <= tile.stages + 1; ++steps) {
      SCOPED_TRACE(steps);
      expectProduct(matrixProduct(16, 64, steps * MmaTile::kDepth), tile, 2);
    }
}

TEST(MmaKernel, RandomMatrices) {
  for (uint64_t seed = 0; seed < 24; ++seed) {
    std::mt19937_64 random(seed);
    int64_t alignment = int64_t{1} << pick(random, 0, 4);
    int64_t run = pick(random, 1, 200);
    int64_t pitch =
        (run + pick(random, 0, 40) + alignment - 1) / alignment * alignment;
    MmaGeometry g =
        matrixProduct(pick(random, 1, 150), pick(random, 1, 150), run, pitch);
    g.isUnsigned = seed % 2 != 0;
    MmaTile tile = g.chooseTile(pick(random, 1, 20));
    SCOPED_TRACE(describe(g, tile));
    expectProduct(g, tile, seed);
  }
}

TEST(MmaKernel, RandomConvolutions) {
  for (uint64_t seed = 0; seed < 24; ++seed) {
    std::mt19937_64 random(seed);
    Convolution c;
    c.images = pick(random, 1, 2);
    c.window = pick(random, 1, 4);
    c.stride = pick(random, 1, 3);
    c.dilation = pick(random, 1, 2);
    c.padding = pick(random, 0, 3);
    c.size = pick(random, c.dilation * (c.window - 1) + 1, 12);
    c.groups = pick(random, 0, 3) == 3 ? 2 : 1;
    int64_t alignment = int64_t{1} << pick(random, 0, 4);
    c.channels = c.groups * alignment * pick(random, 1, 5);
    c.filters = c.groups * pick(random, 1, 70);
    MmaGeometry g = convolution(c);
    g.isUnsigned = seed % 2 != 0;
    MmaTile tile = g.chooseTile(pick(random, 1, 20));
    SCOPED_TRACE(describe(g, tile));
    expectProduct(g, tile, seed);
  }
}

/// 49 taps have 64-bit masks.
TEST(MmaKernel, ManyTaps) {
  Convolution c{1, 9, 16, 20, 7};
  c.padding = 3;
  MmaGeometry g = convolution(c);
  expectProduct(g, g.chooseTile(8), 3);
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Contractions by the matrix unit: which ones, and the edges of its tiles.
// Everything that ContractionTest checks runs on it, too, where there is one.

#include "Check.h"
#include "ContractionText.h"
#include "ProductText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

const CpuTarget &tileTarget() { return allCpuTargets().front(); }

class MatrixTilesTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  bool usesTiles(const std::string &text) {
    DispatchModule module(text);
    auto plan = planKernel(module.dispatch());
    return succeeded(plan) && (*plan)->usesTiles(tileTarget());
  }
  void check(const std::string &text) {
    EXPECT_TRUE(usesTiles(text));
    checkDispatch(text, "contraction", random, /*tolerance=*/0,
                  /*alsoGeneric=*/false);
  }
};

TEST_F(MatrixTilesTest, AreForManyRowsOfCodes) {
  EXPECT_TRUE(tileTarget().hasTiles());
  EXPECT_TRUE(usesTiles(matmulText(random, 64, 64, 64)));
  EXPECT_FALSE(usesTiles(matmulText(random, 1, 64, 64)));
  ConvCase conv{1, 8, 8, 16, 3, 3, 16};
  EXPECT_TRUE(usesTiles(convText(random, conv, /*isFloat=*/false)));
  EXPECT_FALSE(usesTiles(convText(random, conv, /*isFloat=*/true)));
}

TEST_F(MatrixTilesTest, OtherTargetsHaveNone) {
  DispatchModule module(matmulText(random, 64, 64, 64));
  auto plan = planKernel(module.dispatch());
  ASSERT_TRUE(succeeded(plan));
  for (const CpuTarget &target : allCpuTargets().drop_front()) {
    EXPECT_FALSE((*plan)->usesTiles(target)) << target.name;
    EXPECT_NE((*plan)->instruction(target), "tdpbusd") << target.name;
  }
  EXPECT_EQ((*plan)->instruction(tileTarget()), "tdpbusd");
}

// Products of two activations, with the sums of rows and without.
TEST_F(MatrixTilesTest, Activations) {
  for (int zeroRight : {0, 9})
    for (auto [rows, columns, depth] : std::vector<std::array<int64_t, 3>>{
             {4, 16, 13}, {37, 70, 33}, {64, 128, 96}, {129, 30, 150}}) {
      Product p;
      p.rows = rows;
      p.columns = columns;
      p.depth = depth;
      p.zeroRight = zeroRight;
      EXPECT_TRUE(usesTiles(productText(p)));
      checkDispatch(productText(p), "batch_matmul", random, /*tolerance=*/0,
                    /*alsoGeneric=*/false);
    }
}

// One tile, a pair, an odd number; tiles that overlap, of even height.
TEST_F(MatrixTilesTest, Rows) {
  for (int64_t m : {4, 15, 16, 17, 31, 33, 48, 49, 97, 193, 401})
    check(matmulText(random, m, 33, 64));
}

// Multiples of a multiplication's depth, depths that cut evenly, others.
TEST_F(MatrixTilesTest, Depths) {
  for (int64_t k : {21, 32, 40, 64, 68, 96, 148, 190, 258, 641, 1096})
    check(matmulText(random, 37, 20, k));
}

TEST_F(MatrixTilesTest, Channels) {
  for (int64_t n : {1, 15, 16, 17, 32, 47, 64, 65, 100, 200})
    check(matmulText(random, 35, n, 70));
}

TEST_F(MatrixTilesTest, RandomProducts) {
  std::uniform_int_distribution<int64_t> rows(4, 300), columns(1, 150),
      depth(21, 600);
  for (int i = 0; i < 6; ++i)
    check(matmulText(random, rows(random), columns(random), depth(random)));
}

TEST_F(MatrixTilesTest, RandomConvolutions) {
  std::uniform_int_distribution<int64_t> size(6, 20), kernel(1, 5),
      channels(21, 80), small(1, 2), pad(0, 2);
  for (int i = 0; i < 6; ++i) {
    ConvCase c{1,
               size(random) + 4,
               size(random) + 4,
               channels(random),
               kernel(random),
               kernel(random),
               channels(random)};
    c.strideY = small(random);
    c.strideX = small(random);
    c.dilationY = small(random);
    c.dilationX = small(random);
    c.top = pad(random);
    c.left = pad(random);
    c.bottom = pad(random);
    c.right = pad(random);
    check(convText(random, c, /*isFloat=*/false));
  }
}

// Tiles read from the image: parts of a line, a line, several short ones, with
// the last line or tile overlapping; more than one image; strides, rows of the
// filter apart, uneven padding; without padding no copy is made.
TEST_F(MatrixTilesTest, Lines) {
  ConvCase cases[] = {
      {1, 12, 35, 64, 3, 3, 40, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 14, 14, 64, 3, 3, 70, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 7, 7, 64, 3, 3, 130, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 9, 4, 32, 3, 3, 33, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 7, 5, 64, 3, 3, 200, 1, 1, 1, 1, 1, 1, 1, 1},
      {4, 6, 6, 64, 5, 5, 16, 1, 1, 1, 1, 2, 2, 2, 2},
      {1, 28, 29, 64, 3, 3, 64, 2, 2, 1, 1, 0, 1, 1, 0},
      {1, 20, 18, 48, 3, 4, 64, 2, 1, 3, 1, 4, 0, 1, 3},
      {1, 19, 21, 64, 3, 3, 64, 1, 1},
      {1, 15, 49, 64, 3, 3, 200, 1, 1},
      {1, 13, 47, 64, 3, 3, 16, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 28, 28, 256, 1, 1, 64, 2, 2},
      {1, 40, 40, 4, 7, 7, 64, 2, 2},
      {1, 17, 17, 80, 1, 1, 30, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  for (const ConvCase &c : cases)
    check(convText(random, c, /*isFloat=*/false));
}

TEST_F(MatrixTilesTest, RandomLines) {
  std::uniform_int_distribution<int64_t> size(5, 40), kernel(2, 5),
      quarters(4, 20), outputs(1, 130), small(1, 2), pad(0, 2);
  for (int i = 0; i < 8; ++i) {
    ConvCase c{small(random),        size(random) + 8, size(random) + 4,
               4 * quarters(random), kernel(random),   kernel(random),
               outputs(random)};
    c.strideY = small(random);
    c.strideX = small(random);
    c.dilationY = small(random);
    c.top = pad(random);
    c.left = pad(random);
    c.bottom = pad(random);
    c.right = pad(random);
    check(convText(random, c, /*isFloat=*/false));
  }
}

TEST_F(MatrixTilesTest, Groups) {
  check(groupedText(random, 9, 3, 20, 70, 3));
  check(groupedText(random, 7, 4, 24, 16, 1));
  check(groupedText(random, 8, 2, 6, 130, 2));
  check(groupedText(random, 16, 2, 64, 64, 3));
  check(groupedText(random, 9, 3, 32, 20, 3));
}

} // namespace

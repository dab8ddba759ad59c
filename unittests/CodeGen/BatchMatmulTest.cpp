// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of two activations against the interpreter: zero points on either
// side, either layout of the right side, outputs by head or by row, at the
// edges of k steps, vectors, panels and tiles.

#include "Check.h"
#include "ProductText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class BatchMatmulTest : public ::testing::Test {
protected:
  void check(const Product &p) {
    SCOPED_TRACE(number(p.batch) + "x" + number(p.heads) + ": " +
                 number(p.rows) + "x" + number(p.columns) + "x" +
                 number(p.depth) + " zero points " + number(p.zeroLeft) + ", " +
                 number(p.zeroRight));
    checkDispatch(productText(p), "batch_matmul", random, p.isFloat ? 1e-5 : 0);
  }
  std::mt19937 random{testSeed()};
};

TEST_F(BatchMatmulTest, ZeroPoints) {
  for (int left : {0, 5, -128, 127})
    for (int right : {0, -7, 127})
      for (bool byColumn : {false, true}) {
        Product p;
        p.zeroLeft = left;
        p.zeroRight = right;
        p.rightByColumn = byColumn;
        check(p);
      }
}

TEST_F(BatchMatmulTest, EdgesOfStepsAndPanels) {
  for (int64_t depth : {1, 3, 4, 5, 32, 33})
    for (int64_t columns : {1, 16, 65}) {
      Product p;
      p.depth = depth;
      p.columns = columns;
      p.rows = 3;
      p.zeroLeft = -128;
      p.zeroRight = 9;
      p.rightByColumn = depth % 2;
      check(p);
    }
}

TEST_F(BatchMatmulTest, RowsAndHeads) {
  for (int64_t rows : {1, 2, 25, 64})
    for (bool inside : {false, true}) {
      Product p;
      p.batch = 2;
      p.heads = rows == 64 ? 1 : 3;
      p.rows = rows;
      p.columns = 32;
      p.depth = 16;
      p.zeroRight = -1;
      p.rightByColumn = !inside;
      p.headsInside = inside;
      check(p);
    }
}

TEST_F(BatchMatmulTest, Floats) {
  for (int64_t columns : {1, 16, 70})
    for (bool byColumn : {false, true}) {
      Product p;
      p.isFloat = true;
      p.columns = columns;
      p.rows = 9;
      p.depth = 13;
      p.rightByColumn = byColumn;
      p.headsInside = byColumn;
      check(p);
    }
}

/// Drawn shapes, layouts and zero points.
TEST_F(BatchMatmulTest, Random) {
  auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int i = 0; i < 12; ++i) {
    Product p;
    p.batch = pick(1, 2);
    p.heads = pick(1, 3);
    p.rows = pick(1, 40);
    p.columns = pick(1, 140);
    p.depth = pick(1, 70);
    p.zeroLeft = pick(-128, 127);
    p.zeroRight = pick(0, 1) ? pick(-128, 127) : 0;
    p.rightByColumn = pick(0, 1);
    p.headsInside = pick(0, 1);
    check(p);
  }
}

} // namespace

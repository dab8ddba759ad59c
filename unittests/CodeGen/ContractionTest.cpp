// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GEMM and convolution kernels against the interpreter, at the edges of tiles,
// panels, vectors, images and groups.

#include "Check.h"
#include "ContractionText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class ContractionTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

TEST_F(ContractionTest, MatmulEdges) {
  for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                            {6, 64, 4},
                                                            {7, 65, 5},
                                                            {13, 100, 33},
                                                            {5, 63, 129},
                                                            {6, 16, 3},
                                                            {1, 130, 70},
                                                            {49, 48, 64},
                                                            {100, 129, 255},
                                                            {3, 33, 16}})
    checkDispatch(matmulText(random, m, n, k), "contraction", random);
}

TEST_F(ContractionTest, ConvEdges) {
  ConvCase cases[] = {
      {1, 1, 1, 1, 1, 1, 1},
      {1, 7, 7, 16, 3, 3, 64, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 9, 5, 20, 3, 3, 70, 2, 2, 1, 1, 0, 0, 1, 1},
      {1, 11, 13, 17, 3, 2, 19, 2, 1, 2, 3, 2, 1, 0, 3},
      {1, 8, 8, 32, 1, 1, 96, 2, 2},
      {1, 15, 15, 3, 7, 7, 64, 2, 2},
      {1, 10, 12, 3, 3, 5, 17, 2, 1},
      {1, 6, 6, 5, 3, 3, 33, 1, 1, 1, 1, 1, 1, 1, 1},
      {3, 4, 4, 64, 1, 1, 130},
      {1, 5, 40, 24, 1, 5, 40, 1, 3, 1, 2, 0, 4, 0, 2},
  };
  for (const ConvCase &c : cases)
    checkDispatch(convText(random, c, false), "contraction", random);
}

TEST_F(ContractionTest, GroupedConv) {
  checkDispatch(groupedText(random, 6, 3, 8, 20, 3), "contraction", random);
  checkDispatch(groupedText(random, 5, 2, 16, 64, 1), "contraction", random);
}

// A panel unpacked at once, tiles that unpack, and what neither divides.
TEST_F(ContractionTest, PackedMatmul) {
  std::uniform_int_distribution<int64_t> rows(1, 60), columns(1, 140),
      depth(30, 90);
  for (const NarrowCodes &narrow : kNarrowCodes) {
    for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{
             {1, 70, 41}, {12, 130, 33}, {50, 65, 39}})
      checkPacked(matmulText(random, m, n, k, narrow.codes), "contraction",
                  narrow.bits, random);
    checkPacked(matmulText(random, rows(random), columns(random), depth(random),
                           narrow.codes),
                "contraction", narrow.bits, random);
  }
}

TEST_F(ContractionTest, PackedMatmulDepths) {
  for (int64_t k : {1, 3, 4, 5, 9, 16, 17})
    for (int64_t m : {1, 30})
      for (const Codes &codes : {Codes{-8, 7}, Codes{0, 15, 16}, Codes{-1, 1}})
        checkDispatch(matmulText(random, m, 19, k, codes), "contraction",
                      random, /*tolerance=*/0, /*alsoGeneric=*/false);
}

TEST_F(ContractionTest, PackedConv) {
  ConvCase cases[] = {
      {1, 7, 7, 16, 3, 3, 64, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 9, 5, 20, 3, 3, 70, 2, 2, 1, 1, 0, 0, 1, 1},
      {1, 15, 15, 3, 7, 7, 33, 2, 2},
      {1, 8, 8, 36, 1, 1, 96, 2, 2},
  };
  for (const NarrowCodes &narrow : kNarrowCodes)
    for (const ConvCase &c : cases)
      checkPacked(convText(random, c, false, narrow.codes), "contraction",
                  narrow.bits, random);
}

// More than a thread's stack is asked to hold: every tile unpacks.
TEST_F(ContractionTest, PackedDeepMatmul) {
  for (const Codes &codes : {Codes{-8, 7}, Codes{0, 15, 16}})
    checkPacked(matmulText(random, 40, 64, 9000, codes), "contraction", 4,
                random);
}

TEST_F(ContractionTest, PackedGroupedConv) {
  for (const NarrowCodes &narrow : kNarrowCodes) {
    checkPacked(groupedText(random, 6, 3, 8, 20, 3, narrow.codes),
                "contraction", narrow.bits, random);
    checkPacked(groupedText(random, 5, 2, 20, 64, 1, narrow.codes),
                "contraction", narrow.bits, random);
  }
}

TEST_F(ContractionTest, FloatConv) {
  ConvCase cases[] = {
      {1, 1, 1, 1, 1, 1, 1},
      {1, 7, 7, 16, 3, 3, 64, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 9, 5, 20, 3, 3, 70, 2, 2, 1, 1, 0, 0, 1, 1},
      {1, 15, 15, 3, 7, 7, 24, 2, 2, 1, 1, 3, 3, 3, 3},
      {3, 4, 4, 64, 1, 1, 130},
  };
  for (const ConvCase &c : cases)
    checkDispatch(convText(random, c, true), "contraction", random, 1e-5);
}

} // namespace

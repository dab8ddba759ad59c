// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by planes of bits, against the interpreter.

#include "ContractionText.h"
#include "GpuCheck.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class BitMma : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};

  struct Case {
    int64_t m, n, k;
    int low, high; ///< codes of activations
    Codes weights;
    bool isBinary = false;
  };

  ptx::LaunchResult check(const Case &c, const std::string &family = "mma_bits",
                          llvm::StringRef target = "sm_80") {
    SCOPED_TRACE(number(c.m) + " x " + number(c.n) + " x " + number(c.k) +
                 " of " + number(c.low) + " to " + number(c.high) + " by " +
                 number(c.weights.low) + " to " + number(c.weights.high));
    std::string text = matmulText(random, c.m, c.n, c.k, c.weights);
    if (c.isBinary) {
      // -1 or 1: one plane.
      std::vector<int8_t> signs(c.k * c.n);
      for (int8_t &sign : signs)
        sign = random() % 2 ? 1 : -1;
      const std::string before = "%w = arith.constant ";
      size_t from = text.find(before) + before.size();
      text.replace(from, text.find(" : ", from) - from, denseText(signs));
    }
    const std::string op = "linalg.matmul";
    text.insert(text.find(op) + op.size(),
                " {qd.code_range = array<i64: " + number(c.low) + ", " +
                    number(c.high) + ">}");
    HostTensor x(DType::I8, {c.m, c.k});
    std::uniform_int_distribution<int> pick(c.low, c.high);
    for (int64_t i = 0; i < c.m * c.k; ++i)
      x.mutableData<int8_t>()[i] = static_cast<int8_t>(pick(random));
    return checkGpuDispatch(text, family, random, {x}, 0, target);
  }
};

/// Rows, columns and depth that no tile, panel, step or load divides.
TEST_F(BitMma, Edges) {
  for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 4},
                                                            {3, 65, 36},
                                                            {17, 64, 256},
                                                            {70, 130, 272},
                                                            {64, 5, 1028},
                                                            {130, 70, 512}})
    check({m, n, k, -2, 1, {-1, 1}});
}

/// One to eight planes of activations, one to four of weights; zero among the
/// codes or not, steps of more than one.
TEST_F(BitMma, Planes) {
  for (int leftBits = 1; leftBits <= 8; ++leftBits)
    for (Codes weights : {Codes{0, 1}, Codes{-2, 1}, Codes{-4, 3}, Codes{-7, 7},
                          Codes{3, 6}, Codes{-1, 0}}) {
      int low = leftBits == 8 ? -128 : leftBits % 2 ? -(1 << leftBits) + 5 : -1;
      check({5, 20, 260, low, low + (1 << leftBits) - 1, weights});
    }
}

TEST_F(BitMma, Binary) {
  check({33, 70, 300, -128, 127, {-1, 1}, true});
  check({200, 70, 300, -2, 1, {-1, 1}, true});
}

/// What must come from memory in whole sectors does, and no bank is met twice.
TEST_F(BitMma, Memory) {
  ptx::LaunchResult result = check({64, 128, 1024, -2, 1, {-1, 1}});
  ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
  EXPECT_GT(copies.sectors, 0u);
  EXPECT_EQ(copies.sectors, copies.idealSectors);
  EXPECT_EQ(result.total().conflicts, 0u);
}

/// Bytes where they are faster, or the GPU has no products of bits.
TEST_F(BitMma, LeavesToOthers) {
  check({128, 64, 256, -128, 127, {-2, 1}}, "mma");
  check({16, 64, 256, -2, 1, {-16, 16}}, "mma");
  check({16, 64, 254, -2, 1, {-1, 1}}, "mma");
  check({16, 64, 256, -2, 1, {-1, 1}}, "mma", "sm_100");
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The blocked product against the formula, element by element.

#include "QDialect/Numerics/BlockMatmul.h"
#include "Random.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>
#include <vector>

using namespace qdialect;

namespace {

TEST(BlockMatmul, Example) {
  const int8_t lhs[] = {1, 2, 3, 4};
  const int16_t rhs[] = {10, 20, 30, 40};
  const float lhsScale[] = {0.5f, 2}, rhsScale[] = {1, 0.25f};
  const int32_t zero[] = {10, 20};
  float out = -1;
  blockMatmul<float>({1, 1, 4, 2, true}, lhs, lhsScale, rhs, rhsScale, zero,
                     &out);
  EXPECT_EQ(out, 65);
}

TEST(BlockMatmulProperty, IsTheFormula) {
  SCOPED_TRACE(test::trace());
  test::Random random;
  auto pick = [&](int low, int high) {
    return static_cast<int>(random.integer(low, high));
  };
  for (int round = 0; round < 50; ++round) {
    BlockMatmulShape s{pick(1, 4), pick(1, 9), pick(1, 40), pick(1, 45),
                       pick(0, 1) == 1};
    int64_t blocks = s.numBlocks(), columns = s.lhsScaleByBlock ? blocks : 1;
    std::vector<int8_t> lhs(s.m * s.k);
    std::vector<int16_t> rhs(s.k * s.n);
    std::vector<float> lhsScale(s.m * columns), rhsScale(blocks * s.n);
    std::vector<int32_t> zero(blocks * s.n);
    for (auto &x : lhs)
      x = static_cast<int8_t>(pick(-128, 127));
    for (auto &x : rhs)
      x = static_cast<int16_t>(pick(-128, 255));
    for (auto &x : zero)
      x = pick(-128, 255);
    for (auto *scales : {&lhsScale, &rhsScale})
      for (float &x : *scales)
        x = std::ldexp(static_cast<float>(pick(1, 1 << 24)), pick(-40, 0));
    std::vector<float> out(s.m * s.n);
    blockMatmul(s, lhs.data(), lhsScale.data(), rhs.data(), rhsScale.data(),
                zero.data(), out.data());
    for (int64_t m = 0; m < s.m; ++m)
      for (int64_t n = 0; n < s.n; ++n) {
        float total = 0;
        for (int64_t b = 0; b < blocks; ++b) {
          int64_t sum = 0;
          for (int64_t k = b * s.block; k < std::min(s.k, (b + 1) * s.block);
               ++k)
            sum += lhs[m * s.k + k] * (rhs[k * s.n + n] - zero[b * s.n + n]);
          float scale = lhsScale[m * columns + (s.lhsScaleByBlock ? b : 0)] *
                        rhsScale[b * s.n + n];
          total = std::fma(static_cast<float>(sum), scale, total);
        }
        EXPECT_EQ(out[m * s.n + n], total) << "row " << m << " column " << n;
      }
  }
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Equal expressions have equal handles, and every operation agrees with plain
// arithmetic on values of the symbols.

#include "QDialect/Support/SymbolicSizes.h"
#include "llvm/Support/MathExtras.h"
#include <gtest/gtest.h>
#include <random>

using namespace qdialect;

TEST(SymbolicSizes, NormalForm) {
  SymbolicSizes s;
  int64_t batch = s.symbol("batch"), seq = s.symbol("seq", 1, 256);
  EXPECT_EQ(s.symbol("batch"), batch);
  EXPECT_EQ(s.mul(batch, seq), s.mul(seq, batch));
  EXPECT_EQ(s.sub(s.add(batch, 3), batch), 3);
  EXPECT_EQ(s.mul(batch, 0), 0);
  EXPECT_EQ(s.add(s.mul(seq, 12), seq), s.mul(seq, 13));
  EXPECT_EQ(s.mul(s.add(seq, 1), s.sub(seq, 1)), s.sub(s.mul(seq, seq), 1));
  EXPECT_TRUE(SymbolicSizes::isSymbolic(batch));
  EXPECT_FALSE(SymbolicSizes::isSymbolic(-1));
  EXPECT_FALSE(SymbolicSizes::isSymbolic(INT64_MIN));
  EXPECT_FALSE(SymbolicSizes::isSymbolic(INT64_MAX));
  // Numbers have no terms, however far they are from the handles.
  for (int64_t number : {int64_t(0), INT64_MAX, INT64_MIN})
    EXPECT_TRUE(s.terms(number).empty());
}

TEST(SymbolicSizes, Divides) {
  SymbolicSizes s;
  int64_t b = s.symbol("b"), h = s.symbol("h");
  int64_t all = s.product({b, 768, h});
  EXPECT_EQ(s.divide(all, s.mul(b, 64)), s.mul(h, 12));
  EXPECT_EQ(s.divide(all, s.mul(b, h)), 768);
  EXPECT_EQ(s.divide(s.mul(s.add(h, 1), s.add(h, 2)), s.add(h, 2)),
            s.add(h, 1));
  EXPECT_EQ(s.divide(h, 2), std::nullopt);
  EXPECT_EQ(s.divide(h, 0), std::nullopt);
  EXPECT_EQ(s.floorDiv(s.add(s.mul(h, 4), 3), 4), h);
  EXPECT_EQ(s.ceilDiv(s.mul(h, 2), 2), h);
}

TEST(SymbolicSizes, BoundsDecide) {
  SymbolicSizes s;
  int64_t seq = s.symbol("seq", 2, 256), other = s.symbol("other");
  EXPECT_EQ(s.max(seq, 0), seq);
  EXPECT_EQ(s.min(seq, 1), 1);
  EXPECT_EQ(s.min(seq, 256), seq);
  EXPECT_NE(s.min(seq, other), seq);
  EXPECT_EQ(s.min(s.add(seq, 1), seq), seq);
  EXPECT_EQ(s.bounds(s.sub(s.mul(seq, 2), 1)).low, 3);
}

TEST(SymbolicSizes, Prints) {
  SymbolicSizes s;
  int64_t b = s.symbol("b"), w = s.symbol("w");
  EXPECT_EQ(s.print(s.add(s.mul(s.mul(b, w), 3), -2)), "3 * b * w - 2");
  EXPECT_EQ(s.print(s.floorDiv(s.sub(w, 1), 2)), "floor((w - 1) / (2))");
  EXPECT_EQ(s.print(7), "7");
}

/// Halves of a symbol that has a step are exact, and one polynomial.
TEST(SymbolicSizes, Steps) {
  SymbolicSizes s;
  int64_t h = s.symbol("h", 32, 640, 32), w = s.symbol("w", 32, 640, 32);
  EXPECT_EQ(s.symbol("h"), h);
  EXPECT_EQ(s.asSymbol(h), 0u);
  EXPECT_EQ(s.asSymbol(w), 1u);
  EXPECT_EQ(s.asSymbol(s.mul(h, 2)), std::nullopt);
  EXPECT_EQ(s.asSymbol(s.add(h, 1)), std::nullopt);
  EXPECT_EQ(s.asSymbol(7), std::nullopt);
  // A convolution of three pixels and stride two, padded by one.
  int64_t half = s.add(s.floorDiv(s.sub(h, 1), 2), 1);
  EXPECT_EQ(half, s.divide(h, 2));
  EXPECT_EQ(s.mul(half, 2), h);
  EXPECT_EQ(s.asSymbol(*s.divide(h, 32)), std::nullopt);
  EXPECT_NE(s.floorDiv(h, 64), s.divide(h, 32));
  EXPECT_EQ(s.bounds(half).low, 16);
  EXPECT_EQ(s.bounds(half).high, 320);
  EXPECT_EQ(s.evaluate(half, {96, 32}), 48);
  EXPECT_EQ(s.print(h), "h");
  EXPECT_EQ(s.print(half), "h / 2");
  EXPECT_EQ(s.print(s.mul(half, s.mul(w, 3))), "3 * h * w / 2");
  EXPECT_EQ(s.print(s.sub(2, half)), "-h / 2 + 2");
}

/// Random expressions, evaluated as built and through their normal form.
TEST(SymbolicSizes, AgreesWithArithmetic) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto below = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 200; ++round) {
    SymbolicSizes s;
    std::vector<int64_t> values;
    std::vector<std::pair<int64_t, int64_t>> pool; // size, value
    for (auto [name, step] : {std::pair("a", 1), {"b", 4}, {"c", 32}}) {
      values.push_back(step * (1 + below(9)));
      pool.push_back({s.symbol(name, step, 9 * step, step), values.back()});
    }
    for (int constant = 1; constant < 4; ++constant)
      pool.push_back({constant, constant});
    for (int step = 0; step < 12; ++step) {
      auto [x, xValue] = pool[below(static_cast<int>(pool.size()))];
      auto [y, yValue] = pool[below(static_cast<int>(pool.size()))];
      switch (below(7)) {
      case 0:
        pool.push_back({s.add(x, y), xValue + yValue});
        break;
      case 1:
        pool.push_back({s.sub(x, y), xValue - yValue});
        break;
      case 2:
        if (std::abs(xValue) < 1000 && std::abs(yValue) < 1000)
          pool.push_back({s.mul(x, y), xValue * yValue});
        break;
      case 3:
        if (s.bounds(y).low > 0)
          pool.push_back(
              {s.floorDiv(x, y), llvm::divideFloorSigned(xValue, yValue)});
        break;
      case 4:
        if (s.bounds(y).low > 0)
          pool.push_back(
              {s.ceilDiv(x, y), llvm::divideCeilSigned(xValue, yValue)});
        break;
      case 5:
        pool.push_back({s.max(x, y), std::max(xValue, yValue)});
        break;
      default:
        pool.push_back({s.min(x, y), std::min(xValue, yValue)});
      }
    }
    for (auto [size, value] : pool) {
      EXPECT_EQ(s.evaluate(size, values), value) << s.print(size);
      SymbolicSizes::Bounds bounds = s.bounds(size);
      EXPECT_LE(bounds.low, value) << s.print(size);
      EXPECT_GE(bounds.high, value) << s.print(size);
    }
  }
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans against enumeration, and what is said where there is none.

#include "QDialect/Search/MixedPrecision.h"
#include "QDialect/Search/IntegerProgram.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace qdialect;

namespace {

class MixedPrecisionTest : public testing::Test {
protected:
  void SetUp() override {
    if (!hasIntegerProgramSolver())
      GTEST_SKIP() << "built without a solver";
  }
};

/// May these choices stand together?
bool agrees(const CostTable &table, const std::vector<unsigned> &choices) {
  auto precision = [&](unsigned layer) {
    return table.layers[layer].choices[choices[layer]].precision;
  };
  for (unsigned a = 0; a < table.layers.size(); ++a)
    for (unsigned b = 0; b < a; ++b)
      if (table.layers[a].grid &&
          table.layers[a].grid == table.layers[b].grid &&
          precision(a).activationBits != precision(b).activationBits)
        return false;
  for (const std::vector<unsigned> &tie : table.ties)
    for (unsigned layer : tie)
      if (!(precision(layer) == precision(tie.front())))
        return false;
  return true;
}

std::optional<double> bruteForce(const CostTable &table, const Limits &limits) {
  std::optional<double> best;
  std::vector<unsigned> choices(table.layers.size());
  while (true) {
    ResourceVector spent = table.spent(choices);
    bool within = agrees(table, choices);
    for (unsigned r = 0; r < kNumResources; ++r)
      within &= !limits[r] || spent[r] <= *limits[r] * (1 + 1e-12);
    if (within && (!best || table.loss(choices) < *best))
      best = table.loss(choices);
    unsigned layer = 0;
    while (layer < choices.size() &&
           ++choices[layer] == table.layers[layer].choices.size())
      choices[layer++] = 0;
    if (layer == choices.size())
      return best;
  }
}

CostTable randomTable(std::mt19937 &rng) {
  std::uniform_real_distribution<double> uniform(0, 1);
  CostTable table;
  table.rest = {1e4 * uniform(rng), 0, uniform(rng)};
  table.grids.resize(2);
  const Precision all[] = {{4, 4}, {4, 8}, {8, 4}, {8, 8}, {8, 16}};
  for (int i = 0, n = 1 + rng() % 5; i < n; ++i) {
    CostTable::Layer layer;
    layer.name = "layer" + std::to_string(i);
    if (rng() % 2)
      layer.grid = rng() % 2;
    for (Precision precision : all)
      if (rng() % 3 || precision == Precision{8, 8})
        layer.choices.push_back(
            {precision,
             uniform(rng),
             {1e6 * uniform(rng), 1e9 * uniform(rng), uniform(rng)}});
    table.layers.push_back(layer);
  }
  if (table.layers.size() > 2 && rng() % 2)
    table.ties.push_back({0, 2});
  return table;
}

/// As real ones are: the wide choice loses nothing and costs twice as much.
CostTable plainTable(std::mt19937 &rng) {
  std::uniform_real_distribution<double> uniform(0, 1);
  CostTable table;
  for (int i = 0, n = 4 + rng() % 5; i < n; ++i) {
    double loss = std::pow(uniform(rng), 4), bits = 1 << rng() % 10;
    table.layers.push_back({"layer" + std::to_string(i),
                            "conv",
                            std::nullopt,
                            {{{4, 8}, loss, {bits, bits, bits}},
                             {{8, 8}, 0, {2 * bits, 2 * bits, 2 * bits}}}});
  }
  return table;
}

TEST_F(MixedPrecisionTest, EqualsEnumeration) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int round = 0; round < 100; ++round) {
    CostTable table = round % 2 ? plainTable(rng) : randomTable(rng);
    ResourceVector widest = table.spent(table.widestChoices());
    Limits limits{};
    for (unsigned r = 0; r < kNumResources; ++r)
      if (rng() % 2)
        limits[r] = widest[r] * (0.3 + uniform(rng));
    std::optional<double> expected = bruteForce(table, limits);
    auto plan = choosePlan(table, limits);
    ASSERT_EQ(static_cast<bool>(plan), expected.has_value())
        << "round " << round
        << (plan ? "" : ": " + llvm::toString(plan.takeError()));
    if (!plan) {
      llvm::consumeError(plan.takeError());
      continue;
    }
    EXPECT_TRUE(agrees(table, plan->choices)) << "round " << round;
    EXPECT_NEAR(plan->loss, *expected, 1e-9) << "round " << round;
  }
}

/// CBC 2.10.8 with preprocessing calls a plan of twice this loss optimal.
TEST_F(MixedPrecisionTest, PreprocessingLosesNothing) {
  CostTable table;
  const std::pair<double, double> figures[] = {
      {1843200, 0.0014854568455501167}, {14745600, 0.0031055553578028016},
      {921600, 0.0018281233851611279},  {3276800, 0.0013423725002887318},
      {14745600, 0.001544731861999251}, {29491200, 0.00012685548458942351},
      {20480, 0.00036515868981872181}};
  for (auto [bops, loss] : figures)
    table.layers.push_back(
        {"layer",
         "conv",
         std::nullopt,
         {{{4, 8}, loss, {0, bops, 0}}, {{8, 8}, 0, {0, 2 * bops, 0}}}});
  auto plan = choosePlan(table, {std::nullopt, 91.07e6, std::nullopt});
  ASSERT_TRUE(static_cast<bool>(plan));
  EXPECT_EQ(plan->choices, (std::vector<unsigned>{1, 1, 1, 1, 0, 0, 1}));
}

/// Two layers, four bits at half the bytes and a loss of 1 and 3.
CostTable twoLayers() {
  CostTable table;
  table.rest = {100, 0, 0.5};
  for (double loss : {1.0, 3.0})
    table.layers.push_back(
        {"conv" + std::to_string(static_cast<int>(loss)),
         "conv",
         std::nullopt,
         {{{4, 8}, loss, {500, 32e3, 2}}, {{8, 8}, 0, {1000, 64e3, 1}}}});
  return table;
}

TEST_F(MixedPrecisionTest, CheaperLossFirst) {
  auto plan = choosePlan(twoLayers(), {1600.0, std::nullopt, std::nullopt});
  ASSERT_TRUE(static_cast<bool>(plan));
  EXPECT_EQ(plan->choices, (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(plan->spent[0], 1600);
  EXPECT_EQ(plan->loss, 1);
}

TEST_F(MixedPrecisionTest, SaysTheSmallestReachableValue) {
  auto messageOf = [](const Limits &limits) {
    auto plan = choosePlan(twoLayers(), limits);
    return plan ? std::string() : llvm::toString(plan.takeError());
  };
  EXPECT_EQ(messageOf({1000.0, std::nullopt, std::nullopt}),
            "no plan has size <= 1 KB: the smallest that can be reached is "
            "1.1 KB");
  // Four bits are slower here: either limit can be met, both cannot.
  EXPECT_EQ(messageOf({1100.0, std::nullopt, 3.0}),
            "no plan has latency <= 3 ms within size <= 1.1 KB: the smallest "
            "that can be reached is 4.5 ms");
}

TEST_F(MixedPrecisionTest, FrontFalls) {
  auto front = paretoFront(twoLayers(), Resource::Size, {}, 8);
  ASSERT_TRUE(static_cast<bool>(front));
  ASSERT_EQ(front->size(), 3u);
  for (size_t i = 1; i < front->size(); ++i) {
    EXPECT_LT((*front)[i].loss, (*front)[i - 1].loss);
    EXPECT_GT((*front)[i].spent[0], (*front)[i - 1].spent[0]);
  }
  EXPECT_EQ(front->front().loss, 4);
  EXPECT_EQ(front->back().loss, 0);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans as recipes: what is written is what is read, name by name.

#include "QDialect/Search/PlanRecipe.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

CostTable tableOf(std::vector<std::string> names) {
  CostTable table;
  for (const std::string &name : names) {
    table.layers.push_back(
        {name, "conv", std::nullopt, {{{4, 8}, 1, {}}, {{8, 8}, 0, {}}}});
  }
  return table;
}

Recipe loaded(llvm::StringRef name) {
  llvm::Expected<Recipe> recipe = Recipe::load(name);
  if (!recipe) {
    ADD_FAILURE() << llvm::toString(recipe.takeError());
    return {};
  }
  return *recipe;
}

TEST(PlanRecipeTest, NamesThatGlobsWouldReadMatchThemselvesAlone) {
  std::vector<std::string> names = {
      "conv*", "conv1",     "a[0]", "/features/conv/", "kind:conv",
      "it's",  "back\\two", "{x}?", "/block/conv;bias"};
  CostTable table = tableOf(names);
  Recipe base = loaded("w8a8-int");
  for (size_t narrow = 0; narrow < names.size(); ++narrow) {
    PrecisionPlan plan;
    plan.choices.assign(names.size(), 1);
    plan.choices[narrow] = 0;
    std::string text =
        planRecipe(table, plan, base, "w8a8-int", "two lines\nof remarks");
    llvm::Expected<Recipe> recipe = Recipe::parse(text, "plan.yaml");
    ASSERT_TRUE(static_cast<bool>(recipe))
        << text << llvm::toString(recipe.takeError());
    for (size_t i = 0; i < names.size(); ++i)
      EXPECT_EQ(recipe->layer({names[i]}, "conv").weights.format.bits,
                i == narrow ? 4u : 8u)
          << names[i] << "\n"
          << text;
  }
}

TEST(PlanRecipeTest, SetsTheFormatOfGridsByTheirMakers) {
  CostTable table = tableOf({"q", "k"});
  table.grids = {{"norm", "q"}};
  for (CostTable::Layer &layer : table.layers) {
    layer.grid = 0;
    layer.choices.push_back({{8, 16}, 0, {}});
  }
  PrecisionPlan plan;
  plan.choices = {2, 2};
  Recipe base = loaded("w8a8-int");
  llvm::Expected<Recipe> recipe = Recipe::parse(
      planRecipe(table, plan, base, "w8a8-int", "remark"), "plan.yaml");
  ASSERT_TRUE(static_cast<bool>(recipe));
  EXPECT_EQ(recipe->layer({"norm"}, "add").activations.format.str(), "u16");
  EXPECT_EQ(recipe->layer({"q"}, "matmul").activations.format.str(), "u16");
  EXPECT_EQ(recipe->layer({"q"}, "matmul").weights.format.str(), "s8");
  EXPECT_EQ(recipe->layer({"k"}, "matmul").activations.format.str(), "u8");
  // What the base says holds.
  EXPECT_EQ(recipe->name, "w8a8-int-mixed");
  EXPECT_EQ(recipe->biasCorrection, BiasCorrection::Analytic);
  EXPECT_TRUE(recipe->layer({"x"}, "unary").keepFloat);
}

} // namespace

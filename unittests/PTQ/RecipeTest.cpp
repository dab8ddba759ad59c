// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading recipes, their errors, and which rule holds for a layer.

#include "QDialect/PTQ/Recipe.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

std::string errorOf(llvm::StringRef text) {
  llvm::Expected<Recipe> recipe = Recipe::parse(text, "r.yaml");
  return recipe ? std::string() : llvm::toString(recipe.takeError());
}

/// A recipe with these keys is refused for this reason.
void expectError(const std::string &keys, const std::string &reason) {
  std::string error = errorOf("name: x\n" + keys + "\n");
  EXPECT_NE(error.find(reason), std::string::npos) << error;
}

Recipe parsed(llvm::StringRef text) {
  llvm::Expected<Recipe> recipe = Recipe::parse(text, "r.yaml");
  if (!recipe) {
    ADD_FAILURE() << llvm::toString(recipe.takeError());
    return {};
  }
  return *recipe;
}

TEST(RecipeTest, DefaultsAreW8A8) {
  Recipe recipe = parsed("name: plain\n");
  EXPECT_EQ(recipe.activations.format.str(), "u8");
  EXPECT_FALSE(recipe.activations.symmetric);
  EXPECT_EQ(recipe.weights.format.str(), "s8");
  EXPECT_TRUE(recipe.weights.symmetric);
  EXPECT_EQ(recipe.weights.granularity, Granularity::Channel);
  EXPECT_EQ(recipe.biasCorrection, BiasCorrection::None);
  EXPECT_EQ(recipe.layer({"conv"}, "conv").precision(), "w8a8");
  // Symmetric signed codes leave -128 out.
  EXPECT_EQ(recipe.weights.scaleOptions().qmin, -127);
  EXPECT_EQ(recipe.activations.scaleOptions().qmin, 0);
  EXPECT_EQ(recipe.activations.scaleOptions().qmax, 255);
}

TEST(RecipeTest, EveryEmbeddedRecipeParsesUnderItsName) {
  ASSERT_FALSE(embeddedRecipes().empty());
  for (const EmbeddedRecipe &embedded : embeddedRecipes()) {
    llvm::Expected<Recipe> recipe = Recipe::load(embedded.name);
    ASSERT_TRUE(static_cast<bool>(recipe))
        << llvm::toString(recipe.takeError());
    EXPECT_EQ(recipe->name, embedded.name);
    EXPECT_FALSE(recipe->description.empty()) << recipe->name;
  }
}

TEST(RecipeTest, ReadsEveryKey) {
  Recipe recipe = parsed(R"(name: all
description: every key once
activations: {format: s8, granularity: tensor, symmetric: true, estimator: percentile, percentile: 99.9}
weights: {format: s4, granularity: tensor, estimator: lp, p: 3.5, rounding: calibrated}
bias: {bits: 32}
bias_correction: true
tables: {format: s4}
rescale: dyadic
require_integer: [conv, matmul]
layers:
  - {match: "head.*", keep_float: true}
)");
  EXPECT_EQ(recipe.activations.estimator, RangeMethod::Percentile);
  EXPECT_EQ(recipe.activations.percentile, 99.9);
  EXPECT_EQ(recipe.weights.format.bits, 4u);
  EXPECT_EQ(recipe.weights.granularity, Granularity::Tensor);
  EXPECT_EQ(recipe.weights.estimator, RangeMethod::Lp);
  EXPECT_EQ(recipe.weights.rounding, WeightRounding::Calibrated);
  EXPECT_EQ(recipe.weights.p, 3.5);
  ASSERT_TRUE(recipe.tables.has_value());
  EXPECT_EQ(recipe.tables->str(), "s4");
  EXPECT_EQ(recipe.biasCorrection, BiasCorrection::Analytic);
  EXPECT_EQ(recipe.rescale, RescaleMode::Dyadic);
  EXPECT_TRUE(recipe.mustBeInteger("conv"));
  EXPECT_FALSE(recipe.mustBeInteger("add"));
  EXPECT_TRUE(recipe.layer({"head.0"}, "matmul").keepFloat);
  EXPECT_FALSE(recipe.layer({"body.0"}, "matmul").keepFloat);
}

TEST(RecipeTest, TheLastMatchingRuleWinsKeyByKey) {
  Recipe recipe = parsed(R"(name: rules
layers:
  - {match: "*", weights: {format: s4, estimator: mse}}
  - {match: "kind:depthwise", weights: {format: s8}}
  - {match: "/^block[0-9]+$/", keep_float: true}
  - {match: "block7", keep_float: false}
)");
  LayerRecipe conv = recipe.layer({"conv1", "relu1"}, "conv");
  EXPECT_EQ(conv.precision(), "w4a8");
  EXPECT_EQ(conv.weights.estimator, RangeMethod::MSE);
  LayerRecipe depthwise = recipe.layer({"dw"}, "depthwise");
  EXPECT_EQ(depthwise.precision(), "w8a8");
  EXPECT_EQ(depthwise.weights.estimator, RangeMethod::MSE);
  // Any of a layer's names may match.
  EXPECT_TRUE(recipe.layer({"conv3", "block3"}, "conv").keepFloat);
  EXPECT_FALSE(recipe.layer({"block7"}, "conv").keepFloat);
  EXPECT_FALSE(recipe.layer({"xblock3"}, "conv").keepFloat);
}

TEST(RecipeTest, ScalesOfTokensAreChosenAtRunTime) {
  Recipe recipe = parsed(R"(name: tokens
activations: {granularity: token, dynamic: true}
layers:
  - {match: "head", activations: {granularity: tensor, dynamic: false}}
)");
  EXPECT_TRUE(recipe.layer({"body"}, "matmul").activations.isDynamic());
  EXPECT_EQ(recipe.layer({"body"}, "matmul").precision(), "w8a8-token");
  EXPECT_FALSE(recipe.layer({"head"}, "matmul").activations.isDynamic());
  EXPECT_EQ(recipe.layer({"head"}, "matmul").precision(), "w8a8");
  for (const char *keys :
       {"granularity: token", "granularity: token, dynamic: false",
        "granularity: tensor, dynamic: true", "dynamic: true",
        "dynamic: false"}) {
    std::string error =
        errorOf(std::string("name: x\nactivations: {") + keys + "}\n");
    EXPECT_NE(error.find("r.yaml:2: activations: granularity: token and "
                         "dynamic: true come together"),
              std::string::npos)
        << keys << ": " << error;
  }
}

TEST(RecipeTest, IntegerFunctionsAndNothingElse) {
  Recipe recipe = parsed(R"(name: integers
rescale: dyadic
nonlinearities: {scheme: ivit, format: s16}
integer_only: true
)");
  ASSERT_TRUE(recipe.nonlinearities.has_value());
  EXPECT_EQ(recipe.nonlinearities->scheme, IntegerScheme::IVit);
  EXPECT_EQ(recipe.nonlinearities->format.str(), "s16");
  EXPECT_TRUE(recipe.integerOnly);
  EXPECT_FALSE(parsed("name: x\n").nonlinearities.has_value());
  EXPECT_NE(errorOf("name: x\nnonlinearities: {format: u12}\n")
                .find("r.yaml:2: nonlinearities: format u12 is not supported"),
            std::string::npos);
  for (const char *keys :
       {"rescale: dyadic\n", "nonlinearities: {scheme: qd}\n"})
    EXPECT_NE(errorOf(std::string("name: x\ninteger_only: true\n") + keys)
                  .find("integer_only wants rescale: dyadic and "
                        "nonlinearities"),
              std::string::npos);
}

TEST(RecipeTest, SmoothingIsAnExponentOrTheNameOfAMethod) {
  EXPECT_FALSE(parsed("name: x\n").smoothing.has_value());
  Recipe alpha = parsed("name: x\nsmoothing: 0.75\n");
  EXPECT_EQ(alpha.smoothing->method, SmoothingMethod::Alpha);
  EXPECT_EQ(alpha.smoothing->alpha, 0.75);
  for (auto [name, method] :
       {std::pair("search", SmoothingMethod::Search),
        std::pair("log", SmoothingMethod::Log),
        std::pair("percentile", SmoothingMethod::Percentile),
        std::pair("awq", SmoothingMethod::AWQ)})
    EXPECT_EQ(parsed("name: x\nsmoothing: " + std::string(name) + "\n")
                  .smoothing->method,
              method);
  for (const char *value : {"1.5", "-0.1", "much", "nan"})
    EXPECT_EQ(errorOf("name: x\nsmoothing: " + std::string(value) + "\n"),
              "r.yaml:2: smoothing must be between 0 and 1, or search, log, "
              "percentile or awq in 'smoothing: " +
                  std::string(value) + "'");
}

TEST(RecipeTest, BiasAbsorptionIsANumberOfDeviations) {
  EXPECT_FALSE(parsed("name: x\n").biasAbsorption.has_value());
  EXPECT_EQ(parsed("name: x\nbias_absorption: 0\n").biasAbsorption, 0.0);
  EXPECT_EQ(parsed("name: x\nbias_absorption: 3\n").biasAbsorption, 3.0);
  EXPECT_NE(errorOf("name: x\nbias_absorption: -1\n")
                .find("bias_absorption must not be negative"),
            std::string::npos);
}

TEST(RecipeTest, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(errorOf("description: x\n"),
            "r.yaml:1: missing required key 'name' in 'description: x'");
  EXPECT_EQ(errorOf("name: x\nwieghts: {format: s8}\n"),
            "r.yaml:2: unknown key 'wieghts' in 'wieghts: {format: s8}'");
  EXPECT_EQ(
      errorOf("name: x\nactivations: {format: q8}\n"),
      "r.yaml:2: is not a format: s or u and 2 to 16 bits, such as u8; e4m3, "
      "e5m2, e3m2 or e2m1; or f32 in 'activations: {format: q8}'");
  EXPECT_EQ(errorOf("name: x\nactivations: {rounding: nearest}\n"),
            "r.yaml:2: unknown key 'rounding' in 'activations: {rounding: "
            "nearest}'");
  EXPECT_EQ(errorOf("name: x\nweights: {estimator: best}\n"),
            "r.yaml:2: unknown enumerated scalar in 'weights: {estimator: "
            "best}'");
  EXPECT_EQ(errorOf("name: x\nbias: {bits: 16}\n"),
            "r.yaml:2: bias: bits must be 32 in 'bias: {bits: 16}'");
  EXPECT_EQ(errorOf("name: x\nactivations: {percentile: 3}\n"),
            "r.yaml:2: percentile must be above 50 and at most 100 in "
            "'activations: {percentile: 3}'");
  EXPECT_EQ(errorOf("name: x\nlayers:\n  - {match: \"/(/\"}\n"),
            "r.yaml:3: match '/(/': parentheses not balanced in '- {match: "
            "\"/(/\"}'");
  EXPECT_EQ(errorOf("name: x\nweights: {symmetric: false}\n"),
            "r.yaml:2: weights: symmetric: false wants granularity: block in "
            "'weights: {symmetric: false}'");
  EXPECT_EQ(errorOf("name: x\nweights: {format: u8}\n"),
            "r.yaml:2: weights: format u8 is not supported (s2 to s8 and "
            "minifloats are) in "
            "'weights: {format: u8}'");
  EXPECT_EQ(errorOf("name: x\nactivations: {granularity: channel}\n"),
            "r.yaml:2: activations: granularity channel is not supported in "
            "'activations: {granularity: channel}'");
  EXPECT_EQ(errorOf("name: x\nweights: {granularity: token}\n"),
            "r.yaml:2: weights: granularity token is not supported in "
            "'weights: {granularity: token}'");
  EXPECT_EQ(errorOf("name: x\ntables: {format: u8}\n"),
            "r.yaml:2: tables: format u8 is not supported (s2 to s8 are) in "
            "'tables: {format: u8}'");
  EXPECT_EQ(errorOf(""), "r.yaml:1: no keys here");
}

TEST(RecipeTest, WeightsAlone) {
  Recipe recipe = parsed(R"(name: r
activations: {format: f32}
weights: {format: s4, granularity: block, block: 64, symmetric: false}
layers:
  - {match: "head", keep_float: true}
)");
  EXPECT_EQ(recipe.weights.granularity, Granularity::Block);
  EXPECT_EQ(recipe.weights.block, 64);
  EXPECT_FALSE(recipe.weights.symmetric);
  EXPECT_TRUE(recipe.layer({"body"}, "matmul").isWeightOnly());
  EXPECT_FALSE(recipe.layer({"head"}, "matmul").isWeightOnly());
}

TEST(RecipeTest, BlocksWantFloatsOrTokens) {
  expectError("weights: {granularity: block}",
              "weights: granularity block wants activations of f32, or of s8, "
              "symmetric and by token");
  expectError("activations: {format: f32}",
              "activations: format f32 wants weights: granularity: block");
  expectError("activations: {granularity: block}",
              "activations: granularity block is not supported");
  expectError("weights: {format: f32}", "weights: format f32 is not supported");
  expectError("weights: {granularity: block, block: 0}",
              "weights: block must be between 1 and 65536");
  // A rule is held against what it leaves as it was.
  expectError("activations: {format: f32}\nweights: {granularity: block, "
              "symmetric: false}\nlayers:\n  - {match: \"a\", activations: "
              "{format: u8}, weights: {granularity: channel}}",
              "weights: symmetric: false wants granularity: block");
}

TEST(RecipeTest, Minifloats) {
  Recipe recipe = parsed(R"(name: r
activations: {format: e5m2}
weights: {format: e4m3, granularity: channel}
layers:
  - {match: "head", activations: {format: f32}, weights: {format: e3m2, granularity: block, block: 64}}
)");
  EXPECT_EQ(recipe.layer({"body"}, "matmul").precision(), "we4m3-ae5m2");
  EXPECT_TRUE(recipe.layer({"body"}, "matmul").givesFloats());
  EXPECT_TRUE(recipe.layer({"head"}, "matmul").isWeightOnly());
  // Symmetric around zero, up to the largest value.
  ScaleOptions options = recipe.activations.scaleOptions();
  EXPECT_EQ(options.qmin, -57344);
  EXPECT_EQ(options.qmax, 57344);
  EXPECT_TRUE(options.symmetric);
}

TEST(RecipeTest, MinifloatsWantEachOtherOrFloats) {
  expectError("activations: {format: e4m3}",
              "activations: format e4m3 and weights: format s8 do not go "
              "together: weights want a minifloat, too");
  expectError("weights: {format: e4m3}",
              "activations: format u8 and weights: format e4m3 do not go "
              "together: activations want f32, or both e4m3 or e5m2");
  expectError("activations: {format: e4m3}\nweights: {format: e3m2}",
              "activations: format e4m3 and weights: format e3m2 do not go "
              "together");
  expectError("activations: {format: e4m3}\nweights: {format: e4m3, "
              "granularity: block}",
              "want granularity tensor and channel");
  expectError("activations: {format: f32}\nweights: {format: e3m2, "
              "granularity: tensor}",
              "weights: format e3m2 wants granularity channel or block");
  expectError("activations: {format: f32}\nweights: {format: e3m2, estimator: "
              "mse}",
              "format e3m2 wants estimator minmax or percentile");
}

TEST(RecipeTest, UnknownNamesListTheKnown) {
  llvm::Expected<Recipe> recipe = Recipe::load("w3a5");
  ASSERT_FALSE(static_cast<bool>(recipe));
  std::string message = llvm::toString(recipe.takeError());
  EXPECT_NE(message.find("no recipe 'w3a5'"), std::string::npos) << message;
  EXPECT_NE(
      message.find(
          "built in: fp6, fp8, integer-only, llm-int8, w2a8, w3a8, w4a16, "
          "w4a4-int, w4a8-int, w4a8, w8a16-int, w8a16, w8a8-dynamic, w8a8-int"),
      std::string::npos)
      << message;
}

TEST(RecipeTest, ChannelsOfOutliers) {
  Recipe recipe = parsed(R"(name: mine
base: llm-int8
layers:
  - {match: "head*", activations: {outliers: 2.5}}
)");
  EXPECT_EQ(recipe.layer({"x"}, "matmul").activations.outliers, 6.0);
  EXPECT_EQ(recipe.layer({"head1"}, "matmul").activations.outliers, 2.5);
  EXPECT_EQ(recipe.layer({"x"}, "matmul").precision(), "w8a8-token");

  expectError("activations: {outliers: 0.0}",
              "activations: outliers must be a magnitude above 0");
  expectError("activations: {outliers: 6}",
              "activations: outliers want granularity: token, and weights "
              "without blocks");
  expectError("base: w4a8\nactivations: {granularity: token, dynamic: true, "
              "outliers: 6}",
              "activations: outliers want granularity: token, and weights "
              "without blocks");
  expectError("base: llm-int8\nsmoothing: 0.5",
              "activations: outliers and smoothing do not go together");
}

TEST(RecipeTest, BaseIsWhatIsNotSaid) {
  Recipe recipe = parsed(R"(name: mine
base: w8a8-int
weights: {format: s4}
bias_correction: false
layers:
  - {match: "head*", keep_float: true}
)");
  EXPECT_EQ(recipe.name, "mine");
  EXPECT_EQ(recipe.weights.format.str(), "s4");
  EXPECT_EQ(recipe.activations.estimator, RangeMethod::Lp);
  EXPECT_EQ(recipe.biasCorrection, BiasCorrection::None);
  ASSERT_TRUE(recipe.tables.has_value());
  EXPECT_TRUE(recipe.layer({"x"}, "unary").keepFloat);
  EXPECT_TRUE(recipe.layer({"head1"}, "conv").keepFloat);
  EXPECT_FALSE(recipe.layer({"x"}, "conv").keepFloat);
}

TEST(RecipeTest, BiasesAreCorrectedOnSamplesWhereAsked) {
  Recipe recipe = parsed("name: mine\nbias_correction: sequential\n");
  EXPECT_EQ(recipe.biasCorrection, BiasCorrection::Sequential);
}

TEST(RecipeTest, BaseIsAFileBesideTheRecipe) {
  llvm::SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("recipes", folder));
  auto write = [&](llvm::StringRef name, llvm::StringRef text) {
    std::error_code code;
    llvm::raw_fd_ostream((folder + "/" + name).str(), code) << text;
    return (folder + "/" + name).str();
  };
  write("first.yaml", "name: first\nsmoothing: 0.25\n");
  std::string second = write("second.yaml", "name: second\nbase: first.yaml\n");
  llvm::Expected<Recipe> recipe = Recipe::load(second);
  ASSERT_TRUE(static_cast<bool>(recipe)) << llvm::toString(recipe.takeError());
  ASSERT_TRUE(recipe->smoothing.has_value());
  EXPECT_EQ(recipe->smoothing->alpha, 0.25);
  // One that has itself for a base ends in an error, not in the stack.
  std::string loop = write("loop.yaml", "name: loop\nbase: loop.yaml\n");
  recipe = Recipe::load(loop);
  ASSERT_FALSE(static_cast<bool>(recipe));
  EXPECT_NE(llvm::toString(recipe.takeError())
                .find("'loop.yaml' leads through more than 8 recipes"),
            std::string::npos);
  llvm::sys::fs::remove_directories(folder);
}

TEST(RecipeTest, BaseThatIsNotThere) {
  EXPECT_NE(errorOf("name: a\nbase: nowhere\n").find("r.yaml: base: no recipe"),
            std::string::npos);
}

} // namespace

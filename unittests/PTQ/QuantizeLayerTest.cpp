// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and biases to codes: hand-computed cases, the bias that would
// overflow, dead rows, bias correction.

#include "QDialect/PTQ/QuantizeLayer.h"
#include "QDialect/PTQ/BiasCorrection.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace qdialect;

namespace {

TensorRecipe s8PerChannel() {
  TensorRecipe recipe;
  recipe.format = {/*isSigned=*/true, 8};
  recipe.granularity = Granularity::Channel;
  recipe.symmetric = true;
  return recipe;
}

TEST(QuantizeLayerTest, OneScaleARow) {
  LayerView layer;
  layer.rows = 2;
  layer.columns = 2;
  layer.weights = {127, -64, 1.27f, 0.01f};
  layer.bias = {10, -0.5f};
  QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), 0.5f);
  EXPECT_EQ(q.weightScales[0], 1.0f);
  EXPECT_FLOAT_EQ(q.weightScales[1], 0.01f);
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{127, -64, 127, 1}));
  EXPECT_EQ(q.biasScales[0], 0.5f);
  EXPECT_EQ(q.biasScales[1], 0.5f * q.weightScales[1]);
  EXPECT_EQ(q.biasCodes, (std::vector<int32_t>{20, -100}));
  EXPECT_EQ(q.deadRows, 0);
  EXPECT_EQ(q.raisedRows, 0);
}

TEST(QuantizeLayerTest, OneScaleForAll) {
  LayerView layer;
  layer.rows = 2;
  layer.columns = 1;
  layer.weights = {127, 1};
  TensorRecipe recipe = s8PerChannel();
  recipe.granularity = Granularity::Tensor;
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt);
  EXPECT_EQ(q.weightScales, (std::vector<float>{1, 1}));
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{127, 1}));
  EXPECT_TRUE(q.biasCodes.empty());
}

TEST(QuantizeLayerTest, FourBits) {
  LayerView layer;
  layer.rows = 1;
  layer.columns = 3;
  layer.weights = {7, -3.4f, -7};
  TensorRecipe recipe = s8PerChannel();
  recipe.format.bits = 4;
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt);
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{7, -3, -7}));
}

TEST(QuantizeLayerTest, DeadRowKeepsItsBias) {
  LayerView layer;
  layer.rows = 2;
  layer.columns = 2;
  layer.weights = {0, 0, 0, 0};
  layer.bias = {0.5f, 0};
  QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), 0.1f);
  EXPECT_EQ(q.deadRows, 2);
  EXPECT_EQ(q.raisedRows, 0);
  EXPECT_EQ(q.weightScales[1], 1.0f);
  EXPECT_EQ(q.biasCodes[1], 0);
  EXPECT_LE(std::abs(int64_t(q.biasCodes[0])), int64_t(1) << 30);
  EXPECT_FLOAT_EQ(q.biasCodes[0] * q.biasScales[0], 0.5f);
}

TEST(QuantizeLayerTest, TinyWeightsDoNotOverflowTheBias) {
  LayerView layer;
  layer.rows = 1;
  layer.columns = 2;
  layer.weights = {1e-30f, -1e-30f};
  layer.bias = {3};
  QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), 1e-3f);
  EXPECT_EQ(q.raisedRows, 1);
  EXPECT_LE(std::abs(int64_t(q.biasCodes[0])), int64_t(1) << 30);
  EXPECT_FLOAT_EQ(q.biasCodes[0] * q.biasScales[0], 3.0f);
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{0, 0}));
}

TEST(QuantizeLayerProperty, BiasNeverReachesHalfTheAccumulator) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> exponent(-38, 30);
  for (int trial = 0; trial < 2000; ++trial) {
    LayerView layer;
    layer.rows = 1;
    layer.columns = 1;
    layer.weights = {std::pow(10.0f, exponent(random))};
    layer.bias = {-std::pow(10.0f, exponent(random) / 2)};
    float inputScale = std::pow(10.0f, exponent(random) / 4);
    QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), inputScale);
    ASSERT_LE(std::abs(int64_t(q.biasCodes[0])), int64_t(1) << 30)
        << "trial " << trial << ": w " << layer.weights[0] << " b "
        << layer.bias[0] << " sx " << inputScale;
    ASSERT_TRUE(std::isfinite(q.weightScales[0]));
    ASSERT_GT(q.weightScales[0], 0);
  }
}

TEST(BiasCorrectionTest, ExampleOfTheHeader) {
  LayerView layer;
  layer.rows = 1;
  layer.columns = 1;
  layer.weights = {0.34f};
  layer.inputChannels = {0};
  std::vector<double> correction = biasCorrection(layer, {0.3f}, {2.0});
  EXPECT_NEAR(correction[0], 0.08, 1e-7);
}

TEST(BiasCorrectionProperty, MeanOfTheOutputIsKept) {
  // Two input channels with different means; the mean of the quantized layer's
  // output on data of exactly those means equals the float layer's.
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  LayerView layer;
  layer.rows = 4;
  layer.columns = 6;
  for (int i = 0; i < 24; ++i) {
    layer.weights.push_back(normal(random));
    layer.inputChannels.push_back(i % 2);
  }
  layer.bias = {0, 1, 2, 3};
  std::vector<double> means{0.7, -3.0};
  TensorRecipe recipe = s8PerChannel();
  recipe.format.bits = 4; // large errors
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt, &means);
  for (int row = 0; row < 4; ++row) {
    double exact = layer.bias[row], rounded = q.bias[row], plain = exact;
    for (int i = 0; i < 6; ++i) {
      double code =
          q.weightCodes[row * 6 + i] * static_cast<double>(q.weightScales[row]);
      exact += layer.weights[row * 6 + i] * means[i % 2];
      rounded += code * means[i % 2];
      plain += code * means[i % 2];
    }
    EXPECT_NEAR(rounded, exact, 1e-5);
    EXPECT_GT(std::fabs(plain - exact), 1e-3) << "nothing to correct";
  }
}

} // namespace

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
  std::vector<float> weights = {127, -64, 1.27f, 0.01f};
  LayerView layer = LayerView::dense(weights.data(), 2, 2);
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
  std::vector<float> weights = {127, 1};
  LayerView layer = LayerView::dense(weights.data(), 2, 1);
  TensorRecipe recipe = s8PerChannel();
  recipe.granularity = Granularity::Tensor;
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt);
  EXPECT_EQ(q.weightScales, (std::vector<float>{1, 1}));
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{127, 1}));
  EXPECT_TRUE(q.biasCodes.empty());
}

TEST(QuantizeLayerTest, AnyLayout) {
  // Rows are columns of the memory, more of them than a block has.
  constexpr int64_t kRows = LayerView::kBlockRows + 3, kColumns = 2;
  std::vector<float> weights(kRows * kColumns), turned(kRows * kColumns);
  LayerView layer;
  layer.weights = weights.data();
  for (int64_t row = 0; row < kRows; ++row)
    layer.rowOffsets.push_back(row);
  layer.columnOffsets = {0, kRows};
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t column = 0; column < kColumns; ++column)
      weights[column * kRows + row] = turned[row * kColumns + column] =
          static_cast<float>(row + 1) * (column ? -1.0f : 0.37f);
  QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), std::nullopt);
  QuantizedLayer plain =
      quantizeLayer(LayerView::dense(turned.data(), kRows, kColumns),
                    s8PerChannel(), std::nullopt);
  EXPECT_EQ(q.weightScales, plain.weightScales);
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t column = 0; column < kColumns; ++column)
      EXPECT_EQ(q.weightCodes[column * kRows + row],
                plain.weightCodes[row * kColumns + column])
          << "row " << row << " column " << column;
}

TEST(QuantizeLayerTest, FourBits) {
  std::vector<float> weights = {7, -3.4f, -7};
  LayerView layer = LayerView::dense(weights.data(), 1, 3);
  TensorRecipe recipe = s8PerChannel();
  recipe.format.bits = 4;
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt);
  EXPECT_EQ(q.weightCodes, (std::vector<int32_t>{7, -3, -7}));
}

TEST(QuantizeLayerTest, DeadRowKeepsItsBias) {
  std::vector<float> weights = {0, 0, 0, 0};
  LayerView layer = LayerView::dense(weights.data(), 2, 2);
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
  std::vector<float> weights = {1e-30f, -1e-30f};
  LayerView layer = LayerView::dense(weights.data(), 1, 2);
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
    std::vector<float> weights = {std::pow(10.0f, exponent(random))};
    LayerView layer = LayerView::dense(weights.data(), 1, 1);
    layer.bias = {-std::pow(10.0f, exponent(random) / 2)};
    float inputScale = std::pow(10.0f, exponent(random) / 4);
    QuantizedLayer q = quantizeLayer(layer, s8PerChannel(), inputScale);
    ASSERT_LE(std::abs(int64_t(q.biasCodes[0])), int64_t(1) << 30)
        << "trial " << trial << ": w " << weights[0] << " b " << layer.bias[0]
        << " sx " << inputScale;
    ASSERT_TRUE(std::isfinite(q.weightScales[0]));
    ASSERT_GT(q.weightScales[0], 0);
  }
}

TEST(BiasCorrectionTest, ExampleOfTheHeader) {
  std::vector<float> weights = {0.34f};
  LayerView layer = LayerView::dense(weights.data(), 1, 1);
  layer.rowChannels = layer.columnChannels = {0};
  float rounded = 0.3f;
  EXPECT_NEAR(biasCorrection(layer, 0, weights.data(), &rounded, {2.0}), 0.08,
              1e-7);
}

TEST(BiasCorrectionProperty, MeanOfTheOutputIsKept) {
  // Two input channels with different means; the mean of the quantized layer's
  // output on data of exactly those means equals the float layer's.
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> weights(24);
  for (float &weight : weights)
    weight = normal(random);
  LayerView layer = LayerView::dense(weights.data(), 4, 6);
  layer.rowChannels.assign(4, 0);
  layer.columnChannels = {0, 1, 0, 1, 0, 1};
  layer.bias = {0, 1, 2, 3};
  InputMoments moments{{0.7, -3.0}, {1, 1}};
  TensorRecipe recipe = s8PerChannel();
  recipe.format.bits = 4; // large errors
  QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt, &moments,
                                   /*correctBias=*/true);
  for (int row = 0; row < 4; ++row) {
    double exact = layer.bias[row], rounded = q.bias[row], plain = exact;
    for (int i = 0; i < 6; ++i) {
      double code =
          q.weightCodes[row * 6 + i] * static_cast<double>(q.weightScales[row]);
      exact += weights[row * 6 + i] * moments.means[i % 2];
      rounded += code * moments.means[i % 2];
      plain += code * moments.means[i % 2];
    }
    EXPECT_NEAR(rounded, exact, 1e-5);
    EXPECT_GT(std::fabs(plain - exact), 1e-3) << "nothing to correct";
  }
}

} // namespace

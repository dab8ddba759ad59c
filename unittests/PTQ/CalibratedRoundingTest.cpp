// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calibrated rounding: the example of its header, its bounds, and against all
// choices of neighbours.

#include "QDialect/PTQ/CalibratedRounding.h"
#include "QDialect/PTQ/QuantizeLayer.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace qdialect;

namespace {

double error(const std::vector<double> &steps, const std::vector<double> &means,
             const std::vector<double> &variances,
             const std::vector<int32_t> &codes) {
  double sum = 0, rest = 0;
  for (size_t k = 0; k < steps.size(); ++k) {
    double d = codes[k] - steps[k];
    sum += d * means[k];
    rest += d * d * variances[k];
  }
  return sum * sum + rest;
}

std::vector<int32_t> nearest(const std::vector<double> &steps, int64_t qmin,
                             int64_t qmax) {
  std::vector<int32_t> codes;
  for (double step : steps)
    codes.push_back(static_cast<int32_t>(
        std::clamp(std::nearbyint(step), static_cast<double>(qmin),
                   static_cast<double>(qmax))));
  return codes;
}

TEST(CalibratedRoundingTest, ExampleOfTheHeader) {
  std::vector<double> steps{0.4, 0.4, 0.4}, means(3, 1), variances(3, 0.1);
  std::vector<int32_t> codes{0, 0, 0};
  EXPECT_NEAR(error(steps, means, variances, codes), 1.488, 1e-12);
  roundByMoments(steps, means, variances, -127, 127, codes.data());
  EXPECT_EQ(codes[0] + codes[1] + codes[2], 1);
  EXPECT_NEAR(error(steps, means, variances, codes), 0.04 + 0.068, 1e-12);
}

TEST(CalibratedRoundingTest, StaysWithinTheCodes) {
  // All errors are positive; the only other neighbours are below the alphabet,
  // or exact, or clamped and more than a step away.
  std::vector<double> steps{-7.4, -7, -9.5, 7.3}, ones(4, 1), zeros(4, 0);
  std::vector<int32_t> codes{-7, -7, -7, 7};
  std::vector<int32_t> before = codes;
  roundByMoments(steps, ones, zeros, -7, 7, codes.data());
  EXPECT_EQ(codes, before);
  roundByMoments({}, {}, {}, -7, 7, nullptr);
}

TEST(CalibratedRoundingTest, WithoutMeansNearestStays) {
  std::vector<double> steps{0.4, -1.3, 2.5, 0}, zeros(4, 0), ones(4, 1);
  std::vector<int32_t> codes = nearest(steps, -127, 127), before = codes;
  roundByMoments(steps, zeros, ones, -127, 127, codes.data());
  EXPECT_EQ(codes, before);
}

TEST(CalibratedRoundingProperty, NeighboursOnlyAndNoSingleChangeHelps) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> weight(-9, 9), mean(-1, 3),
      spread(0, 1);
  for (int trial = 0; trial < 200; ++trial) {
    size_t count = 1 + random() % 40;
    std::vector<double> steps, means, variances;
    for (size_t k = 0; k < count; ++k) {
      steps.push_back(weight(random));
      means.push_back(mean(random));
      variances.push_back(spread(random));
    }
    std::vector<int32_t> plain = nearest(steps, -7, 7), codes = plain;
    roundByMoments(steps, means, variances, -7, 7, codes.data());
    double found = error(steps, means, variances, codes);
    EXPECT_LE(found, error(steps, means, variances, plain) * (1 + 1e-12));
    for (size_t k = 0; k < count; ++k) {
      EXPECT_GE(codes[k], -7);
      EXPECT_LE(codes[k], 7);
      if (std::fabs(steps[k]) <= 7) {
        EXPECT_LT(std::fabs(codes[k] - steps[k]), 1);
        std::vector<int32_t> other = codes;
        other[k] += codes[k] > steps[k] ? -1 : 1;
        EXPECT_GE(error(steps, means, variances, other), found * (1 - 1e-9));
      } else {
        EXPECT_EQ(codes[k], plain[k]);
      }
    }
  }
}

TEST(CalibratedRoundingProperty, OutputsComeCloserThanByNearest) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  constexpr int kRows = 256, kColumns = 64, kSamples = 400;
  std::vector<float> weights(kRows * kColumns);
  for (float &w : weights)
    w = normal(random);
  // Inputs behind a relu, two channels apart in scale.
  std::vector<float> inputs(kSamples * kColumns);
  InputMoments moments{std::vector<double>(kColumns),
                       std::vector<double>(kColumns)};
  for (int i = 0; i < kSamples * kColumns; ++i)
    inputs[i] = std::max(normal(random) + 0.5f, 0.0f) *
                static_cast<float>(1 + i % kColumns % 2);
  for (int k = 0; k < kColumns; ++k) {
    double sum = 0, squares = 0;
    for (int s = 0; s < kSamples; ++s) {
      double x = inputs[s * kColumns + k];
      sum += x;
      squares += x * x;
    }
    moments.means[k] = sum / kSamples;
    moments.variances[k] =
        squares / kSamples - moments.means[k] * moments.means[k];
  }
  LayerView layer = LayerView::dense(weights.data(), kRows, kColumns);
  layer.rowChannels.assign(kRows, 0);
  for (int k = 0; k < kColumns; ++k)
    layer.columnChannels.push_back(k);
  TensorRecipe recipe;
  recipe.format = {/*isSigned=*/true, 4};
  recipe.granularity = Granularity::Channel;
  recipe.symmetric = true;
  auto outputError = [&](WeightRounding rounding) {
    recipe.rounding = rounding;
    QuantizedLayer q = quantizeLayer(layer, recipe, std::nullopt, &moments);
    double total = 0;
    for (int s = 0; s < kSamples; ++s)
      for (int row = 0; row < kRows; ++row) {
        double difference = 0;
        for (int k = 0; k < kColumns; ++k)
          difference +=
              (static_cast<double>(q.weightCodes[row * kColumns + k]) *
                   q.weightScales[row] -
               weights[row * kColumns + k]) *
              inputs[s * kColumns + k];
        total += difference * difference;
      }
    return total;
  };
  // What the means add to the error of independent roundings is about half of
  // it (0.70^2 beside 0.46 for the variance); many rows make that an average.
  EXPECT_LT(outputError(WeightRounding::Calibrated),
            0.7 * outputError(WeightRounding::Nearest));
}

} // namespace

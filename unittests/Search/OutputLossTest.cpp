// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Distances of outputs by hand.

#include "QDialect/Search/OutputLoss.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace qdialect;

namespace {

double lossOf(LossMetric metric, std::vector<double> reference,
              std::vector<double> actual, int64_t classes) {
  OutputLoss loss(metric);
  loss.add(0, reference, actual, classes);
  return loss.value();
}

TEST(OutputLossTest, Values) {
  EXPECT_DOUBLE_EQ(lossOf(LossMetric::MSE, {1, 2}, {1, 4}, 2), 2);
  EXPECT_DOUBLE_EQ(lossOf(LossMetric::SQNR, {3, 4}, {3, 5}, 2), 1.0 / 25);
  // Even odds against 3 to 1: log(2) - (log(3) / 2) + ... by definition.
  EXPECT_NEAR(lossOf(LossMetric::KL, {0, 0}, {std::log(3.0), 0}, 2),
              0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(0.5 / 0.25), 1e-12);
}

TEST(OutputLossTest, EqualOutputsLoseNothing) {
  for (LossMetric metric : {LossMetric::KL, LossMetric::SQNR, LossMetric::MSE})
    EXPECT_EQ(lossOf(metric, {1, -2, 1e3}, {1, -2, 1e3}, 3), 0);
}

TEST(OutputLossTest, RowsSamplesAndOutputsCount) {
  // A shift of all classes changes no probability; large logits overflow not.
  OutputLoss loss(LossMetric::KL);
  loss.add(0, {1000, 1001, 0, 0}, {0, 1, 5, 5}, 2);
  EXPECT_NEAR(loss.value(), 0, 1e-12);
  loss.add(0, {0, 0}, {std::log(3.0), 0}, 2);
  double row = 0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(0.5 / 0.25);
  EXPECT_NEAR(loss.value(), row / 3, 1e-12);
  // Each output's error is relative to its own power.
  OutputLoss ratio(LossMetric::SQNR);
  ratio.add(0, {10}, {11}, 1);
  ratio.add(1, {1}, {2}, 1);
  EXPECT_DOUBLE_EQ(ratio.value(), 0.01 + 1);
}

TEST(OutputLossTest, NamesAreReadBack) {
  for (llvm::StringRef name : {"kl", "sqnr", "mse", "hessian"})
    EXPECT_EQ(stringify(*parseLossMetric(name)), name);
  EXPECT_FALSE(parseLossMetric("psnr"));
}

} // namespace

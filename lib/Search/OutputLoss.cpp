// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Distances of outputs (OutputLoss.h), in f64.

#include "QDialect/Search/OutputLoss.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cmath>

using namespace qdialect;

static constexpr std::pair<LossMetric, llvm::StringLiteral> kNames[] = {
    {LossMetric::KL, "kl"},
    {LossMetric::SQNR, "sqnr"},
    {LossMetric::MSE, "mse"},
    {LossMetric::Hessian, "hessian"}};

std::optional<LossMetric> qdialect::parseLossMetric(llvm::StringRef name) {
  for (const auto &[metric, known] : kNames)
    if (name == known)
      return metric;
  return std::nullopt;
}

llvm::StringRef qdialect::stringify(LossMetric metric) {
  return kNames[static_cast<int>(metric)].second;
}

/// log(sum exp(x)), without overflow.
static double logSumExp(llvm::ArrayRef<double> x) {
  double largest = *std::max_element(x.begin(), x.end()), sum = 0;
  for (double value : x)
    sum += std::exp(value - largest);
  return largest + std::log(sum);
}

static double rowDivergence(llvm::ArrayRef<double> reference,
                            llvm::ArrayRef<double> actual) {
  double p = logSumExp(reference), q = logSumExp(actual), sum = 0;
  for (auto [a, b] : llvm::zip_equal(reference, actual))
    sum += std::exp(a - p) * ((a - p) - (b - q));
  // Rounding alone can make it negative.
  return std::max(sum, 0.0);
}

void OutputLoss::add(unsigned output, llvm::ArrayRef<double> reference,
                     llvm::ArrayRef<double> actual, int64_t classes) {
  if (output >= outputs.size())
    outputs.resize(output + 1);
  for (auto [a, b] : llvm::zip_equal(reference, actual)) {
    outputs[output].error += (b - a) * (b - a);
    outputs[output].power += a * a;
  }
  elements += reference.size();
  if (metric != LossMetric::KL || classes <= 1)
    return;
  for (size_t first = 0; first < reference.size(); first += classes) {
    divergence += rowDivergence(reference.slice(first, classes),
                                actual.slice(first, classes));
    ++rows;
  }
}

double OutputLoss::value() const {
  double error = 0, ratio = 0;
  for (const Sums &sums : outputs) {
    error += sums.error;
    ratio += sums.power > 0 ? sums.error / sums.power : sums.error;
  }
  switch (metric) {
  case LossMetric::KL:
    return rows ? divergence / rows : 0;
  case LossMetric::SQNR:
    return ratio;
  case LossMetric::MSE:
  case LossMetric::Hessian:
    return elements ? error / elements : 0;
  }
  return 0;
}

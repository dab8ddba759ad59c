// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant's factors as a choice in the algebra of channel scales
// (SmoothActivations.h, Analysis/ChannelGroup.h).

#include "SmoothActivations.h"

#include "ChannelDivision.h"
#include "QDialect/Analysis/ChannelShift.h"
#include "QDialect/PTQ/Smoothing.h"
#include "QDialect/Support/ConstantView.h"
#include "QuantizationPlan.h"
#include "llvm/ADT/DenseSet.h"
#include <cmath>

using namespace mlir;

namespace qdialect {

namespace {

class Smoother {
public:
  Smoother(func::FuncOp function, const Recipe &recipe, Statistics &statistics)
      : recipe(recipe), statistics(statistics),
        plan(function, recipe, &statistics) {}

  /// Smooths one value; false if it has no factors to choose.
  bool smooth(qd::ObserveOp observe);

private:
  /// The statistics of a value whose innermost dimension holds `channels`.
  const ValueStatistics *statisticsOf(qd::ObserveOp observe,
                                      const ChannelDims &channels) const;
  std::optional<ChannelGroup> groupOf(qd::ObserveOp observe,
                                      const ChannelDims &channels,
                                      bool byScale) const;
  /// The factors that the recipe's method chooses; empty if it leaves the
  /// channels as they are.
  std::vector<float> chooseFactors(const ValueStatistics &values,
                                   const ChannelGroup &group) const;

  const Recipe &recipe;
  Statistics &statistics;
  const QuantizationPlan plan;
  llvm::DenseSet<Operation *> smoothed;
};

const ValueStatistics *
Smoother::statisticsOf(qd::ObserveOp observe,
                       const ChannelDims &channels) const {
  int64_t last = cast<RankedTensorType>(observe.getType()).getRank() - 1;
  if (channels.dims.size() != 1 || channels.dims[0] != last)
    return nullptr;
  const ValueStatistics *values = statistics.lookup(observe.getValueName());
  bool known = values && static_cast<int64_t>(values->channelMax.size()) ==
                             channels.count();
  return known ? values : nullptr;
}

/// The group of an observed value's channels, if it is the value that the
/// readers' codes stand for. What integers make is rounded by one scale a
/// tensor, so its makers must take the factors; what floats make is divided
/// where it is rounded, by a scale a channel.
std::optional<ChannelGroup> Smoother::groupOf(qd::ObserveOp observe,
                                              const ChannelDims &channels,
                                              bool byScale) const {
  std::optional<ChannelGroup> group =
      findChannelReaders(observe.getResult(), channels);
  if (!group || group->readers.empty())
    return std::nullopt;
  for (const auto &[value, dims] : group->values)
    if (auto other = value.getDefiningOp<qd::ObserveOp>())
      if (other != observe)
        return std::nullopt;
  if (byScale)
    return group;
  group = findChannelGroup(observe.getResult(), channels);
  if (!group)
    return std::nullopt;
  for (const auto &[value, dims] : group->values)
    if (auto other = value.getDefiningOp<qd::ObserveOp>())
      if (smoothed.contains(other) || !statisticsOf(other, dims))
        return std::nullopt;
  return group;
}

/// The largest magnitudes of the readers' weights by channel.
std::vector<float> weightMagnitudes(const ChannelGroup &group) {
  std::vector<float> weights(group.channels, 0);
  for (const ChannelConstant &reader : group.readers) {
    ConstantView view = *constantView(reader.operand->get());
    reader.forEach([&](int64_t element, int64_t channel) {
      weights[channel] =
          std::max(weights[channel], std::abs(view.get<float>(element)));
    });
  }
  return weights;
}

/// What rounding the weights of `reader`, multiplied by `factors`, to symmetric
/// codes up to `qmax` with a scale for each output channel adds to the mean
/// squares of its outputs, for channels of these mean squares that do not hang
/// together.
double roundingError(const ChannelConstant &reader,
                     const std::vector<double> &meanSquares,
                     const std::vector<float> &factors, double qmax) {
  auto op = cast<linalg::LinalgOp>(reader.operand->getOwner());
  ConstantView view = *constantView(reader.operand->get());
  std::vector<double> scales(getContractionStructure(op)->numOutputChannels(),
                             0);
  forEachProduct(reader, [&](int64_t element, int64_t channel, int64_t output) {
    double weight = view.number(element) * factors[channel];
    scales[output] = std::max(scales[output], std::abs(weight) / qmax);
  });
  double error = 0;
  forEachProduct(reader, [&](int64_t element, int64_t channel, int64_t output) {
    double scale = scales[output];
    if (scale == 0)
      return;
    double weight = view.number(element) * factors[channel] / scale;
    double change =
        (std::nearbyint(weight) - weight) * scale / factors[channel];
    error += change * change * meanSquares[channel];
  });
  return error;
}

std::vector<float> Smoother::chooseFactors(const ValueStatistics &values,
                                           const ChannelGroup &group) const {
  std::vector<float> magnitudes = channelMagnitudes(values);
  double largest = *llvm::max_element(magnitudes);
  switch (recipe.smoothing->method) {
  case SmoothingMethod::Search: // somebody else has to choose
    return {};
  case SmoothingMethod::Alpha:
    return smoothingFactors(magnitudes, weightMagnitudes(group),
                            recipe.smoothing->alpha);
  case SmoothingMethod::Log:
    return largest > kLogFrom && largest < kLogTo ? logFactors(magnitudes)
                                                  : std::vector<float>();
  case SmoothingMethod::Percentile:
    return percentileFactors(magnitudes);
  case SmoothingMethod::AWQ:
    break;
  }
  std::vector<double> meanSquares;
  for (size_t c = 0; c < magnitudes.size(); ++c) {
    double mean = values.channelMean(c);
    meanSquares.push_back(values.channelVariance(c) + mean * mean);
  }
  auto qmax = static_cast<double>(recipe.weights.format.maxCode());
  return activationAwareFactors(
      meanSquares, [&](const std::vector<float> &factors) {
        double error = 0;
        for (const ChannelConstant &reader : group.readers)
          error += roundingError(reader, meanSquares, factors, qmax);
        return error;
      });
}

bool Smoother::smooth(qd::ObserveOp observe) {
  auto type = cast<RankedTensorType>(observe.getType());
  int64_t rank = type.getRank();
  if (rank == 0 || type.isDynamicDim(rank - 1) || smoothed.contains(observe))
    return false;
  ChannelDims channels{{rank - 1}, {type.getDimSize(rank - 1)}};
  const ValueStatistics *values = statisticsOf(observe, channels);
  if (channels.count() < 2 || !values || observe.getResult().use_empty())
    return false;
  // What the statistics leave to scales chosen at run time has no grid.
  if (recipe.smoothing->method == SmoothingMethod::Log &&
      !plan.isWanted(observe.getResult()))
    return false;
  bool byScale = !plan.isRounded(observe.getInput());
  std::optional<ChannelGroup> group = groupOf(observe, channels, byScale);
  if (!group)
    return false;

  std::vector<float> factors = chooseFactors(*values, *group);
  if (factors.empty())
    return false;
  SmallVector<double> inverses;
  for (float factor : factors)
    inverses.push_back(1.0 / static_cast<double>(factor));
  for (const auto &[value, dims] : group->values)
    if (auto member = value.getDefiningOp<qd::ObserveOp>()) {
      ValueStatistics &known = statistics.values[member.getValueName().str()];
      known = dividedChannels(known, factors);
      smoothed.insert(member);
    }
  scaleChannels(*group, inverses);
  if (byScale)
    divideChannels(observe, factors);
  return true;
}

} // namespace

int64_t smoothActivations(func::FuncOp function, const Recipe &recipe,
                          Statistics &statistics) {
  Smoother smoother(function, recipe, statistics);
  SmallVector<qd::ObserveOp> observers;
  function.walk([&](qd::ObserveOp op) { observers.push_back(op); });
  return llvm::count_if(observers, [&](qd::ObserveOp observe) {
    return smoother.smooth(observe);
  });
}

} // namespace qdialect

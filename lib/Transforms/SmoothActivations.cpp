// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SmoothQuant's factors as a choice in the algebra of channel scales
// (SmoothActivations.h, Analysis/ChannelGroup.h).

#include "SmoothActivations.h"

#include "QDialect/Analysis/ChannelGroup.h"
#include "QDialect/PTQ/Smoothing.h"
#include "QDialect/Support/ConstantView.h"

using namespace mlir;

namespace qdialect {

namespace {

class Smoother {
public:
  Smoother(const QuantizationPlan &plan, const Statistics &statistics,
           double alpha, llvm::MapVector<qd::ObserveOp, Smoothed> &smoothed)
      : plan(plan), statistics(statistics), alpha(alpha), smoothed(smoothed) {}

  /// Smooths one value; false if it has no factors to choose.
  bool smooth(qd::ObserveOp observe);

private:
  /// The statistics of a value whose innermost dimension holds `channels`.
  const ValueStatistics *statisticsOf(qd::ObserveOp observe,
                                      const ChannelDims &channels) const;
  std::optional<ChannelGroup> groupOf(qd::ObserveOp observe,
                                      const ChannelDims &channels,
                                      bool byScale) const;

  const QuantizationPlan &plan;
  const Statistics &statistics;
  double alpha;
  llvm::MapVector<qd::ObserveOp, Smoothed> &smoothed;
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

bool Smoother::smooth(qd::ObserveOp observe) {
  auto type = cast<RankedTensorType>(observe.getType());
  int64_t rank = type.getRank();
  if (rank == 0 || type.isDynamicDim(rank - 1) || smoothed.contains(observe))
    return false;
  ChannelDims channels{{rank - 1}, {type.getDimSize(rank - 1)}};
  const ValueStatistics *values = statisticsOf(observe, channels);
  if (channels.count() < 2 || !values || observe.getResult().use_empty())
    return false;
  bool byScale = !plan.isRounded(observe.getInput());
  std::optional<ChannelGroup> group = groupOf(observe, channels, byScale);
  if (!group)
    return false;

  std::vector<float> weights(channels.count(), 0);
  for (const ChannelConstant &reader : group->readers) {
    ConstantView view = *constantView(reader.operand->get());
    reader.forEach([&](int64_t element, int64_t channel) {
      weights[channel] =
          std::max(weights[channel], std::abs(view.get<float>(element)));
    });
  }
  std::vector<float> factors =
      smoothingFactors(channelMagnitudes(*values), weights, alpha);
  SmallVector<double> inverses;
  for (float factor : factors)
    inverses.push_back(1.0 / static_cast<double>(factor));
  for (const auto &[value, dims] : group->values)
    if (auto member = value.getDefiningOp<qd::ObserveOp>())
      smoothed[member] = {factors,
                          dividedChannels(*statisticsOf(member, dims), factors),
                          byScale};
  scaleChannels(*group, inverses);
  return true;
}

} // namespace

int64_t smoothActivations(ArrayRef<qd::ObserveOp> observers,
                          const QuantizationPlan &plan,
                          const Statistics &statistics, double alpha,
                          llvm::MapVector<qd::ObserveOp, Smoothed> &smoothed) {
  Smoother smoother(plan, statistics, alpha, smoothed);
  return llvm::count_if(observers, [&](qd::ObserveOp observe) {
    return smoother.smooth(observe);
  });
}

} // namespace qdialect

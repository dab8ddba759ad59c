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

/// The group of an observed value's channels. What integers make is rounded by
/// one scale a tensor, so its makers must take the factors; what floats make is
/// divided where it is rounded, by a scale a channel.
static std::optional<ChannelGroup>
groupOf(qd::ObserveOp observe, const ChannelDims &channels, bool byScale) {
  if (observe.getResult().use_empty())
    return std::nullopt;
  std::optional<ChannelGroup> group =
      byScale ? findChannelReaders(observe.getResult(), channels)
              : findChannelGroup(observe.getResult(), channels);
  if (!group || group->readers.empty())
    return std::nullopt;
  // Statistics of other values would have to change as well.
  for (const auto &[value, dims] : group->values)
    if (auto other = value.getDefiningOp<qd::ObserveOp>())
      if (other != observe)
        return std::nullopt;
  return group;
}

std::optional<Smoothed> smoothActivation(qd::ObserveOp observe,
                                         const QuantizationPlan &plan,
                                         const ValueStatistics &statistics,
                                         double alpha) {
  auto type = cast<RankedTensorType>(observe.getType());
  int64_t rank = type.getRank();
  if (rank == 0 || type.isDynamicDim(rank - 1))
    return std::nullopt;
  int64_t channels = type.getDimSize(rank - 1);
  std::vector<float> magnitudes = channelMagnitudes(statistics);
  if (channels < 2 || static_cast<int64_t>(magnitudes.size()) != channels)
    return std::nullopt;
  bool byScale = !plan.isRounded(observe.getInput());
  std::optional<ChannelGroup> group =
      groupOf(observe, {{rank - 1}, {channels}}, byScale);
  if (!group)
    return std::nullopt;

  std::vector<float> weights(channels, 0);
  for (const ChannelConstant &reader : group->readers) {
    ConstantView view = *constantView(reader.operand->get());
    reader.forEach([&](int64_t element, int64_t channel) {
      weights[channel] =
          std::max(weights[channel], std::abs(view.get<float>(element)));
    });
  }
  Smoothed smoothed;
  smoothed.factors = smoothingFactors(magnitudes, weights, alpha);
  smoothed.statistics = dividedChannels(statistics, smoothed.factors);
  smoothed.byScale = byScale;
  SmallVector<double> inverses;
  for (float factor : smoothed.factors)
    inverses.push_back(1.0 / static_cast<double>(factor));
  scaleChannels(*group, inverses);
  return smoothed;
}

} // namespace qdialect

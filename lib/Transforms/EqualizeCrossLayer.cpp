// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cross-layer equalization (Nagel et al., "Data-Free Quantization Through
// Weight Equalization and Bias Correction", ICCV 2019, section 4.1): where a
// channel's factor can be moved between the layers that make and read it, it is
// chosen so that its weights have the same range on both sides,
//
//   f[c] = sqrt(max |W2[:, c]| / max |W1[c, :]|),  W1[c, :] *= f, W2[:, c] /= f
//
// which makes the product over channels of (range of the channel / range of the
// tensor) as large as it can be. One group's factors change the ranges of the
// next, so all are visited in turn until nothing changes.

#include "QDialect/Analysis/ChannelGroup.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Passes.h"
#include "llvm/ADT/DenseSet.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_EQUALIZECROSSLAYERPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

/// The group that starts at a contraction, if layers are at both its ends.
std::optional<ChannelGroup> groupBehind(linalg::LinalgOp op) {
  std::optional<ContractionStructure> s = getContractionStructure(op);
  if (!s || !s->weightIsConstant)
    return std::nullopt;
  std::optional<ChannelDims> channels = getOutputChannels(*s);
  if (!channels || channels->count() < 2)
    return std::nullopt;
  std::optional<ChannelGroup> group =
      findChannelGroup(op->getResult(0), *channels);
  if (!group || group->readers.empty())
    return std::nullopt;
  return group;
}

/// The weights of all groups while their factors are sought, by operand: a
/// depthwise weight is made in one group and read in the next, and rounded once
/// for both.
class Equalizer {
public:
  explicit Equalizer(std::vector<ChannelGroup> found)
      : groups(std::move(found)) {
    for (const ChannelGroup &group : groups) {
      factors.emplace_back(group.channels, 1.0);
      for (const auto *side : {&group.makers, &group.readers})
        for (const ChannelConstant &constant : *side)
          load(*constant.operand);
    }
  }

  /// Sweeps over all groups until no factor changes by more than `tolerance`;
  /// the number of sweeps.
  unsigned run(unsigned maxSweeps, double tolerance) {
    for (unsigned sweep = 1; sweep <= maxSweeps; ++sweep) {
      double change = 0;
      for (auto [group, total] : llvm::zip(groups, factors))
        change = std::max(change, visit(group, total));
      if (change <= tolerance)
        return sweep;
    }
    return maxSweeps;
  }

  void apply() {
    for (auto &[operand, values] : weights)
      replaceConstant(*operand, values);
    for (auto [group, total] : llvm::zip(groups, factors))
      for (const ChannelConstant &addend : group.addends)
        scaleConstant(addend, total);
  }

private:
  void load(OpOperand &operand) {
    auto [it, isNew] = weights.insert({&operand, {}});
    if (!isNew)
      return;
    ConstantView view = *constantView(operand.get());
    for (int64_t i = 0, e = view.numElements(); i < e; ++i)
      it->second.push_back(view.number(i));
  }

  SmallVector<double> ranges(ArrayRef<ChannelConstant> constants,
                             int64_t channels) {
    SmallVector<double> result(channels, 0);
    for (const ChannelConstant &constant : constants) {
      const std::vector<double> &values = weights[constant.operand];
      constant.forEach([&](int64_t element, int64_t channel) {
        result[channel] = std::max(result[channel], std::abs(values[element]));
      });
    }
    return result;
  }

  void multiply(ArrayRef<ChannelConstant> constants, ArrayRef<double> by) {
    for (const ChannelConstant &constant : constants) {
      std::vector<double> &values = weights[constant.operand];
      constant.forEach([&](int64_t element, int64_t channel) {
        values[element] *= by[channel];
      });
    }
  }

  /// The largest relative change of a factor.
  double visit(const ChannelGroup &group, SmallVector<double> &total) {
    SmallVector<double> made = ranges(group.makers, group.channels);
    SmallVector<double> read = ranges(group.readers, group.channels);
    SmallVector<double> step(group.channels, 1), inverse(group.channels, 1);
    double change = 0;
    for (int64_t c = 0; c < group.channels; ++c) {
      // A channel that nobody makes or reads, or that is no number.
      double wanted = std::sqrt(read[c] / made[c]) * total[c];
      if (!(made[c] > 0) || !(read[c] > 0) || !std::isfinite(wanted))
        continue;
      wanted = std::clamp(wanted, kLeast, 1 / kLeast);
      step[c] = wanted / total[c];
      inverse[c] = 1 / step[c];
      total[c] = wanted;
      change = std::max(change, std::abs(std::log(step[c])));
    }
    multiply(group.makers, step);
    multiply(group.readers, inverse);
    return change;
  }

  /// Beyond it a channel would leave the range of f32 on one side.
  static constexpr double kLeast = 0x1p-16;

  std::vector<ChannelGroup> groups;
  std::vector<SmallVector<double>> factors;
  llvm::MapVector<OpOperand *, std::vector<double>> weights;
};

struct EqualizeCrossLayerPass
    : impl::EqualizeCrossLayerPassBase<EqualizeCrossLayerPass> {
  using EqualizeCrossLayerPassBase::EqualizeCrossLayerPassBase;

  void runOnOperation() override {
    std::vector<ChannelGroup> groups;
    llvm::DenseSet<Value> grouped;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (op->getNumResults() != 1 || grouped.contains(op->getResult(0)))
        return;
      std::optional<ChannelGroup> group = groupBehind(op);
      if (!group)
        return;
      for (const auto &[value, channels] : group->values)
        grouped.insert(value);
      groups.push_back(std::move(*group));
    });
    if (groups.empty())
      return;
    numGroups += groups.size();
    Equalizer equalizer(std::move(groups));
    numSweeps += equalizer.run(maxSweeps, /*tolerance=*/1e-4);
    equalizer.apply();
  }
};

} // namespace
} // namespace qdialect

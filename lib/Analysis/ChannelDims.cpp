// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numbering of channels (ChannelDims.h).

#include "QDialect/Analysis/ChannelDims.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect {

int64_t ChannelDims::count() const {
  int64_t product = 1;
  for (int64_t size : sizes)
    product *= size;
  return product;
}

std::optional<SmallVector<int64_t>>
ChannelDims::offsets(ArrayRef<int64_t> positions,
                     ArrayRef<int64_t> shape) const {
  // How far one step along each channel dimension goes in the tensor.
  SmallVector<int64_t> steps(dims.size(), 0);
  int64_t stride = 1;
  for (int64_t i = static_cast<int64_t>(positions.size()) - 1; i >= 0; --i) {
    const auto *it = llvm::find(dims, positions[i]);
    if (it != dims.end())
      steps[it - dims.begin()] = shape[i] == 1 ? 0 : stride;
    else if (shape[i] != 1)
      return std::nullopt;
    stride *= shape[i];
  }
  SmallVector<int64_t> result;
  for (int64_t channel = 0, e = count(); channel < e; ++channel) {
    int64_t rest = channel, offset = 0;
    for (int64_t d = static_cast<int64_t>(dims.size()) - 1; d >= 0; --d) {
      offset += rest % sizes[d] * steps[d];
      rest /= sizes[d];
    }
    result.push_back(offset);
  }
  return result;
}

std::optional<ChannelDims> getOutputChannels(const ContractionStructure &s) {
  ChannelDims channels;
  for (unsigned loop : channelLoops(s)) {
    if (ShapedType::isDynamic(s.loopSizes[loop]))
      return std::nullopt;
    channels.dims.push_back(*s.outputDim(loop));
    channels.sizes.push_back(s.loopSizes[loop]);
  }
  return channels;
}

/// Channels in dimensions that a reshape splits by `groups` into `to`.
static ChannelDims split(const ChannelDims &channels,
                         ArrayRef<ReassociationIndices> groups,
                         RankedTensorType to) {
  ChannelDims result;
  for (int64_t dim : channels.dims)
    for (int64_t member : groups[dim]) {
      result.dims.push_back(member);
      result.sizes.push_back(to.getDimSize(member));
    }
  return result;
}

/// Channels in dimensions that a reshape joins by `groups`, from `from` to
/// `to`: those of a group all, but for dimensions of size one, and in order.
static std::optional<ChannelDims> join(const ChannelDims &channels,
                                       ArrayRef<ReassociationIndices> groups,
                                       RankedTensorType from,
                                       RankedTensorType to) {
  if (!llvm::is_sorted(channels.dims))
    return std::nullopt;
  ChannelDims result;
  for (auto [dim, group] : llvm::enumerate(groups)) {
    bool some = false, all = true;
    for (int64_t member : group) {
      bool carries = llvm::is_contained(channels.dims, member);
      some |= carries;
      all &= carries || from.getDimSize(member) == 1;
    }
    if (some && !all)
      return std::nullopt;
    if (!some)
      continue;
    result.dims.push_back(dim);
    result.sizes.push_back(to.getDimSize(dim));
  }
  return result;
}

std::optional<ChannelDims> followReshape(const ChannelDims &channels,
                                         Operation *reshape) {
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(reshape)) {
    ChannelDims result = split(channels, expand.getReassociationIndices(),
                               expand.getResultType());
    if (llvm::any_of(result.sizes, ShapedType::isDynamic))
      return std::nullopt;
    return result;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(reshape))
    return join(channels, collapse.getReassociationIndices(),
                collapse.getSrcType(), collapse.getResultType());
  return std::nullopt;
}

std::optional<ChannelDims> followReshapeBack(const ChannelDims &channels,
                                             Operation *reshape) {
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(reshape)) {
    ChannelDims result = split(channels, collapse.getReassociationIndices(),
                               collapse.getSrcType());
    if (llvm::any_of(result.sizes, ShapedType::isDynamic))
      return std::nullopt;
    return result;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(reshape))
    return join(channels, expand.getReassociationIndices(),
                expand.getResultType(), expand.getSrcType());
  return std::nullopt;
}

} // namespace qdialect

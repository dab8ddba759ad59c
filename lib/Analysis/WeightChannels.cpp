// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numbers of a contraction's output channels.

#include "QDialect/Analysis/WeightChannels.h"

using namespace mlir;

namespace qdialect {

SmallVector<unsigned> channelLoops(const ContractionStructure &s) {
  SmallVector<unsigned> loops(s.depth.begin(), s.depth.end());
  llvm::append_range(loops, s.outputChannel);
  llvm::sort(loops, [&](unsigned a, unsigned b) {
    return *s.outputDim(a) < *s.outputDim(b);
  });
  return loops;
}

SmallVector<int64_t> weightChannelStrides(const ContractionStructure &s) {
  SmallVector<int64_t> strides(s.weightMap.getNumResults(), 0);
  int64_t stride = 1;
  SmallVector<unsigned> loops = channelLoops(s);
  for (unsigned loop : llvm::reverse(loops)) {
    // A depth loop of an activation by activation matmul may miss the weight.
    if (std::optional<unsigned> dim = s.weightDim(loop))
      strides[*dim] = stride;
    stride *= s.loopSizes[loop];
  }
#if QDIALECT_MUTATE == 25
  // The scale of the wrong axis: reduced dimensions number the channels.
  std::reverse(strides.begin(), strides.end());
#endif
  return strides;
}

void forEachWeight(ArrayRef<int64_t> shape, ArrayRef<int64_t> channelStrides,
                   llvm::function_ref<void(int64_t, int64_t)> visit) {
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  SmallVector<int64_t> index(shape.size(), 0);
  int64_t channel = 0;
  for (int64_t element = 0; element < elements; ++element) {
    visit(element, channel);
    for (int64_t d = static_cast<int64_t>(shape.size()) - 1; d >= 0; --d) {
      channel += channelStrides[d];
      if (++index[d] < shape[d])
        break;
      channel -= channelStrides[d] * shape[d];
      index[d] = 0;
    }
  }
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights with scales by blocks lie in panels of 64 channels, and so do the
// numbers that they have for each block and channel: [panel][block][64].

#ifndef QDIALECT_LIB_CODEGEN_CPU_BLOCKPANELS_H
#define QDIALECT_LIB_CODEGEN_CPU_BLOCKPANELS_H

#include "QDialect/Analysis/BlockWeights.h"
#include "QDialect/Analysis/DecodedActivations.h"
#include "QDialect/CodeGen/CPU/KernelPlan.h"
#include <cstring>

namespace qdialect::cpu {

constexpr int64_t kPanel = 64;

/// Where the rows of activations are.
struct BlockRows {
  unsigned input = 0;
  int64_t offset = 0, count = 1, stride = 0; ///< in elements
  /// What they are decoded from; none: they are f32.
  std::optional<DecodedActivations> decoded;
};

/// A product of such activations with blocked weights.
struct BlockProduct {
  BlockWeights weights;
  BlockRows rows;
};

/// `root` as such a product that starts from zero, of static sizes: rows of one
/// stride, contiguous along the reduction, one after the other in the output
/// too.
std::optional<BlockProduct> readBlockProduct(mlir::Operation *root);

/// The constant of `read(block, channel)`, 0 for channels that a panel lacks.
template <typename Number, typename Read>
ConstantBlob panelParameter(const BlockWeights &w, Read read) {
  int64_t blocks = w.numBlocks(), channels = w.channels;
  ConstantBlob blob;
  blob.size = (channels + kPanel - 1) / kPanel * blocks * kPanel *
              static_cast<int64_t>(sizeof(Number));
  blob.fill = [=](mlir::MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    for (int64_t b = 0; b < blocks; ++b)
      for (int64_t n = 0; n < channels; ++n) {
        auto number = static_cast<Number>(read(b, n));
        int64_t place = (n / kPanel * blocks + b) * kPanel + n % kPanel;
        std::memcpy(out.data() + place * sizeof(Number), &number,
                    sizeof(Number));
      }
  };
  return blob;
}

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_BLOCKPANELS_H

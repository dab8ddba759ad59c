// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random QDQ programs of one quantized op: codes in, codes out, as MLIR text.
// Small shapes, every parameter that has ever been got wrong: zero points at
// and beside the ends, pads, strides, dilations, groups, per-channel scales
// with and without weight zero points, biases as floats and as i32 codes, relu
// and clip.

#ifndef QDIALECT_UNITTESTS_TRANSFORMS_RANDOMISLAND_H
#define QDIALECT_UNITTESTS_TRANSFORMS_RANDOMISLAND_H

#include "QDialect/Support/HostTensor.h"
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace qdialect::test {

struct RandomIsland {
  std::string kind;
  /// The function's text. With `exposeReal` it also returns the float tensor
  /// that the last quantize reads.
  std::string text(bool exposeReal) const;
  std::vector<HostTensor> inputs;
  /// The grid of the result.
  float scale = 1;
  int32_t zeroPoint = 0;

private:
  friend class IslandBuilder;
  std::string arguments, body, resources, realType, codeType, real, codes;
};

/// The program of this seed, with activations of `bits` (8 or 16).
RandomIsland makeRandomIsland(uint32_t seed, unsigned bits = 8);

} // namespace qdialect::test

#endif // QDIALECT_UNITTESTS_TRANSFORMS_RANDOMISLAND_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sliding window of convolutions and pools: kernel, strides, dilations,
// pads, and the number of positions that follow.
//
//   size of the dilated kernel  e = (k - 1) * d + 1
//   positions                   o = floor((in + low + high - e) / s) + 1
//   SAME_UPPER, SAME_LOWER      o = ceil(in / s), pads what that takes; the odd
//                               one goes to the end or to the beginning
//   ceil_mode                   ceil instead of floor, but no window may start
//                               beyond the image and its low padding

#ifndef QDIALECT_LIB_TARGET_ONNX_WINDOW_H
#define QDIALECT_LIB_TARGET_ONNX_WINDOW_H

#include "Node.h"

namespace qdialect::onnx_import {

struct Window {
  Shape kernel, strides, dilations, low, high, output;
  /// Padding that ceil_mode adds behind `high`; never counted by averages.
  Shape extra;

  int64_t extent(size_t axis) const {
    return (kernel[axis] - 1) * dilations[axis] + 1;
  }
};

/// Reads strides, dilations, pads and auto_pad for a window of `kernel` over
/// spatial dimensions `image`. On error ok() of the node is false.
Window bindWindow(Node &n, llvm::ArrayRef<int64_t> image,
                  llvm::ArrayRef<int64_t> kernel, bool ceilMode = false);

/// Reads an attribute with one positive number a spatial dimension, 1 each if
/// it is absent.
Shape bindPositive(Node &n, llvm::StringRef name, size_t spatialRank);

/// Reads `pads` (low ones first); zeros if absent.
void bindPads(Node &n, size_t spatialRank, Shape &low, Shape &high);

/// Kernel sizes, strides, pads: larger numbers are nonsense, and bounding them
/// keeps every product of two inside 64 bits.
constexpr int64_t maxWindowNumber = int64_t(1) << 31;

/// `tensor` (N, C, spatial...) padded with `number` as the window wants.
Tensor padSpatial(GraphBuilder &b, const Tensor &tensor, const Window &window,
                  double number);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_WINDOW_H

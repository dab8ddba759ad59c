// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How Resize finds what an output position is made of.

#ifndef QDIALECT_LIB_TARGET_ONNX_RESIZE_H
#define QDIALECT_LIB_TARGET_ONNX_RESIZE_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

struct ResizeMethod {
  std::string mode, coordinates, nearest;
  double cubicA = -0.75, extrapolation = 0;
  bool excludeOutside = false, antialias = false;
};

struct ResizeAxis {
  int64_t input = 1, output = 1;
  double scale = 1; ///< 0: the quotient of symbolic sizes, or computed
  std::optional<Tensor> computedScale; ///< by the program: f32 of rank 0
  double start = 0, end = 1;
};

/// Why an axis cannot be resized without tables; empty if it can.
std::string whyNotSymbolic(const ResizeAxis &axis, const ResizeMethod &method);

/// Resizes one axis whose input or output has a symbolic length or is too long
/// for tables: positions and
/// weights are computed when the model runs, by the formulas that are evaluated
/// at import for numbers, in f64.
Tensor resizeSymbolicAxis(GraphBuilder &b, const Tensor &x, int64_t axis,
                          const ResizeAxis &request,
                          const ResizeMethod &method);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_RESIZE_H

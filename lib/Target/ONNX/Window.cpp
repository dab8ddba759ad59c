// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of window attributes.

#include "Window.h"

using namespace mlir;

namespace qdialect::onnx_import {

Shape bindPositive(Node &n, StringRef name, size_t spatialRank) {
  Shape numbers = n.getInts(name).value_or(Shape(spatialRank, 1));
  if (n.ok() && numbers.size() != spatialRank)
    n.emitError() << "attribute '" << name << "' has " << numbers.size()
                  << " numbers, but there are " << spatialRank
                  << " spatial dimensions";
  n.requireRange(name, numbers, 1, maxWindowNumber);
  return n.ok() ? numbers : Shape(spatialRank, 1);
}

void bindPads(Node &n, size_t spatialRank, Shape &low, Shape &high) {
  low.assign(spatialRank, 0);
  high.assign(spatialRank, 0);
  std::optional<Shape> pads = n.getInts("pads");
  if (!pads || !n.ok())
    return;
  if (pads->size() != 2 * spatialRank) {
    n.emitError() << "attribute 'pads' has " << pads->size()
                  << " numbers, but there are " << spatialRank
                  << " spatial dimensions";
    return;
  }
  if (!n.requireRange("pads", *pads, 0, maxWindowNumber))
    return;
  low.assign(pads->begin(), pads->begin() + spatialRank);
  high.assign(pads->begin() + spatialRank, pads->end());
#if QDIALECT_MUTATE == 12 // asymmetric pads on the wrong side
  std::swap(low, high);
#endif
}

/// The same formulas on a symbolic size. That the window fits is up to the
/// bounds: no positions where it does not.
static void bindSymbolicAxis(SymbolicSizes &sizes, Window &w, size_t axis,
                             int64_t in, StringRef autoPad, bool ceilMode) {
  int64_t stride = w.strides[axis], extent = w.extent(axis);
  if (autoPad.starts_with("SAME")) {
    int64_t positions = sizes.ceilDiv(in, stride);
    int64_t covered =
        sizes.add(sizes.mul(sizes.sub(positions, 1), stride), extent);
    int64_t total = sizes.max(sizes.sub(covered, in), 0);
    int64_t half = sizes.floorDiv(total, 2);
    w.low[axis] = autoPad == "SAME_UPPER" ? half : sizes.sub(total, half);
    w.high[axis] = sizes.sub(total, w.low[axis]);
  }
  int64_t withLow = sizes.add(in, w.low[axis]);
  int64_t padded = sizes.add(withLow, w.high[axis]);
  int64_t span = sizes.max(sizes.sub(padded, extent), -1);
  int64_t steps =
      ceilMode ? sizes.ceilDiv(span, stride) : sizes.floorDiv(span, stride);
  // No window starts behind the image and its low padding.
  if (ceilMode)
    steps = sizes.min(steps, sizes.floorDiv(sizes.sub(withLow, 1), stride));
  w.output[axis] = sizes.max(sizes.add(steps, 1), 0);
  int64_t end = sizes.add(sizes.mul(steps, stride), extent);
  w.extra[axis] = ceilMode ? sizes.max(sizes.sub(end, padded), 0) : 0;
}

Window bindWindow(Node &n, ArrayRef<int64_t> image, ArrayRef<int64_t> kernel,
                  bool ceilMode) {
  size_t rank = image.size();
  Window w;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = bindPositive(n, "strides", rank);
  w.dilations = bindPositive(n, "dilations", rank);
  bindPads(n, rank, w.low, w.high);
  w.extra.assign(rank, 0);
  w.output.assign(rank, 0);
  std::string autoPad = n.getString("auto_pad", "NOTSET");
  if (!n.ok())
    return w;
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!same && autoPad != "NOTSET" && autoPad != "VALID") {
    n.emitError() << "attribute 'auto_pad' is '" << autoPad
                  << "', but must be NOTSET, VALID, SAME_UPPER or SAME_LOWER";
    return w;
  }
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t in = image[axis], stride = w.strides[axis], extent = w.extent(axis);
    if (autoPad != "NOTSET")
      w.low[axis] = w.high[axis] = 0;
    if (SymbolicSizes::isSymbolic(in)) {
      bindSymbolicAxis(n.b.sizes, w, axis, in, autoPad, ceilMode);
      continue;
    }
    if (same) {
      int64_t positions = (in + stride - 1) / stride;
      int64_t total =
          std::max<int64_t>((positions - 1) * stride + extent - in, 0);
      w.low[axis] = autoPad == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.high[axis] = total - w.low[axis];
    }
    int64_t padded = in + w.low[axis] + w.high[axis];
    if (padded < extent) {
      n.emitError() << "window of size " << extent
                    << " does not fit into the padded size " << padded
                    << " of spatial dimension " << axis;
      return w;
    }
    int64_t steps = (padded - extent + (ceilMode ? stride - 1 : 0)) / stride;
    if (ceilMode && steps * stride >= in + w.low[axis])
      --steps;
    w.output[axis] = steps + 1;
    w.extra[axis] = std::max<int64_t>(steps * stride + extent - padded, 0);
  }
  return w;
}

Tensor padSpatial(GraphBuilder &b, const Tensor &tensor, const Window &window,
                  double number) {
  Shape low(2, 0), high(2, 0);
  low.append(window.low);
  for (size_t axis = 0; axis < window.high.size(); ++axis)
    high.push_back(b.sizes.add(window.high[axis], window.extra[axis]));
  return b.pad(tensor, low, high, number);
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pad. Constants pad with tensor.pad; reflect, edge and wrap select rows of the
// data itself, one axis after the other. Negative pads cut away.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

constexpr int64_t maxPad = int64_t(1) << 31;
/// Rows that a non-constant mode may add on one axis: each is a slice.
constexpr int64_t maxSelectedRows = 512;

/// Where row `place` (outside [0, size) in the padding) comes from.
int64_t sourceRow(int64_t place, int64_t size, StringRef mode) {
  if (mode == "edge")
    return std::clamp<int64_t>(place, 0, size - 1);
  int64_t period = mode == "wrap" ? size : std::max<int64_t>(2 * (size - 1), 1);
  int64_t phase = ((place % period) + period) % period;
  return mode == "wrap" || phase < size ? phase : period - phase;
}

LogicalResult selectRows(Node &n, Tensor &x, int64_t axis, int64_t low,
                         int64_t high, StringRef mode) {
  int64_t size = x.dim(axis);
  if (std::max(low, int64_t(0)) + std::max(high, int64_t(0)) > maxSelectedRows)
    return n.emitError() << "mode '" << mode << "' with pads " << low << " and "
                         << high << " is not supported: at most "
                         << maxSelectedRows << " rows an axis";
  if (size == 0)
    return n.emitError() << "mode '" << mode << "' on axis " << axis
                         << " without elements";
  // Only the padding is listed row by row; the data itself is one part.
  Shape before, after;
  for (int64_t i = -low; i < 0; ++i)
    before.push_back(sourceRow(i, size, mode));
  for (int64_t i = size; i < size + high; ++i)
    after.push_back(sourceRow(i, size, mode));
  SmallVector<Tensor> parts;
  if (!before.empty())
    parts.push_back(n.b.select(x, axis, before));
  int64_t start = std::max<int64_t>(-low, 0);
  int64_t kept = size - start - std::max<int64_t>(-high, 0);
  parts.push_back(n.b.sliceAxis(x, axis, start, kept));
  if (!after.empty())
    parts.push_back(n.b.select(x, axis, after));
  x = n.b.concat(parts, axis);
  return success();
}

/// The rows that pad one side: `rows` of the slice of `count` rows at `start`.
struct PaddingRows {
  int64_t start, count;
  Shape rows;
};

PaddingRows paddingRows(SymbolicSizes &sizes, int64_t size, int64_t pad,
                        bool isLow, StringRef mode) {
  if (mode == "edge")
    return {isLow ? 0 : sizes.sub(size, 1), 1, Shape(pad, 0)};
  Shape rows = llvm::to_vector(llvm::seq(pad));
  if (mode == "wrap")
    return {isLow ? sizes.sub(size, pad) : 0, pad, rows};
  std::reverse(rows.begin(), rows.end());
  return {isLow ? 1 : sizes.sub(size, pad + 1), pad, rows};
}

/// The same for a symbolic size, which must be large enough for no row to be
/// taken twice.
LogicalResult selectSymbolicRows(Node &n, Tensor &x, int64_t axis, int64_t low,
                                 int64_t high, StringRef mode) {
  SymbolicSizes &sizes = n.b.sizes;
  int64_t size = x.dim(axis), most = std::max(low, high);
  int64_t least = mode == "edge" ? 1 : mode == "wrap" ? most : most + 1;
  if (most > 0 && sizes.bounds(size).low < least)
    return n.emitError() << "mode '" << mode << "' with pads " << low << " and "
                         << high << " needs at least " << least
                         << " rows, but the size " << sizes.print(size)
                         << " of axis " << axis << " can be "
                         << sizes.bounds(size).low
                         << "; --dim name=low..high bounds it";
  if (most > maxSelectedRows)
    return n.emitError() << "mode '" << mode << "' with pads " << low << " and "
                         << high << " is not supported: at most "
                         << maxSelectedRows << " rows on a side";
  SmallVector<Tensor> parts;
  auto addSide = [&](int64_t pad, bool isLow) {
    if (pad <= 0)
      return;
    PaddingRows side = paddingRows(sizes, size, pad, isLow, mode);
    Tensor near = n.b.sliceAxis(x, axis, side.start, side.count);
    parts.push_back(n.b.select(near, axis, side.rows));
  };
  addSide(low, /*isLow=*/true);
  int64_t start = std::max<int64_t>(-low, 0);
  int64_t cut = start + std::max<int64_t>(-high, 0);
  parts.push_back(n.b.sliceAxis(x, axis, start, sizes.sub(size, cut)));
  addSide(high, /*isLow=*/false);
  x = n.b.concat(parts, axis);
  return success();
}

Tensor padConstant(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> low,
                   ArrayRef<int64_t> high, double number) {
  Shape offsets, sizes, padLow, padHigh;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    offsets.push_back(std::max<int64_t>(-low[axis], 0));
    sizes.push_back(b.sizes.sub(
        x.dim(axis), offsets.back() + std::max<int64_t>(-high[axis], 0)));
    padLow.push_back(std::max<int64_t>(low[axis], 0));
    padHigh.push_back(std::max<int64_t>(high[axis], 0));
  }
  Tensor cut = b.slice(x, offsets, sizes, Shape(x.rank(), 1));
  return b.pad(cut, padLow, padHigh, number);
}

LogicalResult importPad(Node &n) {
  Tensor x = n.input(0, "data");
  std::string mode = n.getString("mode", "constant");
  Shape pads, axes;
  double number = 0;
  if (n.opset() < 11) {
    pads = n.getInts("pads").value_or(Shape());
    number = n.getFloat("value", 0);
  } else {
    pads = n.constantIntegers(1, "pads");
    if (n.hasInput(2) && mode == "constant")
      number = n.constantNumber(2, "constant_value");
  }
  for (int64_t axis = 0; axis < x.rank(); ++axis)
    axes.push_back(axis);
  if (n.opset() >= 18 && n.hasInput(3))
    axes = n.axes(n.constantIntegers(3, "axes"), x.rank());
  n.requireRange("pads", pads, -maxPad, maxPad);
  if (!n.ok())
    return failure();
  if (pads.size() != 2 * axes.size())
    return n.emitError() << "pads has " << pads.size() << " numbers for "
                         << axes.size() << " axes";
  Shape low(x.rank(), 0), high(x.rank(), 0);
  for (auto [index, axis] : llvm::enumerate(axes)) {
    low[axis] = pads[index];
    high[axis] = pads[index + axes.size()];
    int64_t kept =
        n.b.sizes.add(x.dim(axis), std::min<int64_t>(low[axis], 0) +
                                       std::min<int64_t>(high[axis], 0));
    if (n.b.sizes.bounds(kept).low < 0)
      return n.emitError() << "pads " << low[axis] << " and " << high[axis]
                           << " cut more than the size "
                           << n.b.sizes.print(x.dim(axis)) << " of axis "
                           << axis;
  }
  if (mode == "constant") {
    Type type = x.elementType();
    if (!isFloat(type) && !isSignlessInteger(type))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    return n.result(padConstant(n.b, x, low, high, number));
  }
  if (mode != "reflect" && mode != "edge" && mode != "wrap")
    return n.emitError() << "mode '" << mode
                         << "' is not supported; supported are constant, "
                            "reflect, edge and wrap";
  for (int64_t axis : axes) {
    if (SymbolicSizes::isSymbolic(x.dim(axis))) {
      if ((low[axis] || high[axis]) &&
          failed(selectSymbolicRows(n, x, axis, low[axis], high[axis], mode)))
        return failure();
      continue;
    }
    if (mode == "reflect" &&
        std::max(low[axis], high[axis]) >= std::max<int64_t>(x.dim(axis), 1))
      return n.emitError() << "reflected pads " << low[axis] << " and "
                           << high[axis] << " must be smaller than the size "
                           << x.dim(axis) << " of axis " << axis;
    if ((low[axis] != 0 || high[axis] != 0) &&
        failed(selectRows(n, x, axis, low[axis], high[axis], mode)))
      return failure();
  }
  return n.result(x);
}

} // namespace

void registerPaddingOps(OpRegistry &r) {
  r.onOp("Pad", 2, importPad,
         "constant pads; modes constant, reflect, edge, wrap")
      .symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Slice, Split and Concat, with constant bounds.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// More slices than this for one node is not a model but an attack.
constexpr int64_t maxRuns = 512;

/// The same where a bound or the size is symbolic.
LogicalResult sliceSymbolic(Node &n, Tensor &x, int64_t axis, int64_t start,
                            int64_t end, int64_t step) {
  SymbolicSizes &sizes = n.b.sizes;
  if (SymbolicSizes::isSymbolic(step) || step < 1)
    return n.emitError() << "a slice of a symbolic size with step "
                         << sizes.print(step) << " is not supported";
  int64_t size = x.dim(axis);
  // Clamped to [0, size]; a position counts from the end if it is negative,
  // which its bounds must tell.
  auto bound = [&](int64_t position) -> std::optional<int64_t> {
    if (!SymbolicSizes::isSymbolic(position)) {
      if (position >= SymbolicSizes::kUnbounded)
        return size;
      if (position <= -SymbolicSizes::kUnbounded)
        return 0;
    }
    SymbolicSizes::Bounds range = sizes.bounds(position);
    if (range.low < 0 && range.high >= 0)
      return std::nullopt;
    if (range.high < 0)
      position = sizes.add(position, size);
    return sizes.max(0, sizes.min(position, size));
  };
  std::optional<int64_t> first = bound(start), last = bound(end);
  if (!first || !last)
    return n.emitError() << "the slice from " << sizes.print(start) << " to "
                         << sizes.print(end)
                         << " may count from the beginning or from the end";
  int64_t span = sizes.max(sizes.sub(*last, *first), 0);
  x = n.b.sliceAxis(x, axis, *first, sizes.ceilDiv(span, step), step);
  return success();
}

/// One axis cut to start, start + step, ... before `end`, as Python does.
LogicalResult sliceOne(Node &n, Tensor &x, int64_t axis, int64_t start,
                       int64_t end, int64_t step) {
  int64_t size = x.dim(axis);
  if (SymbolicSizes::anySymbolic({size, start, end, step}))
    return sliceSymbolic(n, x, axis, start, end, step);
  // Exporters write INT64_MAX and INT64_MIN for "to the end".
  auto bound = [&](int64_t position, int64_t low, int64_t high) {
    if (position < 0)
      position = position < -size ? low : position + size;
    return std::clamp(position, low, high);
  };
  if (step > 0) {
    start = bound(start, 0, size);
    end = bound(end, 0, size);
    int64_t span = std::max<int64_t>(end - start, 0);
    int64_t count = span == 0 ? 0 : (span - 1) / step + 1;
    x = n.b.sliceAxis(x, axis, count == 0 ? 0 : start, count,
                      count > 1 ? step : 1);
    return success();
  }
  // Unlike Python: a start before the first element is the first element.
  start = size == 0 ? -1 : bound(start, 0, size - 1);
  end = size == 0 ? -1 : bound(end, -1, size - 1);
  Shape indices;
  // Every descending element is a slice of its own, unless folded.
  int64_t span = std::max<int64_t>(start - end, 0);
  uint64_t stride = -static_cast<uint64_t>(step);
  uint64_t count =
      span == 0 ? 0 : (static_cast<uint64_t>(span) - 1) / stride + 1;
  if (count > static_cast<uint64_t>(maxRuns))
    return n.emitError() << "a slice with step " << step << " of " << count
                         << " elements is not supported";
  for (uint64_t i = 0; i < count; ++i)
    indices.push_back(start - static_cast<int64_t>(i * stride));
  x = n.b.select(x, axis, indices);
  return success();
}

LogicalResult importSlice(Node &n) {
  Tensor x = n.input(0, "data");
  Shape starts, ends, axes, steps;
  if (n.opset() < 10) {
    starts = n.getInts("starts").value_or(Shape());
    ends = n.getInts("ends").value_or(Shape());
    if (auto listed = n.getInts("axes"))
      axes = *listed;
  } else {
    starts = n.constantIntegers(1, "starts");
    ends = n.constantIntegers(2, "ends");
    if (n.hasInput(3))
      axes = n.constantIntegers(3, "axes");
    if (n.hasInput(4))
      steps = n.constantIntegers(4, "steps");
  }
  if (!n.ok())
    return failure();
  if (axes.empty())
    for (size_t axis = 0; axis < starts.size(); ++axis)
      axes.push_back(static_cast<int64_t>(axis));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return n.emitError() << "starts, ends, axes and steps have "
                         << starts.size() << ", " << ends.size() << ", "
                         << axes.size() << " and " << steps.size()
                         << " numbers";
  axes = n.axes(axes, x.rank());
  if (!n.ok())
    return failure();
  for (size_t i = 0; i < axes.size(); ++i) {
    if (steps[i] == 0)
      return n.emitError() << "steps must not be 0";
    if (failed(sliceOne(n, x, axes[i], starts[i], ends[i], steps[i])))
      return failure();
  }
  return n.result(x);
}

/// Sizes as attribute before opset 13, as input since; equal parts without.
LogicalResult importSplit(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t axis = n.axis(n.getInt("axis", 0), x.rank());
  std::optional<Shape> sizes;
  if (n.opset() < 13)
    sizes = n.getInts("split");
  else if (n.hasInput(1))
    sizes = n.constantIntegers(1, "split");
  int64_t parts = static_cast<int64_t>(n.numOutputs());
  if (n.opset() >= 18 && n.getInt("num_outputs", parts) != parts && n.ok())
    return n.emitError() << "attribute 'num_outputs' is "
                         << n.getInt("num_outputs", parts) << ", but there are "
                         << parts << " outputs";
  if (!n.ok() || parts == 0)
    return failure();
  int64_t size = x.dim(axis);
  if (!sizes) {
    if (SymbolicSizes::isSymbolic(size)) {
      std::optional<int64_t> part = n.b.sizes.divide(size, parts);
      if (!part)
        return n.emitError()
               << "size " << n.b.sizes.print(size) << " of axis " << axis
               << " is not divisible into " << parts << " parts";
      sizes.emplace(parts, *part);
    }
  }
  if (!sizes) {
    // The last part is smaller if the size is not divisible (opset 18).
    int64_t each = (size + parts - 1) / parts;
    if (n.opset() < 18 && size % parts != 0)
      return n.emitError() << "size " << size << " of axis " << axis
                           << " is not divisible into " << parts << " parts";
    sizes.emplace();
    for (int64_t i = 0; i < parts; ++i)
      sizes->push_back(std::clamp<int64_t>(size - i * each, 0, each));
  }
  if (!SymbolicSizes::isSymbolic(size) && !SymbolicSizes::anySymbolic(*sizes) &&
      !n.requireRange("split", *sizes, 0, size))
    return failure();
  int64_t total = 0;
  for (int64_t part : *sizes)
    total = n.b.sizes.add(total, part);
  if (static_cast<int64_t>(sizes->size()) != parts || total != size)
    return n.emitError() << "split [" << ArrayRef<int64_t>(*sizes) << "] into "
                         << parts << " outputs does not match size " << size
                         << " of axis " << axis;
  int64_t offset = 0;
  for (auto [index, part] : llvm::enumerate(*sizes)) {
    if (failed(n.result(index, n.b.sliceAxis(x, axis, offset, part))))
      return failure();
    offset = n.b.sizes.add(offset, part);
  }
  return success();
}

LogicalResult importConcat(Node &n) {
  SmallVector<Tensor> parts;
  for (size_t i = 0; i < std::max<size_t>(n.numInputs(), 1); ++i)
    parts.push_back(n.input(i, "inputs"));
  if (!n.ok())
    return failure();
  const Tensor &first = parts.front();
  int64_t axis = n.axis(n.getInt("axis", n.opset() < 4 ? 1 : 0), first.rank());
  for (const Tensor &part : parts) {
    n.requireSameType(first, part);
    if (!n.ok())
      return failure();
    bool fits = part.rank() == first.rank();
    for (int64_t i = 0; fits && i < first.rank(); ++i)
      fits = i == axis || part.dim(i) == first.dim(i);
    if (!fits)
      return n.emitError() << "cannot concatenate " << describeType(first.type)
                           << " and " << describeType(part.type)
                           << " along axis " << axis;
  }
  return n.result(n.b.concat(parts, axis));
}

} // namespace

void registerSliceOps(OpRegistry &r) {
  r.onOp("Slice", 1, importSlice,
         "constant bounds; negative steps up to 512 elements")
      .symbolic();
  r.onOp("Split", 2, importSplit, "constant sizes").symbolic();
  r.onOp("Concat", 4, importConcat).symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Slice, Split and Concat. Bounds that the program computes become the number
// of elements, a size that depends on data; where the first element or the step
// are not known either, the result reads its elements at computed places.

#include "ComputedNumbers.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "RunTimeShapes.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// More slices than this for one node is not a model but an attack.
constexpr int64_t maxRuns = 512;

/// What is cut out of one axis.
struct Cut {
  Number start, end, step;
  bool isKnown() const {
    return start.isKnown() && end.isKnown() && step.isKnown();
  }
};

/// A bound as a position in [0, size]; it counts from the end if it is
/// negative, which its range must tell.
std::optional<int64_t> positionOf(SymbolicSizes &sizes, const Number &bound,
                                  int64_t size) {
  if (!bound.isKnown())
    return std::nullopt;
  int64_t position = bound.known;
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
}

/// The first element, in [0, size), and the number of elements, as Slice counts
/// them.
Value firstOf(const Scalars &s, Value start, Value step, Value size) {
  Value zero = s.i64(0);
  Value last = s.select(s.lt(step, zero), s.sub(size, s.i64(1)), size);
  start = s.select(s.lt(start, zero), s.add(start, size), start);
  return s.max(s.min(start, last), zero);
}

Value countOf(const Scalars &s, Value start, Value end, Value step,
              Value size) {
  Value zero = s.i64(0), one = s.i64(1), isForward = s.lt(zero, step);
  Value least = s.select(isForward, zero, s.i64(-1));
  Value most = s.select(isForward, size, s.sub(size, one));
  end = s.select(s.lt(end, zero), s.add(end, size), end);
  end = s.max(s.min(end, most), least);
  Value first = firstOf(s, start, step, size);
  Value span = s.select(isForward, s.sub(end, first), s.sub(first, end));
  Value stride = s.abs(s.max(step, s.i64(-SymbolicSizes::kUnbounded)));
  // A step as long as the axis takes one element.
  stride = s.min(stride, s.i64(SymbolicSizes::kUnbounded));
  Value rounded = s.add(s.max(span, zero), s.sub(stride, one));
  return s.divTotal(rounded, stride);
}

/// A cut that only the run knows.
LogicalResult sliceComputed(Node &n, Tensor &x, int64_t axis, const Cut &cut) {
  GraphBuilder &b = n.b;
  int64_t size = x.dim(axis);
  auto name = n.dataSizeName(0, axis);
  if (!name)
    return failure();
  if (!cut.step.isKnown())
    requireZero(n,
                combine(b, cut.step,
                        [](const Scalars &s, ArrayRef<Value> v) {
                          Value isZero = s.eq(v[0], s.i64(0));
                          return s.select(isZero, s.i64(1), s.i64(0));
                        }),
                "the number of steps that are 0");
  Number parts[] = {cut.start, cut.end, cut.step, size};
  int64_t count = b.sizeOnce(keyOf("slice", parts), [&] {
    Tensor elements =
        combine(b, parts, [](const Scalars &s, ArrayRef<Value> v) {
          return countOf(s, v[0], v[1], v[2], v[3]);
        });
    return b.dataSize(elements, *name, size);
  });
  auto first = positionOf(b.sizes, cut.start, size);
  if (first && cut.step.isKnown() &&
      !SymbolicSizes::isSymbolic(cut.step.known) && cut.step.known > 0) {
    x = b.sliceAxis(x, axis, *first, count, cut.step.known);
    return success();
  }
  Number begin(combine(b, {cut.start, cut.step, size},
                       [](const Scalars &s, ArrayRef<Value> v) {
                         return firstOf(s, v[0], v[1], v[2]);
                       }));
  Value source = b.value(x);
  Shape shape(x.shape());
  shape[axis] = count;
  x = generate(b, shape, x.elementType(), {},
               [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                 SmallVector<Value> at(places);
                 Value moved = s.mul(at[axis], numberIn(b, s, cut.step));
                 at[axis] = clampIndex(
                     b, s, s.add(numberIn(b, s, begin), moved), size);
                 return s.read(source, at);
               });
  return success();
}

/// The same where a bound or the size is symbolic.
LogicalResult sliceSymbolic(Node &n, Tensor &x, int64_t axis, const Cut &cut) {
  SymbolicSizes &sizes = n.b.sizes;
  int64_t size = x.dim(axis), step = cut.step.known;
  auto first = positionOf(sizes, cut.start, size),
       last = positionOf(sizes, cut.end, size);
  bool isForward = !SymbolicSizes::isSymbolic(step) && step > 0;
  if (!cut.isKnown() ||
      (n.b.canDependOnData() && !(isForward && first && last)))
    return sliceComputed(n, x, axis, cut);
  if (!isForward)
    return n.emitError() << "a slice of a symbolic size with step "
                         << sizes.print(step) << " is not supported";
  if (!first || !last)
    return n.emitError() << "the slice from " << sizes.print(cut.start.known)
                         << " to " << sizes.print(cut.end.known)
                         << " may count from the beginning or from the end";
  int64_t span = sizes.max(sizes.sub(*last, *first), 0);
  x = n.b.sliceAxis(x, axis, *first, sizes.ceilDiv(span, step), step);
  return success();
}

/// One axis cut to start, start + step, ... before `end`, as Python does.
LogicalResult sliceOne(Node &n, Tensor &x, int64_t axis, const Cut &cut) {
  int64_t size = x.dim(axis), start = cut.start.known, end = cut.end.known,
          step = cut.step.known;
  if (!cut.isKnown() || SymbolicSizes::anySymbolic({size, start, end, step}))
    return sliceSymbolic(n, x, axis, cut);
  if (step == 0)
    return n.emitError() << "steps must not be 0";
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

SmallVector<Number> numbersOf(ArrayRef<int64_t> list) {
  return SmallVector<Number>(list.begin(), list.end());
}

LogicalResult importSlice(Node &n) {
  Tensor x = n.input(0, "data");
  SmallVector<Number> starts, ends, axes, steps;
  bool listsAxes = false;
  if (n.opset() < 10) {
    starts = numbersOf(n.getInts("starts").value_or(Shape()));
    ends = numbersOf(n.getInts("ends").value_or(Shape()));
    if (auto listed = n.getInts("axes")) {
      axes = numbersOf(n.axes(*listed, x.rank()));
      listsAxes = !axes.empty();
    }
  } else {
    starts = numbersOperand(n, 1, "starts");
    ends = numbersOperand(n, 2, "ends");
    if (n.hasInput(3)) {
      axes = axesOperand(n, 3, x.rank());
      listsAxes = !axes.empty();
    }
    if (n.hasInput(4))
      steps = numbersOperand(n, 4, "steps");
  }
  if (!n.ok())
    return failure();
  if (!listsAxes)
    axes = numbersOf(llvm::to_vector(
        llvm::seq<int64_t>(0, static_cast<int64_t>(starts.size()))));
  if (steps.empty())
    steps.assign(starts.size(), Number(1));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return n.emitError() << "starts, ends, axes and steps have "
                         << starts.size() << ", " << ends.size() << ", "
                         << axes.size() << " and " << steps.size()
                         << " numbers";
  if (!listsAxes)
    n.axes(knownNumbers(axes), x.rank());
  if (!n.ok())
    return failure();
  // An axis that is not known is each of them.
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    Cut cut{numberOfAxis(n.b, axes, starts, axis, x.rank(), 0),
            numberOfAxis(n.b, axes, ends, axis, x.rank(), INT64_MAX),
            numberOfAxis(n.b, axes, steps, axis, x.rank(), 1)};
    bool isWhole = cut.isKnown() && cut.start.known == 0 &&
                   cut.end.known == INT64_MAX && cut.step.known == 1;
    if (!isWhole && failed(sliceOne(n, x, axis, cut)))
      return failure();
  }
  return n.result(x);
}

/// Sizes as attribute before opset 13, as input since; equal parts without.
LogicalResult importSplit(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t axis = n.axis(n.getInt("axis", 0), x.rank());
  if (!n.ok())
    return failure();
  std::optional<Shape> sizes;
  if (n.opset() < 13)
    sizes = n.getInts("split");
  else if (n.hasInput(1))
    sizes = sizesOperand(n, 1, "split", x.dim(axis));
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
  bool isChecked = n.b.sizes.isComputed(total) && n.b.canDependOnData();
  if (static_cast<int64_t>(sizes->size()) != parts ||
      (total != size && !isChecked))
    return n.emitError() << "split " << n.b.describe(*sizes) << " into "
                         << parts << " outputs does not match size "
                         << n.b.sizes.print(size) << " of axis " << axis;
  if (total != size)
    n.b.requireEqual(total, size, n.describe() + "the sum of split");
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
  Tensor first = parts.front();
  int64_t axis = n.axis(n.getInt("axis", n.opset() < 4 ? 1 : 0), first.rank());
  // Numbers before sizes that only the run knows.
  Shape shape(first.shape());
  for (const Tensor &part : parts)
    for (int64_t i = 0; i < std::min(part.rank(), first.rank()); ++i)
      if (SymbolicSizes::isSymbolic(shape[i]) &&
          !SymbolicSizes::isSymbolic(part.dim(i)))
        shape[i] = part.dim(i);
  for (auto [number, part] : llvm::enumerate(parts)) {
    n.requireSameType(first, part);
    if (!n.ok())
      return failure();
    Shape wanted(shape);
    wanted[axis] = part.rank() == first.rank() ? part.dim(axis) : 0;
    std::optional<Tensor> fits =
        withShape(n, part, wanted, ("operand " + Twine(number)).str());
    if (!fits) {
      InFlightDiagnostic diagnostic = n.emitError();
      diagnostic << "cannot concatenate";
      for (const auto &[index, listed] : llvm::enumerate(parts))
        diagnostic << (index ? ", " : " ") << n.b.describe(listed);
      return diagnostic << " along axis " << axis;
    }
    part = *fits;
  }
  return n.result(n.b.concat(parts, axis));
}

} // namespace

void registerSliceOps(OpRegistry &r) {
  r.onOp("Slice", 1, importSlice,
         "negative steps up to 512 elements where bounds are constant")
      .symbolic();
  r.onOp("Split", 2, importSplit).symbolic();
  r.onOp("Concat", 4, importConcat).symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pad. Constants pad with tensor.pad; reflect, edge and wrap select rows of the
// data itself, one axis after the other. Negative pads cut away. With pads or a
// number that the program computes every element is read at a computed place.

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
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

LogicalResult padKnown(Node &n, Tensor x, ArrayRef<int64_t> low,
                       ArrayRef<int64_t> high, StringRef mode, double number) {
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    int64_t kept =
        n.b.sizes.add(x.dim(axis), std::min<int64_t>(low[axis], 0) +
                                       std::min<int64_t>(high[axis], 0));
    if (n.b.sizes.bounds(kept).low < 0)
      return n.emitError() << "pads " << low[axis] << " and " << high[axis]
                           << " cut more than the size "
                           << n.b.sizes.print(x.dim(axis)) << " of axis "
                           << axis;
  }
  if (mode == "constant")
    return n.result(padConstant(n.b, x, low, high, number));
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
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

/// What holds however much is known.
bool checkPads(Node &n, const Tensor &x, ArrayRef<Number> pads,
               ArrayRef<Number> axes, StringRef mode, const Tensor &number) {
  Type type = x.elementType();
  if (allKnown(pads))
    n.requireRange("pads", knownNumbers(pads), -maxPad, maxPad);
  if (!n.ok())
    return false;
  if (pads.size() != 2 * axes.size())
    n.emitError() << "pads has " << pads.size() << " numbers for "
                  << axes.size() << " axes";
  else if (mode == "constant" && !isFloat(type) && !isSignlessInteger(type))
    n.emitError() << "element type of " << describeType(x.type)
                  << " is not supported";
  else if (!llvm::is_contained({"constant", "reflect", "edge", "wrap"}, mode))
    n.emitError() << "mode '" << mode
                  << "' is not supported; supported are constant, reflect, "
                     "edge and wrap";
  else if (!number.type.hasStaticShape() || number.size() != 1)
    n.emitError() << "input constant_value is " << describeType(number.type)
                  << ", but must have one element";
  return n.ok();
}

/// The place on an axis of `size` elements where mode `mode` finds element
/// `place`, before it or behind it.
Value placeIn(GraphBuilder &b, const Scalars &s, Value place, int64_t size,
              StringRef mode) {
  Value count = numberIn(b, s, Number(size));
  if (mode == "wrap" || mode == "reflect") {
    Value last = s.sub(count, s.i64(1)), period = count;
    if (mode == "reflect")
      period = s.max(s.mul(last, s.i64(2)), s.i64(1));
    place = s.remTotal(place, period);
    place = s.select(s.lt(place, s.i64(0)), s.add(place, period), place);
    if (mode == "reflect")
      place = s.select(s.lt(last, place), s.sub(period, place), place);
  }
  return clampIndex(b, s, place, size);
}

/// The pads of an axis.
struct Pads {
  Number low, high;
  bool areKnown() const { return low.isKnown() && high.isKnown(); }
};

/// Modes that copy rows need some: pads that the program computes are checked
/// when it runs.
void requireRows(Node &n, const Tensor &x, ArrayRef<Pads> pads,
                 StringRef mode) {
  SmallVector<Number> numbers;
  for (auto [axis, pad] : llvm::enumerate(pads))
    numbers.append(
        {pad.low, pad.high, Number(x.dim(static_cast<int64_t>(axis)))});
  Tensor wrong =
      combine(n.b, numbers, [&](const Scalars &s, ArrayRef<Value> v) {
        Value count = s.i64(0);
        for (; !v.empty(); v = v.drop_front(3)) {
          Value most = s.max(v[0], v[1]);
          // A reflection does not repeat the outermost row.
          Value rows = mode == "reflect" ? s.sub(v[2], s.i64(1)) : v[2];
          Value enough =
              mode == "reflect" ? s.le(most, rows) : s.lt(s.i64(0), rows);
          Value fine = s.either(s.le(most, s.i64(0)), enough);
          count = s.add(count, s.select(fine, s.i64(0), s.i64(1)));
        }
        return count;
      });
  requireZero(n, wrong,
              "the number of axes with too few rows for mode '" + mode.str() +
                  "'");
}

/// At least one element a row of an axis that may have none: what is read where
/// nothing is, and not taken, lies inside.
Tensor withoutEmptyAxes(GraphBuilder &b, const Tensor &x) {
  Shape high;
  for (int64_t size : x.shape())
    high.push_back(b.sizes.bounds(size).low < 1);
  return b.pad(x, Shape(x.rank(), 0), high, 0);
}

/// `number` has one element.
LogicalResult padComputed(Node &n, const Tensor &x, ArrayRef<Pads> pads,
                          StringRef mode, const Tensor &number) {
  GraphBuilder &b = n.b;
  Shape shape;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const Pads &pad = pads[axis];
    int64_t size = x.dim(axis);
    if (pad.areKnown()) {
      shape.push_back(
          b.sizes.add(size, b.sizes.add(pad.low.known, pad.high.known)));
      if (b.sizes.bounds(shape.back()).low < 0)
        return n.emitError() << "pads " << pad.low.known << " and "
                             << pad.high.known << " may cut more than the size "
                             << b.sizes.print(size) << " of axis " << axis;
      continue;
    }
    auto name = n.dataSizeName(0, axis);
    if (!name)
      return failure();
    Number parts[] = {pad.low, pad.high, size};
    shape.push_back(b.sizeOnce(keyOf("pad", parts), [&] {
      Tensor padded =
          combine(b, parts, [](const Scalars &s, ArrayRef<Value> v) {
            return s.add(s.add(v[0], v[2]), v[1]);
          });
      b.requireCount(padded, SymbolicSizes::kUnbounded,
                     n.describe() + "the padded size of axis " +
                         std::to_string(axis));
      return b.dataSize(padded, *name);
    }));
  }
  if (!isReasonableShape(shape))
    return n.emitError() << "shape " << b.describe(shape)
                         << " is negative or too large";
  Value source, border;
  if (mode == "constant") {
    source = b.value(withoutEmptyAxes(b, x));
    border = b.value(b.cast(b.reshape(number, {}), x.elementType()));
  } else {
    source = b.value(x);
    requireRows(n, x, pads, mode);
  }
  return n.result(generate(
      b, shape, x.elementType(), {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        SmallVector<Value> at(places);
        Value inside = s.number(s.b.getI1Type(), 1);
        for (auto [axis, pad] : llvm::enumerate(pads)) {
          int64_t size = x.dim(static_cast<int64_t>(axis));
          Value place = s.sub(at[axis], numberIn(b, s, pad.low));
          inside =
              s.both(inside, s.both(s.le(s.i64(0), place),
                                    s.lt(place, numberIn(b, s, Number(size)))));
          at[axis] = placeIn(b, s, place, size, mode);
        }
        Value element = s.read(source, at);
        return mode == "constant"
                   ? s.select(inside, element, s.read(border, {}))
                   : element;
      }));
}

LogicalResult importPad(Node &n) {
  Tensor x = n.input(0, "data");
  std::string mode = n.getString("mode", "constant");
  SmallVector<Number> pads, axes;
  Tensor number = n.b.f32({}, {0});
  if (n.opset() < 11) {
    for (int64_t pad : n.getInts("pads").value_or(Shape()))
      pads.emplace_back(pad);
    number = n.b.f32({}, {n.getFloat("value", 0)});
  } else {
    pads = numbersOperand(n, 1, "pads");
    if (n.hasInput(2) && mode == "constant")
      number = n.input(2, "constant_value");
  }
  for (int64_t axis = 0; axis < x.rank(); ++axis)
    axes.emplace_back(axis);
  if (n.opset() >= 18 && n.hasInput(3))
    axes = axesOperand(n, 3, x.rank());
  if (!n.ok() || !checkPads(n, x, pads, axes, mode, number))
    return failure();
  std::vector<Pads> asked;
  bool known = allKnown(pads) && allKnown(axes) && number.isConstant() &&
               !number.hasSymbolicElements();
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    ArrayRef<Number> all(pads);
    asked.push_back({numberOfAxis(n.b, axes, all.take_front(axes.size()), axis,
                                  x.rank(), 0),
                     numberOfAxis(n.b, axes, all.drop_front(axes.size()), axis,
                                  x.rank(), 0)});
  }
  if (!known)
    return padComputed(n, x, asked, mode, number);
  Shape low, high;
  for (const Pads &pad : asked) {
    low.push_back(pad.low.known);
    high.push_back(pad.high.known);
  }
  return padKnown(n, x, low, high, mode, number.data->asDouble(0));
}

} // namespace

void registerPaddingOps(OpRegistry &r) {
  r.onOp("Pad", 2, importPad, "modes constant, reflect, edge, wrap").symbolic();
}

} // namespace qdialect::onnx_import

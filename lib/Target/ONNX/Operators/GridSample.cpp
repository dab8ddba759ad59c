// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GridSample: one linalg.generic over the result that reads the image around
// the coordinate its grid gives, in any number of spatial dimensions.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

enum class Padding { Zeros, Border, Reflection };

struct Sampler {
  enum Mode { Nearest, Linear, Cubic } mode = Linear;
  Padding padding = Padding::Zeros;
  bool alignCorners = false;
};

/// One position along one dimension: where, how much, and whether it exists.
struct Tap {
  Value index, weight, exists;
};

/// The coordinate in pixels of a grid value in [-1, 1].
Value pixelOf(const Scalars &s, const Sampler &sampler, Value grid,
              int64_t size) {
  auto number = [&](double value) { return s.number(grid, value); };
  auto extent = static_cast<double>(size);
  Value moved = s.add(grid, number(1)), x;
  if (sampler.alignCorners)
    x = s.mul(s.div(moved, number(2)), number(extent - 1));
  else
    x = s.div(s.sub(s.mul(moved, number(extent)), number(1)), number(2));
  // What no image reaches (NaN too) becomes a pixel that does not exist.
  Value isNear = s.lt(s.abs(x), number(0x1p22));
  return s.select(isNear, x, number(-0x1p22));
}

/// A position mirrored at the borders until it is inside.
Value reflected(const Scalars &s, const Sampler &sampler, Value x,
                int64_t size) {
  auto number = [&](double value) { return s.number(x, value); };
  double low = sampler.alignCorners ? 0 : -0.5;
  double high = static_cast<double>(size) - (sampler.alignCorners ? 1 : 0.5);
  if (high <= low)
    return number(0);
  Value below = s.lt(x, number(low)), above = s.lt(number(high), x);
  Value distance =
      s.select(below, s.sub(number(low), x), s.sub(x, number(high)));
  Value range = number(high - low);
  Value turns = s.floor(s.div(distance, range));
  Value rest = s.sub(distance, s.mul(turns, range));
  Value even = s.mul(s.floor(s.mul(turns, number(0.5))), number(2));
  Value isOdd = s.ne(even, turns);
  Value fromLow = arith::XOrIOp::create(s.b, s.loc, below, isOdd);
  Value inside =
      s.select(fromLow, s.add(number(low), rest), s.sub(number(high), rest));
  return s.select(s.either(below, above), inside, x);
}

/// The tap at a whole position (a float).
Tap tapAt(const Scalars &s, const Sampler &sampler, Value position,
          Value weight, int64_t size) {
  Type i64 = s.b.getI64Type();
  Tap tap{{}, weight, {}};
  if (sampler.padding == Padding::Reflection)
    position = reflected(s, sampler, position, size);
  Value index = s.cast(position, i64);
  tap.index = s.clampIndex(index, size);
  if (sampler.padding == Padding::Zeros)
    tap.exists = s.eq(index, tap.index);
  return tap;
}

SmallVector<Tap> tapsOf(const Scalars &s, const Sampler &sampler, Value x,
                        int64_t size) {
  auto number = [&](double value) { return s.number(x, value); };
  if (sampler.mode == Sampler::Nearest) {
    Value nearest = math::RoundEvenOp::create(s.b, s.loc, x);
    return {tapAt(s, sampler, nearest, Value(), size)};
  }
  Value first = s.floor(x), t = s.sub(x, first);
  SmallVector<Tap> taps;
  auto addTap = [&](double offset, Value weight) {
    taps.push_back(
        tapAt(s, sampler, s.add(first, number(offset)), weight, size));
  };
  if (sampler.mode == Sampler::Linear) {
    addTap(0, s.sub(number(1), t));
    addTap(1, t);
    return taps;
  }
  constexpr double a = -0.75;
  auto outer = [&](Value d) { // 1 <= d < 2
    Value inner = s.sub(s.mul(number(a), d), number(5 * a));
    inner = s.add(s.mul(inner, d), number(8 * a));
    return s.sub(s.mul(inner, d), number(4 * a));
  };
  auto inner = [&](Value d) { // 0 <= d < 1
    Value line = s.sub(s.mul(number(a + 2), d), number(a + 3));
    return s.add(s.mul(s.mul(line, d), d), number(1));
  };
  Value rest = s.sub(number(1), t);
  addTap(-1, outer(s.add(t, number(1))));
  addTap(0, inner(t));
  addTap(1, inner(rest));
  addTap(2, outer(s.add(rest, number(1))));
  return taps;
}

/// The weighted sum over the taps of dimension `at.size() - 2` and all behind.
Value interpolate(const Scalars &s, Value image, Type type,
                  ArrayRef<SmallVector<Tap>> taps, SmallVector<Value> at,
                  Value exists) {
  if (taps.empty()) {
    Value pixel = s.read(image, at);
    return exists ? s.select(exists, pixel, s.number(type, 0)) : pixel;
  }
  Value sum;
  for (const Tap &tap : taps.front()) {
    SmallVector<Value> next(at);
    next.push_back(tap.index);
    Value both = !tap.exists ? exists
                 : !exists   ? tap.exists
                             : s.both(exists, tap.exists);
    Value part = interpolate(s, image, type, taps.drop_front(), next, both);
    if (tap.weight)
      part = s.mul(part, tap.weight);
    sum = sum ? s.add(sum, part) : part;
  }
  return sum;
}

LogicalResult importGridSample(Node &n) {
  Tensor x = n.floatInput(0, "X"), grid = n.floatInput(1, "grid");
  Sampler sampler;
  std::string mode = n.getString("mode", "linear"),
              padding = n.getString("padding_mode", "zeros");
  sampler.alignCorners = n.getInt("align_corners", 0) != 0;
  n.requireRank(x, "X", 3);
  n.requireSameType(x, grid);
  if (!n.ok())
    return failure();
  // The names until opset 19 are those of images.
  if (mode == "nearest")
    sampler.mode = Sampler::Nearest;
  else if (mode == "cubic" || mode == "bicubic")
    sampler.mode = Sampler::Cubic;
  else if (mode != "linear" && mode != "bilinear")
    return n.emitError() << "attribute 'mode' is '" << mode
                         << "', which is not known";
  if (padding == "border")
    sampler.padding = Padding::Border;
  else if (padding == "reflection")
    sampler.padding = Padding::Reflection;
  else if (padding != "zeros")
    return n.emitError() << "attribute 'padding_mode' is '" << padding
                         << "', which is not known";
  int64_t spatial = x.rank() - 2;
  if (grid.rank() != x.rank() || grid.dim(0) != x.dim(0) ||
      grid.dim(grid.rank() - 1) != spatial || llvm::is_contained(x.shape(), 0))
    return n.emitError() << "grid " << describeType(grid.type)
                         << " does not fit X " << describeType(x.type);
  if (spatial > 3)
    return n.emitError() << "X " << describeType(x.type) << " has " << spatial
                         << " spatial dimensions; at most 3 are supported";
  Shape shape{x.dim(0), x.dim(1)};
  llvm::append_range(shape, grid.shape().drop_front().drop_back());
  Type type = x.elementType();
  Value image = n.b.value(x), coordinates = n.b.value(grid);
  return n.result(generate(
      n.b, shape, type, {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        SmallVector<SmallVector<Tap>> taps;
        for (int64_t axis = 0; axis < spatial; ++axis) {
          SmallVector<Value> from{places[0]};
          llvm::append_range(from, places.drop_front(2));
          // The grid names the last dimension first.
          from.push_back(s.i64(spatial - 1 - axis));
          int64_t size = x.dim(axis + 2);
          Value pixel = pixelOf(s, sampler, s.read(coordinates, from), size);
          taps.push_back(tapsOf(s, sampler, pixel, size));
        }
        return interpolate(s, image, type, taps, {places[0], places[1]},
                           Value());
      }));
}

} // namespace

void registerGridSampleOps(OpRegistry &r) {
  r.onOp("GridSample", 16, importGridSample, "1 to 3 spatial dimensions");
}

} // namespace qdialect::onnx_import

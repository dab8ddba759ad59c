// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Windows that know their places: the output Indices of MaxPool, its inverse
// MaxUnpool, and Col2Im, the sum of overlapping windows.

#include "PoolIndices.h"
#include "ElementTypes.h"
#include "Indexing.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Value remainder(const Scalars &s, Value x, int64_t by) {
  return arith::RemSIOp::create(s.b, s.loc, x, s.i64(by));
}
Value quotient(const Scalars &s, Value x, int64_t by) {
  return arith::DivSIOp::create(s.b, s.loc, x, s.i64(by));
}

/// Whether a position lies in an image of this size.
Value isInside(const Scalars &s, Value position, int64_t size) {
  return s.both(s.le(s.i64(0), position), s.lt(position, s.i64(size)));
}

/// Row-major number of a place.
Value linear(const Scalars &s, ArrayRef<Value> places,
             ArrayRef<int64_t> shape) {
  Value number = s.i64(0);
  for (auto [place, size] : llvm::zip_equal(places, shape))
    number = s.add(s.mul(number, s.i64(size)), place);
  return number;
}

int64_t sizeOf(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

} // namespace

Tensor maxPoolIndices(GraphBuilder &b, const Tensor &x, const Window &w,
                      bool columnMajor) {
  size_t spatial = w.kernel.size();
  Shape shape{x.dim(0), x.dim(1)}, image(x.shape().drop_front(2));
  shape.append(w.output);
  Value flat = b.value(b.reshape(x, {x.size()}));
  Tensor best = generateReduced(
      b, shape, w.kernel, b.builder.getI64Type(), -1, {},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) -> Value {
        SmallVector<Value> at{places[0], places[1]};
        Value exists;
        for (size_t axis = 0; axis < spatial; ++axis) {
          Value start = s.sub(s.mul(places[2 + axis], s.i64(w.strides[axis])),
                              s.i64(w.low[axis]));
          Value tap =
              s.mul(places[2 + spatial + axis], s.i64(w.dilations[axis]));
          Value position = s.add(start, tap);
          Value inside = isInside(s, position, image[axis]);
          exists = exists ? s.both(exists, inside) : inside;
          at.push_back(s.clampIndex(position, image[axis]));
        }
        // The first of equal elements stays.
        Value here = linear(s, at, x.shape()), so = v[0];
        Value known = s.clampIndex(so, x.size());
        Value candidate = s.read(flat, {here}),
              champion = s.read(flat, {known});
        Value wins = s.either(s.lt(so, s.i64(0)), s.lt(champion, candidate));
        return s.select(s.both(exists, wins), here, so);
      });
  if (!columnMajor)
    return best;
  // The number of the place within its image counts columns instead of rows.
  return b.elementwise(
      {best}, b.builder.getI64Type(),
      [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        Scalars s{nested, at};
        int64_t pixels = sizeOf(image), stride = 1;
        Value rest = remainder(s, v[0], pixels), start = s.sub(v[0], rest);
        SmallVector<Value> places(image.size());
        for (size_t axis = image.size(); axis-- > 0;) {
          places[axis] = remainder(s, rest, image[axis]);
          rest = quotient(s, rest, image[axis]);
        }
        for (auto [place, size] : llvm::zip_equal(places, image)) {
          start = s.add(start, s.mul(place, s.i64(stride)));
          stride *= size;
        }
        return start;
      });
}

namespace {

/// X goes to the places that Indices names in a zero image as large as a pool
/// of this window would have read; output_shape lays it into a larger one.
LogicalResult importMaxUnpool(Node &n) {
  Tensor x = n.input(0, "X"), indices = n.input(1, "I");
  std::optional<Shape> kernel = n.getInts("kernel_shape");
  n.requireRank(x, "X", 3);
  if (!n.ok())
    return failure();
  size_t spatial = static_cast<size_t>(x.rank()) - 2;
  if (!kernel || kernel->size() != spatial)
    return n.emitError() << "attribute 'kernel_shape' must have " << spatial
                         << " numbers";
  Shape strides = bindPositive(n, "strides", spatial), low, high;
  bindPads(n, spatial, low, high);
  if (!n.ok() || !n.requireRange("kernel_shape", *kernel, 1, maxWindowNumber))
    return failure();
  if (!indices.elementType().isInteger(64) || indices.shape() != x.shape())
    return n.emitError() << "input I is " << describeType(indices.type)
                         << ", but must be int64 like X "
                         << describeType(x.type);
  Shape shape{x.dim(0), x.dim(1)};
  for (size_t axis = 0; axis < spatial; ++axis)
    shape.push_back((x.dim(axis + 2) - 1) * strides[axis] - low[axis] -
                    high[axis] + (*kernel)[axis]);
  Shape asked = n.hasInput(2) ? n.constantIntegers(2, "output_shape") : shape;
  if (!n.ok())
    return failure();
  bool fits = asked.size() == shape.size() && isReasonableShape(asked) &&
              isReasonableShape(shape);
  for (size_t axis = 0; fits && axis < shape.size(); ++axis)
    fits = asked[axis] >= shape[axis];
  if (!fits)
    return n.emitError() << "output_shape " << describeShape(asked)
                         << " cannot hold " << describeShape(shape);
  Type type = x.elementType();
  if (!isFloat(type) && !isSignlessInteger(type))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  int64_t count = sizeOf(shape);
  Value values = n.b.value(n.b.reshape(x, {x.size()})),
        places = n.b.value(n.b.reshape(indices, {x.size()}));
  Tensor flat =
      updateInOrder(n.b, Tensor(n.b.filled({count}, type, 0)), {x.size()},
                    [&](const Scalars &s, ArrayRef<Value> at, Value image) {
                      Value place = s.wrapIndex(s.read(places, at), count);
                      return write(s, s.read(values, at), image, {place});
                    });
  Tensor y = n.b.reshape(flat, shape);
  Shape none(shape.size(), 0), more;
  for (auto [size, wanted] : llvm::zip_equal(shape, asked))
    more.push_back(wanted - size);
  return n.result(n.b.pad(y, none, more, 0));
}

/// Each column of the input is a block of taps that is added to the image at
/// the place of its window: every pixel sums the taps that fall on it.
LogicalResult importCol2Im(Node &n) {
  Tensor x = n.floatInput(0, "input");
  Shape image = n.constantIntegers(1, "image_shape"),
        block = n.constantIntegers(2, "block_shape");
  n.requireRank(x, "input", 3);
  if (!n.ok())
    return failure();
  size_t spatial = image.size();
  if (spatial == 0 || block.size() != spatial || x.rank() != 3)
    return n.emitError() << "image_shape and block_shape have " << spatial
                         << " and " << block.size() << " numbers for input "
                         << describeType(x.type);
  Window w;
  w.kernel = block;
  w.strides = bindPositive(n, "strides", spatial);
  w.dilations = bindPositive(n, "dilations", spatial);
  bindPads(n, spatial, w.low, w.high);
  if (!n.ok() || !n.requireRange("image_shape", image, 1, maxWindowNumber) ||
      !n.requireRange("block_shape", block, 1, maxWindowNumber))
    return failure();
  for (size_t axis = 0; axis < spatial; ++axis)
    w.output.push_back(
        (image[axis] + w.low[axis] + w.high[axis] - w.extent(axis)) /
            w.strides[axis] +
        1);
  int64_t taps = isReasonableShape(block) ? sizeOf(block) : 0;
  if (taps == 0 || !isReasonableShape(w.output) || x.dim(1) % taps != 0 ||
      x.dim(2) != sizeOf(w.output))
    return n.emitError() << "input " << describeType(x.type)
                         << " does not hold blocks " << describeShape(block)
                         << " of an image " << describeShape(image);
  int64_t channels = x.dim(1) / taps;
  Shape shape{x.dim(0), channels};
  shape.append(image);
  Value columns =
      n.b.value(n.b.reshape(x, {x.dim(0), channels, taps, x.dim(2)}));
  return n.result(generateReduced(
      n.b, shape, block, x.elementType(), 0, {},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) -> Value {
        Value exists;
        SmallVector<Value> windows, within;
        for (size_t axis = 0; axis < spatial; ++axis) {
          Value tap = places[2 + spatial + axis];
          Value start = s.sub(s.add(places[2 + axis], s.i64(w.low[axis])),
                              s.mul(tap, s.i64(w.dilations[axis])));
          Value starts = s.eq(remainder(s, start, w.strides[axis]), s.i64(0));
          Value window = quotient(s, start, w.strides[axis]);
          Value here = s.both(starts, isInside(s, window, w.output[axis]));
          exists = exists ? s.both(exists, here) : here;
          windows.push_back(s.clampIndex(window, w.output[axis]));
          within.push_back(tap);
        }
        Value tap =
            s.read(columns, {places[0], places[1], linear(s, within, block),
                             linear(s, windows, w.output)});
        return s.select(exists, s.add(v[0], tap), v[0]);
      }));
}

} // namespace

void registerPoolIndexOps(OpRegistry &r) {
  r.onOp("MaxUnpool", 9, importMaxUnpool, "float, signed integer");
  r.onOp("Col2Im", 18, importCol2Im, "constant shapes");
}

} // namespace qdialect::onnx_import

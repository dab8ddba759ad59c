// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resizing along an axis of symbolic length: two small tables, of positions and
// of weights, are computed where the model runs, and the image is read by them.
//
//   indices[o, t], weights[o, t]     o: output position, t: tap
//   y[.., o, ..] = sum over t of x[.., indices[o, t], ..] * weights[o, t]

#include "Resize.h"

#include "Indexing.h"

using namespace mlir;

namespace qdialect::onnx_import {

std::string whyNotSymbolic(const ResizeAxis &axis, const ResizeMethod &method) {
  if (method.coordinates == "tf_crop_and_resize")
    return "coordinate_transformation_mode 'tf_crop_and_resize'";
  if (method.excludeOutside)
    return "exclude_outside";
  if (method.antialias && (axis.scale == 0 || axis.scale < 1))
    return "antialias of an image that shrinks";
  return "";
}

namespace {

/// The formulas of one position, in f64.
class Position {
public:
  /// `sizes` holds the lengths of input and output, `given` the scale, if the
  /// program computes it.
  Position(const Scalars &s, const ResizeAxis &axis, const ResizeMethod &method,
           Value sizes, Value given, Value place)
      : s(s), axis(axis), method(method), in(size(sizes, 0)),
        out(size(sizes, 1)), given(given), o(s.cast(place, s.b.getF64Type())) {}

  /// Where the position lies on the input, unclamped.
  Value coordinate() const {
    Value scale = given             ? s.cast(s.read(given, {}), o.getType())
                  : axis.scale == 0 ? s.div(out, in)
                                    : number(axis.scale);
    Value centre = s.sub(s.div(s.add(o, number(0.5)), scale), number(0.5));
    if (method.coordinates == "asymmetric")
      return s.div(o, scale);
    if (method.coordinates == "tf_half_pixel_for_nn")
      return s.div(s.add(o, number(0.5)), scale);
    Value isSingle = s.eq(out, number(1));
    if (method.coordinates == "align_corners")
      return s.select(
          isSingle, number(0),
          s.div(s.mul(o, s.sub(in, number(1))), s.sub(out, number(1))));
    if (method.coordinates == "pytorch_half_pixel")
      return s.select(isSingle, number(0), centre);
    if (method.coordinates == "half_pixel_symmetric") {
      Value adjustment = s.div(out, s.mul(scale, in));
      Value shift = s.mul(s.div(in, number(2)), s.sub(number(1), adjustment));
      Value first = s.div(s.add(o, number(0.5)), scale);
      return s.sub(s.add(shift, first), number(0.5));
    }
    return centre;
  }

  /// The input position of a whole f64, moved into the image.
  Value inside(Value position) const {
    Value last = s.sub(in, number(1));
    return s.cast(s.max(s.min(position, last), number(0)), s.b.getI64Type());
  }

  Value nearest(Value x) const {
    auto ceil = [&](Value v) { return s.neg(s.floor(s.neg(v))); };
    if (method.nearest == "floor")
      return s.floor(x);
    if (method.nearest == "ceil")
      return ceil(x);
    if (method.nearest == "round_prefer_ceil")
      return s.floor(s.add(x, number(0.5)));
    return ceil(s.sub(x, number(0.5)));
  }

  /// The weight of what lies `distance` away.
  Value weight(Value distance) const {
    Value d = s.abs(distance), one = number(1);
    if (method.mode == "linear")
      return s.max(number(0), s.sub(one, d));
    double a = method.cubicA;
    auto times = [&](Value v, double factor) {
      return s.mul(number(factor), v);
    };
    auto minus = [&](Value v, double term) { return s.sub(v, number(term)); };
    Value nearPart =
        s.add(s.mul(s.mul(minus(times(d, a + 2), a + 3), d), d), one);
    Value line = s.add(s.mul(minus(times(d, a), 5 * a), d), number(8 * a));
    Value farPart = minus(s.mul(line, d), 4 * a);
    return s.select(s.le(d, one), nearPart,
                    s.select(s.lt(d, number(2)), farPart, number(0)));
  }

  Value number(double value) const { return s.number(s.b.getF64Type(), value); }

private:
  Value size(Value sizes, int64_t place) const {
    return s.cast(s.read(sizes, {s.i64(place)}), s.b.getF64Type());
  }

  const Scalars &s;
  const ResizeAxis &axis;
  const ResizeMethod &method;
  Value in, out, given, o;
};

} // namespace

Tensor resizeSymbolicAxis(GraphBuilder &b, const Tensor &x, int64_t axis,
                          const ResizeAxis &request,
                          const ResizeMethod &method) {
  Type type = x.elementType(), i64 = b.builder.getI64Type();
  int64_t output = request.output;
  Value sizes = b.value(b.integers({2}, {request.input, output}));
  Value given =
      request.computedScale ? b.value(*request.computedScale) : Value();
  if (method.mode == "nearest") {
    Tensor indices = generate(
        b, {output}, i64, {},
        [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
          Position position(s, request, method, sizes, given, places[0]);
          return position.inside(position.nearest(position.coordinate()));
        });
    return gatherAlong(b, x, indices, axis);
  }
  // Taps stand around floor(x): from reach - 1 before to reach behind it.
  int64_t reach = method.mode == "linear" ? 1 : 2, count = 2 * reach;
  auto tap = [&](const Scalars &s, const Position &position, Value x,
                 Value number) {
    Value place = s.cast(number, s.b.getF64Type());
    Value first =
        s.sub(s.floor(x), position.number(static_cast<double>(reach - 1)));
    return s.add(first, place);
  };
  Tensor indices =
      generate(b, {output, count}, i64, {},
               [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                 Position position(s, request, method, sizes, given, places[0]);
                 return position.inside(
                     tap(s, position, position.coordinate(), places[1]));
               });
  Tensor weights =
      generate(b, {output, count}, type, {},
               [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                 Position position(s, request, method, sizes, given, places[0]);
                 Value at = position.coordinate();
                 Value distance = s.sub(at, tap(s, position, at, places[1]));
                 return s.cast(position.weight(distance), type);
               });
  Value source = b.value(x);
  Shape shape(x.shape());
  shape[axis] = output;
  auto loop = static_cast<unsigned>(axis),
       last = static_cast<unsigned>(x.rank());
  return generateReduced(
      b, shape, {count}, type, 0,
      {{indices, {loop, last}}, {weights, {loop, last}}},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        SmallVector<Value> at(places.drop_back());
        at[axis] = v[0];
        return s.add(v[2], s.mul(s.read(source, at), v[1]));
      });
}

} // namespace qdialect::onnx_import

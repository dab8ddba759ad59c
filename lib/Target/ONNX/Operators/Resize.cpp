// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resize and Upsample. Interpolation is separable: along one axis each output
// position is a weighted sum of a few input positions, both known here.
//
//   position o  ->  coordinate x (by the mode)  ->  taps (index, weight)
//
// Axes whose positions repeat a whole number of times are a broadcast copy and
// a reshape, all at once. The others are resized one after the other, each a
// linalg.generic that adds up the taps; an axis of one tap with weight 1 each
// is a copy.

#include "Resize.h"
#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

using Method = ResizeMethod;
using Axis = ResizeAxis;

/// Taps of one axis: `count` a position, row-major.
struct Taps {
  int64_t count = 1;
  SmallVector<int64_t> indices;
  SmallVector<double> weights;
  SmallVector<bool> outside; ///< positions that are extrapolated
  bool anyOutside = false;
};

double coordinateOf(const Axis &a, const Method &m, int64_t position) {
  auto o = static_cast<double>(position);
  auto in = static_cast<double>(a.input), out = static_cast<double>(a.output);
  if (m.coordinates == "asymmetric")
    return o / a.scale;
  if (m.coordinates == "align_corners")
    return a.output == 1 ? 0 : o * (in - 1) / (out - 1);
  if (m.coordinates == "pytorch_half_pixel")
    return a.output == 1 ? 0 : (o + 0.5) / a.scale - 0.5;
  if (m.coordinates == "tf_half_pixel_for_nn")
    return (o + 0.5) / a.scale;
  if (m.coordinates == "tf_crop_and_resize")
    return a.output == 1 ? 0.5 * (a.start + a.end) * (in - 1)
                         : a.start * (in - 1) +
                               o * (a.end - a.start) * (in - 1) / (out - 1);
  double x = (o + 0.5) / a.scale - 0.5;
  if (m.coordinates == "half_pixel_symmetric") {
    // The image keeps its centre when the output is cut to whole pixels.
    double adjustment = out / (a.scale * in);
    double center = in / 2;
    return center * (1 - adjustment) + (o + 0.5) / a.scale - 0.5;
  }
  return x;
}

double nearestOf(double x, StringRef mode) {
  if (mode == "floor")
    return std::floor(x);
  if (mode == "ceil")
    return std::ceil(x);
  if (mode == "round_prefer_ceil")
    return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

double linearKernel(double x) { return std::max(0.0, 1 - std::fabs(x)); }

double cubicKernel(double x, double a) {
  x = std::fabs(x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2)
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// The interpolation weights of one coordinate around `first`, normalized as
/// the method says.
void addWeights(const Axis &a, const Method &m, double x, int64_t first,
                int64_t count, Taps &taps) {
  double shrink = m.antialias ? std::min(1.0, a.scale) : 1.0, sum = 0;
  SmallVector<double> weights;
  for (int64_t tap = 0; tap < count; ++tap) {
    int64_t index = first + tap;
    double distance = (x - static_cast<double>(index)) * shrink;
    double weight = m.mode == "linear" ? linearKernel(distance)
                                       : cubicKernel(distance, m.cubicA);
    if (m.excludeOutside && (index < 0 || index >= a.input))
      weight = 0;
    weights.push_back(weight);
    sum += weight;
  }
  bool normalize = (m.excludeOutside || m.antialias) && sum != 0;
  for (int64_t tap = 0; tap < count; ++tap) {
    taps.indices.push_back(std::clamp<int64_t>(first + tap, 0, a.input - 1));
    taps.weights.push_back(normalize ? weights[tap] / sum : weights[tap]);
  }
}

Taps tapsOf(const Axis &a, const Method &m) {
  Taps taps;
  double support = m.mode == "linear" ? 1 : 2;
  if (m.antialias)
    support /= std::min(1.0, a.scale);
  int64_t reach = toInteger(std::ceil(support));
  if (m.mode != "nearest")
    taps.count = 2 * reach;
  for (int64_t o = 0; o < a.output; ++o) {
    double x = coordinateOf(a, m, o);
    bool outside = m.coordinates == "tf_crop_and_resize" &&
                   (x < 0 || x > static_cast<double>(a.input - 1));
    taps.outside.push_back(outside);
    taps.anyOutside |= outside;
    // Far outside of every image; keeps what follows inside 64 bits.
    x = std::clamp(x, -0x1p40, 0x1p40);
    if (m.mode == "nearest") {
      auto index = static_cast<int64_t>(nearestOf(x, m.nearest));
      taps.indices.push_back(std::clamp<int64_t>(index, 0, a.input - 1));
      taps.weights.push_back(1);
      continue;
    }
    auto first = static_cast<int64_t>(std::floor(x)) - reach + 1;
    addWeights(a, m, x, first, taps.count, taps);
  }
  return taps;
}

/// How often each position of `axis` stands in a row in the result; 1 where
/// that is not the same number for each.
int64_t timesRepeated(SymbolicSizes &sizes, const Axis &axis,
                      const Method &method) {
  constexpr int64_t most = 64;
  // With aligned corners what a position reads hangs on the whole size.
  if (method.mode != "nearest" || method.coordinates == "tf_crop_and_resize" ||
      method.coordinates == "align_corners")
    return 1;
  int64_t times = 1;
  while (times <= most && sizes.mul(axis.input, times) != axis.output)
    ++times;
  if (times == 1 || times > most ||
      (axis.scale != 0 && axis.scale != static_cast<double>(times)))
    return 1;
  // Else on its place between two positions alone: a short image shows it.
  Axis sample = axis;
  sample.input = 8;
  sample.output = 8 * times;
  sample.scale = static_cast<double>(times);
  Taps taps = tapsOf(sample, method);
  for (auto [position, index] : llvm::enumerate(taps.indices))
    if (index != static_cast<int64_t>(position) / times)
      return 1;
  return times;
}

/// Each element `times[axis]` times in a row along each axis.
Tensor repeat(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> times) {
  Shape wide, shape;
  Mapped source{x, {}};
  for (auto [size, number] : llvm::zip_equal(x.shape(), times)) {
    source.loops.push_back(wide.size());
    wide.push_back(size);
    if (number > 1)
      wide.push_back(number);
    shape.push_back(b.sizes.mul(size, number));
  }
  Tensor copies = generate(
      b, wide, x.elementType(), {source},
      [](const Scalars &, ValueRange v, ArrayRef<Value>) { return v[0]; });
  return b.reshape(copies, shape);
}

Tensor resizeAxis(GraphBuilder &b, const Tensor &x, int64_t axis,
                  const Taps &taps) {
  auto output = static_cast<int64_t>(taps.outside.size());
  Type type = x.elementType();
  Shape shape(x.shape());
  shape[axis] = output;
  auto loop = static_cast<unsigned>(axis);
  Value source = b.value(x);
  if (taps.count == 1) {
    Mapped indices{b.integers({output}, taps.indices), {loop}};
    return generate(
        b, shape, type, {indices},
        [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
          SmallVector<Value> at(places);
          at[axis] = v[0];
          return s.read(source, at);
        });
  }
  // Few taps are read one after the other: an element-wise op.
  constexpr int64_t few = 4;
  if (taps.count <= few) {
    SmallVector<Mapped> columns;
    for (int64_t tap = 0; tap < taps.count; ++tap) {
      SmallVector<int64_t> indices;
      SmallVector<double> weights;
      for (int64_t o = 0; o < output; ++o) {
        indices.push_back(taps.indices[o * taps.count + tap]);
        weights.push_back(taps.weights[o * taps.count + tap]);
      }
      columns.push_back({b.integers({output}, indices), {loop}});
      columns.push_back({b.constant(type, {output}, weights), {loop}});
    }
    return generate(
        b, shape, type, columns,
        [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
          SmallVector<Value> at(places);
          Value sum;
          for (int64_t tap = 0; tap < taps.count; ++tap) {
            at[axis] = v[2 * tap];
            Value term = s.mul(s.read(source, at), v[2 * tap + 1]);
            sum = sum ? s.add(sum, term) : term;
          }
          return sum;
        });
  }
  auto last = static_cast<unsigned>(x.rank());
  Mapped indices{b.integers({output, taps.count}, taps.indices), {loop, last}};
  Mapped weights{b.constant(type, {output, taps.count}, taps.weights),
                 {loop, last}};
  return generateReduced(
      b, shape, {taps.count}, type, 0, {indices, weights},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        SmallVector<Value> at(places.drop_back());
        at[axis] = v[0];
        return s.add(v[2], s.mul(s.read(source, at), v[1]));
      });
}

/// Positions outside of the cropped image take the constant.
Tensor extrapolate(GraphBuilder &b, const Tensor &y, int64_t axis,
                   const Taps &taps, double number) {
  SmallVector<double> outside(taps.outside.begin(), taps.outside.end());
  Mapped flags{b.constant(b.builder.getI64Type(),
                          {static_cast<int64_t>(outside.size())}, outside),
               {static_cast<unsigned>(axis)}};
  return generate(b, y.shape(), y.elementType(), {along(y), flags},
                  [&](const Scalars &s, ValueRange v, ArrayRef<Value>) {
                    return s.select(s.ne(v[1], s.i64(0)),
                                    s.number(v[0], number), v[0]);
                  });
}

/// Sizes and scales of all axes, from whichever input the model gives.
struct Request {
  SmallVector<int64_t> axes;
  SmallVector<double> scales; ///< 0: one that the program computes
  SmallVector<std::optional<Tensor>> computedScales;
  SmallVector<int64_t> sizes; ///< empty: from the scales
};

SmallVector<double> constantNumbers(Node &n, size_t index, StringRef label) {
  Tensor tensor = n.input(index, label);
  SmallVector<double> numbers;
  if (!n.ok())
    return numbers;
  if (!tensor.isConstant() || tensor.rank() > 1 || !isSmallConstant(tensor)) {
    n.emitError() << "input " << label << " ('" << n.inputName(index)
                  << "') must be a constant known at compile time";
    return numbers;
  }
  for (int64_t i = 0; i < tensor.size(); ++i)
    numbers.push_back(tensor.data->asDouble(i));
  return numbers;
}

/// Scales, some of which the program may compute.
void bindScales(Node &n, size_t index, bool mayBeComputed, Request &request) {
  Tensor tensor = n.input(index, "scales");
  if (!n.ok() || tensor.isConstant() || !mayBeComputed ||
      !n.b.canDependOnData() || !tensor.elementType().isF32() ||
      tensor.rank() != 1 || !tensor.type.hasStaticShape() ||
      tensor.size() > maxFoldedElements) {
    request.scales = constantNumbers(n, index, "scales");
    request.computedScales.resize(request.scales.size());
    return;
  }
  for (int64_t place = 0; place < tensor.size(); ++place) {
    auto [source, at] = sourceOf(n.b, tensor, place);
    request.scales.push_back(source.isConstant() ? source.data->asDouble(at)
                                                 : 0);
    std::optional<Tensor> &computed = request.computedScales.emplace_back();
    if (!source.isConstant()) {
      Tensor flat = n.b.reshape(source, {n.b.count(source)});
      computed = n.b.reshape(n.b.sliceAxis(flat, 0, at, 1), {});
    }
  }
}

/// floor(size * scale) in f32, as ONNX Runtime computes it; an error when the
/// program runs unless the scale is positive.
int64_t scaledSize(Node &n, int64_t size, const Tensor &scale, StringRef name) {
  Type i64 = n.b.builder.getI64Type();
  Tensor count = n.b.elementwise(
      {scale}, i64, [&](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        Value whole =
            s.floor(s.mul(v[0], n.b.sizeAs(nested, at, v[0].getType(), size)));
        Value isGood = s.both(s.lt(s.number(v[0], 0), v[0]),
                              s.lt(whole, s.number(v[0], 0x1p40)));
        Value wrong = s.number(v[0], -1);
        return s.cast(s.select(isGood, whole, wrong), i64);
      });
  n.b.requireCount(count, SymbolicSizes::kUnbounded,
                   n.describe() + "the size that " + name.str() + " gives");
  return sizeOf(n.b, Number(count), name);
}

bool isGiven(Node &n, size_t index) {
  if (!n.hasInput(index))
    return false;
  Tensor tensor = n.input(index, "");
  return !(tensor.isConstant() && tensor.size() == 0);
}

bool isSymbolicAxis(const Axis &axis) {
  return SymbolicSizes::isSymbolic(axis.input) ||
         SymbolicSizes::isSymbolic(axis.output);
}

/// floor(size * scale) for scales p / q with a small q.
std::optional<int64_t> scaleSymbolic(SymbolicSizes &sizes, int64_t size,
                                     double scale) {
  constexpr int64_t largest = 64;
  for (int64_t q = 1; q <= largest; ++q) {
    double p = scale * static_cast<double>(q);
    if (p == std::floor(p) && p < 0x1p31)
      return sizes.floorDiv(sizes.mul(size, static_cast<int64_t>(p)), q);
  }
  return std::nullopt;
}

FailureOr<SmallVector<Axis>>
axesOf(Node &n, const Tensor &x, const Request &request, ArrayRef<double> roi) {
  SmallVector<Axis> all(x.rank());
  for (auto [axis, size] : llvm::zip_equal(all, x.shape()))
    axis.input = axis.output = size;
  size_t given = request.axes.size();
  size_t have =
      request.sizes.empty() ? request.scales.size() : request.sizes.size();
  if (have != given || (!roi.empty() && roi.size() != 2 * given))
    return n.emitError() << "scales, sizes or roi do not have one number for "
                            "each of the "
                         << given << " axes",
           failure();
  Shape shape(x.shape());
  for (size_t i = 0; i < given; ++i) {
    Axis &axis = all[request.axes[i]];
    if (!roi.empty()) {
      axis.start = roi[i];
      axis.end = roi[given + i];
    }
    auto in = static_cast<double>(axis.input);
    if (request.sizes.empty()) {
      axis.scale = request.scales[i];
      axis.computedScale = request.computedScales[i];
      if (axis.computedScale) {
        axis.output = scaledSize(n, axis.input, *axis.computedScale,
                                 ("scales[" + Twine(i) + "]").str());
        shape[request.axes[i]] = axis.output;
        continue;
      }
      if (!(axis.scale > 0) || !(axis.scale < 0x1p31))
        return n.emitError() << "scale " << axis.scale << " of axis "
                             << request.axes[i] << " is not positive",
               failure();
      double span = roi.empty() ? 1 : axis.end - axis.start;
      if (SymbolicSizes::isSymbolic(axis.input)) {
        std::optional<int64_t> scaled =
            scaleSymbolic(n.b.sizes, axis.input, axis.scale * span);
        if (!scaled)
          return n.emitError()
                     << "scale " << axis.scale << " of axis " << request.axes[i]
                     << ", which is symbolic, is no simple fraction",
                 failure();
        axis.output = *scaled;
      } else if (roi.empty()) {
        // In f32, as ONNX Runtime does: 10 * 0.7f is 7.
        axis.output = toInteger(std::floor(static_cast<float>(in) *
                                           static_cast<float>(axis.scale)));
      } else {
        axis.output = toInteger(std::floor(in * span * axis.scale));
      }
    } else {
      axis.output = request.sizes[i];
      axis.scale = static_cast<double>(axis.output) / in;
      if (isSymbolicAxis(axis))
        axis.scale = axis.input == axis.output ? 1 : 0;
    }
    shape[request.axes[i]] = axis.output;
  }
  if (!isReasonableShape(shape) || llvm::is_contained(shape, 0) ||
      llvm::is_contained(x.shape(), 0))
    return n.emitError() << "cannot resize " << describeType(x.type) << " to ["
                         << ArrayRef<int64_t>(shape) << "]",
           failure();
  return all;
}

/// One scale for all axes: the largest (or smallest) that fits the sizes.
void keepAspectRatio(Request &request, const Tensor &x, StringRef policy) {
  if (policy == "stretch" || request.sizes.empty())
    return;
  double best = policy == "not_larger" ? INFINITY : 0;
  for (auto [axis, size] : llvm::zip_equal(request.axes, request.sizes)) {
    double scale = static_cast<double>(size) / static_cast<double>(x.dim(axis));
    best =
        policy == "not_larger" ? std::min(best, scale) : std::max(best, scale);
  }
  for (auto [axis, size] : llvm::zip_equal(request.axes, request.sizes))
    size = toInteger(std::floor(best * static_cast<double>(x.dim(axis)) + 0.5));
}

LogicalResult resize(Node &n, const Tensor &x, const Request &request,
                     ArrayRef<double> roi, const Method &method) {
  Type type = x.elementType();
  if (method.mode != "nearest" && !isFloat(type))
    return n.emitError() << "mode '" << method.mode << "' of "
                         << describeType(x.type) << " is not supported";
  FailureOr<SmallVector<Axis>> axes = axesOf(n, x, request, roi);
  if (failed(axes))
    return failure();
  Tensor y = x;
  SmallVector<int64_t> times;
  for (const Axis &axis : *axes)
    times.push_back(timesRepeated(n.b.sizes, axis, method));
  if (llvm::any_of(times, [](int64_t number) { return number > 1; }))
    y = repeat(n.b, y, times);
  SmallVector<std::pair<int64_t, Taps>> cropped;
  for (auto [number, axis] : llvm::enumerate(*axes)) {
    auto at = static_cast<int64_t>(number);
    bool crops = method.coordinates == "tf_crop_and_resize" &&
                 llvm::is_contained(request.axes, at);
    if (times[number] > 1 ||
        (axis.input == axis.output && axis.scale == 1 && !crops))
      continue;
    // Taps are tables: one row a position of an axis.
    double perPosition = 4 * std::max(1.0, 1 / axis.scale);
    bool isSymbolic = isSymbolicAxis(axis);
    if (isSymbolic || static_cast<double>(axis.output) * perPosition >
                          static_cast<double>(maxTableElements)) {
      std::string reason = whyNotSymbolic(axis, method);
      if (isSymbolic && !reason.empty())
        return n.emitError() << reason << " of axis " << at << ", whose size "
                             << n.b.sizes.print(axis.input)
                             << " is symbolic, is not supported";
      if (!reason.empty())
        return n.emitError()
               << reason << " of axis " << at << " of " << describeType(x.type)
               << ", which is resized to " << axis.output
               << " rows, is not supported: too many for a table";
      y = resizeSymbolicAxis(n.b, y, at, axis, method);
      continue;
    }
    Taps taps = tapsOf(axis, method);
    y = resizeAxis(n.b, y, at, taps);
    if (taps.anyOutside)
      cropped.push_back({at, taps});
  }
  for (const auto &[axis, taps] : cropped)
    y = extrapolate(n.b, y, axis, taps, method.extrapolation);
  return n.result(y);
}

bool isOneOf(Node &n, StringRef name, StringRef value,
             ArrayRef<StringRef> known) {
  if (llvm::is_contained(known, value))
    return true;
  if (n.ok())
    n.emitError() << "attribute '" << name << "' is '" << value
                  << "', which is not known";
  return false;
}

/// What an axis of symbolic length can do, whatever its length is.
bool mayBeComputed(const Method &method, StringRef policy) {
  return policy == "stretch" && method.coordinates != "tf_crop_and_resize" &&
         !method.excludeOutside && !method.antialias;
}

LogicalResult importResize(Node &n) {
  Tensor x = n.input(0, "X");
  Method method;
  method.mode = n.getString("mode", "nearest");
  method.cubicA = n.getFloat("cubic_coeff_a", -0.75f);
  method.extrapolation = n.getFloat("extrapolation_value", 0.0f);
  method.excludeOutside = n.getInt("exclude_outside", 0) != 0;
  method.antialias = n.getInt("antialias", 0) != 0;
  bool first = n.opset() < 11;
  method.coordinates = n.getString("coordinate_transformation_mode",
                                   first ? "asymmetric" : "half_pixel");
  method.nearest =
      n.getString("nearest_mode", first ? "floor" : "round_prefer_floor");
  std::string policy = n.getString("keep_aspect_ratio_policy", "stretch");
  std::optional<Shape> axes = n.getInts("axes");
  if (!n.ok())
    return failure();
  if (!isOneOf(n, "mode", method.mode, {"nearest", "linear", "cubic"}) ||
      !isOneOf(n, "coordinate_transformation_mode", method.coordinates,
               {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                "align_corners", "asymmetric", "tf_half_pixel_for_nn",
                "tf_crop_and_resize"}) ||
      !isOneOf(n, "nearest_mode", method.nearest,
               {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) ||
      !isOneOf(n, "keep_aspect_ratio_policy", policy,
               {"stretch", "not_larger", "not_smaller"}))
    return failure();
  Request request;
  Shape defaults = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  request.axes = n.axes(axes.value_or(defaults), x.rank());
  SmallVector<double> roi;
  if (method.coordinates == "tf_crop_and_resize")
    roi = constantNumbers(n, 1, "roi");
  // Before opset 11 the scales are the second input.
  size_t scales = first ? 1 : 2;
  if (isGiven(n, 3))
    request.sizes = mayBeComputed(method, policy)
                        ? sizesOperand(n, 3, "sizes")
                        : n.constantIntegers(3, "sizes");
  else
    bindScales(n, scales, mayBeComputed(method, policy), request);
  if (!n.ok())
    return failure();
  bool symbolic = false;
  for (int64_t size : request.sizes) {
    if (SymbolicSizes::isSymbolic(size))
      symbolic = true;
    else
      n.requireRange("sizes", {size}, 1, maxElements);
  }
  if (!n.ok())
    return failure();
  for (int64_t axis : request.axes)
    symbolic |= SymbolicSizes::isSymbolic(x.dim(axis));
  if (symbolic && policy != "stretch")
    return n.emitError() << "keep_aspect_ratio_policy '" << policy
                         << "' of symbolic sizes is not supported";
  if (request.sizes.size() == request.axes.size())
    keepAspectRatio(request, x, policy);
  return resize(n, x, request, roi, method);
}

LogicalResult importUpsample(Node &n) {
  Tensor x = n.input(0, "X");
  Method method;
  method.mode = n.getString("mode", "nearest");
  method.coordinates = "asymmetric";
  method.nearest = "floor";
  Request request;
  request.axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  if (n.opset() < 9) {
    auto numbers = n.getFloats("scales");
    for (float scale : numbers.value_or(SmallVector<float>()))
      request.scales.push_back(scale);
  } else {
    bindScales(n, 1, /*mayBeComputed=*/true, request);
  }
  request.computedScales.resize(request.scales.size());
  if (!n.ok() || !isOneOf(n, "mode", method.mode, {"nearest", "linear"}))
    return failure();
  return resize(n, x, request, {}, method);
}

} // namespace

void registerResizeOps(OpRegistry &r) {
  r.onOp("Resize", 10, importResize).symbolic();
  r.onOp("Upsample", 7, importUpsample).symbolic();
}

} // namespace qdialect::onnx_import

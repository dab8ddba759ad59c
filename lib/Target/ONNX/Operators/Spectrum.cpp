// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fourier transforms of a constant length as matrix products with matrices that
// depend on nothing else, so that they run on the kernels of products: with
// interleaved real and imaginary parts,
//
//   [re, im] of n samples * W (2 n x 2 m),  W = cos and sin of 2 pi k j / n
//
// and the windows that speech models put in front of them.

#include "Contraction.h"
#include "ElementTypes.h"
#include "Indexing.h"
#include "Registry.h"
#include "Scalars.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// The period of cos and sin of a longer transform would be no small constant.
constexpr int64_t maxSamples = 4096;

struct Transform {
  int64_t length;         ///< samples of the full transform
  int64_t inputs;         ///< positions that are given
  int64_t inputParts = 1; ///< 1: real, 2: real and imaginary
  int64_t outputs = 0;    ///< positions that are wanted
  int64_t outputParts = 2;
  bool inverse = false, onesided = false;
};

/// The matrix from [position, part] to [frequency, part], looked up in one
/// period of cos and sin. It is large where the signal is long, so
/// qd-fold-constants makes it a constant, not the importer.
Tensor transformMatrix(GraphBuilder &b, const Transform &t, Type type) {
  double sign = t.inverse ? 1 : -1;
  double norm = t.inverse ? 1.0 / static_cast<double>(t.length) : 1;
  SmallVector<double> period;
  for (int64_t i = 0; i < t.length; ++i) {
    double angle = sign * 2 * llvm::numbers::pi * static_cast<double>(i) /
                   static_cast<double>(t.length);
    period.append({std::cos(angle) * norm, std::sin(angle) * norm});
  }
  Value table = b.value(b.constant(type, {t.length, 2}, period));
  return generate(
      b, {t.inputs * t.inputParts, t.outputs * t.outputParts}, type, {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        Value inParts = s.i64(t.inputParts), outParts = s.i64(t.outputParts);
        Value from = s.divTotal(places[0], inParts),
              in = s.remTotal(places[0], inParts),
              to = s.divTotal(places[1], outParts),
              out = s.remTotal(places[1], outParts);
        Value isCosine = s.eq(in, out);
        Value entry =
            s.read(table, {s.remTotal(s.mul(from, to), s.i64(t.length)),
                           s.select(isCosine, s.i64(0), s.i64(1))});
        // (re + i im) (cos + i sin): the real part takes sin from im.
        Value isNegative = s.lt(out, in);
        entry = s.select(isNegative, s.neg(entry), entry);
        // Of a one-sided spectrum the mirrored half is added here.
        if (t.inverse && t.onesided) {
          Value isAlone =
              s.either(s.eq(from, s.i64(0)),
                       s.eq(s.mul(from, s.i64(2)), s.i64(t.length)));
          entry = s.select(isAlone, entry, s.mul(entry, s.number(entry, 2)));
        }
        // Samples beyond the transform's length count nothing.
        return s.select(s.lt(from, s.i64(t.length)), entry, s.number(entry, 0));
      });
}

/// `frames` (leading dimensions, positions, parts) transformed along its
/// positions.
FailureOr<Tensor> transformLast(Node &n, const Tensor &frames, Transform t) {
  Shape outer(frames.shape().drop_back(2));
  int64_t batch = 1;
  for (int64_t size : outer)
    batch *= size;
  Type type = frames.elementType();
  Tensor rows = n.b.reshape(frames, {batch, t.inputs * t.inputParts});
  FailureOr<Tensor> product =
      emitMatmul(n, rows, transformMatrix(n.b, t, type), type);
  if (failed(product))
    return failure();
  outer.append({t.outputs, t.outputParts});
  return n.b.reshape(*product, outer);
}

LogicalResult checkSamples(Node &n, int64_t length) {
  if (length >= 1 && length <= maxSamples)
    return success();
  return n.emitError() << "a transform of " << length
                       << " samples is outside of [1, " << maxSamples << "]";
}

LogicalResult importDFT(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 2);
  Transform t{};
  t.inverse = n.getInt("inverse", 0) != 0;
  t.onesided = n.getInt("onesided", 0) != 0;
  bool axisIsInput = n.opset() >= 20;
  int64_t axis = axisIsInput ? -2 : n.getInt("axis", 1);
  if (axisIsInput && n.hasInput(2))
    axis = n.constantInteger(2, "axis");
  axis = n.axis(axis, x.rank());
  if (!n.ok())
    return failure();
  int64_t last = x.rank() - 1;
  if (axis == last)
    return n.emitError() << "axis " << axis
                         << " is that of real and imaginary parts";
  t.inputs = x.dim(axis);
  t.inputParts = x.dim(last);
  if (t.inputParts != 1 && t.inputParts != 2)
    return n.emitError() << "input " << describeType(x.type)
                         << " must end in a dimension of 1 (real) or 2";
  bool toReal = t.inverse && t.onesided;
  t.length = toReal ? 2 * (t.inputs - 1) : t.inputs;
  if (n.hasInput(1))
    t.length = n.constantInteger(1, "dft_length");
  if (!n.ok() || failed(checkSamples(n, t.length)) ||
      failed(checkSamples(n, t.inputs)))
    return failure();
  t.outputs = t.onesided && !t.inverse ? t.length / 2 + 1 : t.length;
  t.outputParts = toReal ? 1 : 2;
  if (toReal) { // what lies beyond the half is mirrored already
    int64_t half = std::min(t.inputs, t.length / 2 + 1);
    x = n.b.sliceAxis(x, axis, 0, half);
    t.inputs = half;
  }
  // Positions beside their parts.
  Shape there, back(x.rank(), 0);
  for (int64_t i = 0; i < last; ++i)
    if (i != axis)
      there.push_back(i);
  there.append({axis, last});
  for (auto [to, from] : llvm::enumerate(there))
    back[from] = static_cast<int64_t>(to);
  FailureOr<Tensor> y = transformLast(n, n.b.transpose(x, there), t);
  return failed(y) ? failure() : n.result(n.b.transpose(*y, back));
}

LogicalResult importSTFT(Node &n) {
  Tensor x = n.floatInput(0, "signal");
  auto step = n.constantInteger(1, "frame_step");
  std::optional<Tensor> window = n.optionalInput(2);
  Transform t{};
  t.onesided = n.getInt("onesided", 1) != 0;
  if (!n.ok())
    return failure();
  if (x.rank() == 2)
    x = n.b.reshape(x, {x.dim(0), x.dim(1), 1});
  if (x.rank() != 3 || (x.dim(2) != 1 && x.dim(2) != 2))
    return n.emitError() << "signal " << describeType(x.type)
                         << " must be batch x samples x 1 or 2";
  if (window &&
      (window->rank() != 1 || window->elementType() != x.elementType()))
    return n.emitError() << "window " << describeType(window->type)
                         << " does not fit signal " << describeType(x.type);
  t.length = window ? window->dim(0) : x.dim(1);
  if (n.hasInput(3))
    t.length = n.constantInteger(3, "frame_length");
  if (!n.ok() || failed(checkSamples(n, t.length)) ||
      !n.requireRange("frame_step", {step}, 1, int64_t(1) << 31))
    return failure();
  if (t.length > x.dim(1) || (window && window->dim(0) != t.length))
    return n.emitError() << "frames of " << t.length
                         << " samples do not fit signal "
                         << describeType(x.type);
  int64_t count = (x.dim(1) - t.length) / step + 1;
  t.inputs = t.length;
  t.inputParts = x.dim(2);
  t.outputs = t.onesided ? t.length / 2 + 1 : t.length;
  Shape shape{x.dim(0), count, t.length, x.dim(2)};
  if (!isReasonableShape(shape))
    return n.emitError() << "frames of shape " << describeShape(shape)
                         << " are too large";
  Value signal = n.b.value(x);
  Tensor frames =
      generate(n.b, shape, x.elementType(), {},
               [&](const Scalars &s, ValueRange, ArrayRef<Value> at) {
                 Value sample = s.add(s.mul(at[1], s.i64(step)), at[2]);
                 return s.read(signal, {at[0], sample, at[3]});
               });
  if (window)
    frames = n.b.elementwise({frames, n.b.reshape(*window, {t.length, 1})},
                             x.elementType(),
                             [](OpBuilder &b, Location at, ValueRange v) {
                               return Scalars{b, at}.mul(v[0], v[1]);
                             });
  FailureOr<Tensor> y = transformLast(n, frames, t);
  return failed(y) ? failure() : n.result(*y);
}

/// The float type that output_datatype names.
Type outputType(Node &n) {
  int64_t to = n.getInt("output_datatype", 1);
  Type type = to > 0 && to <= INT32_MAX
                  ? getElementType(static_cast<int>(to), n.b.context())
                  : Type();
  if (n.ok() && (!type || !isFloat(type) || isSmallFloat(type)))
    n.emitError() << "attribute 'output_datatype' is " << to
                  << ", which is no float type of 16 bits and more";
  return type;
}

/// sum of factors[i] cos(2 pi i k / N) for k = 0, 1, ...
template <size_t terms>
LogicalResult importWindow(Node &n, const double (&factors)[terms]) {
  auto size = n.constantInteger(0, "size");
  bool periodic = n.getInt("periodic", 1) != 0;
  Type type = outputType(n);
  if (!n.ok() || !n.requireRange("size", {size}, 0, maxFoldedElements))
    return failure();
  auto period =
      static_cast<double>(periodic ? size : std::max<int64_t>(size - 1, 1));
  SmallVector<double> values;
  for (int64_t k = 0; k < size; ++k) {
    double value = 0;
    for (size_t i = 0; i < terms; ++i)
      value +=
          factors[i] * std::cos(2 * llvm::numbers::pi * static_cast<double>(i) *
                                static_cast<double>(k) / period);
    values.push_back(value);
  }
  return n.result(n.b.constant(type, {size}, values));
}

/// A triangle of frequencies for each band; bands are equally wide in mel.
LogicalResult importMelWeightMatrix(Node &n) {
  constexpr StringLiteral labels[] = {"num_mel_bins", "dft_length",
                                      "sample_rate", "lower_edge_hertz",
                                      "upper_edge_hertz"};
  double given[5];
  for (auto [index, label] : llvm::enumerate(labels))
    given[index] = n.constantNumber(index, label);
  Type type = outputType(n);
  if (!n.ok())
    return failure();
  auto bands = toInteger(given[0]), length = toInteger(given[1]),
       rate = toInteger(given[2]);
  if (!n.requireRange("num_mel_bins", {bands}, 1, maxSamples) ||
      !n.requireRange("dft_length", {length}, 1, 2 * maxSamples) ||
      !n.requireRange("sample_rate", {rate}, 1, int64_t(1) << 31))
    return failure();
  if (!(given[3] >= 0 && given[4] > given[3] &&
        given[4] <= static_cast<double>(rate) / 2))
    return n.emitError() << "edges " << given[3] << " and " << given[4]
                         << " are no range of frequencies at " << rate
                         << " samples a second";
  auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  double low = mel(given[3]);
  double step = (mel(given[4]) - low) / static_cast<double>(bands + 2);
  Shape edges;
  for (int64_t i = 0; i < bands + 2; ++i) {
    double hertz =
        700 * (std::pow(10, (static_cast<double>(i) * step + low) / 2595) - 1);
    edges.push_back(toInteger(std::floor(static_cast<double>(length + 1) *
                                         hertz / static_cast<double>(rate))));
  }
  Value table = n.b.value(n.b.integers({bands + 2}, edges));
  Type f64 = n.b.builder.getF64Type();
  return n.result(generate(
      n.b, {length / 2 + 1, bands}, type, {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> at) {
        Value line = at[0];
        Value left = s.read(table, {at[1]}),
              centre = s.read(table, {s.add(at[1], s.i64(1))}),
              right = s.read(table, {s.add(at[1], s.i64(2))});
        auto share = [&](Value part, Value whole) {
          return s.div(s.cast(part, f64), s.cast(whole, f64));
        };
        Value rising = share(s.sub(line, left), s.sub(centre, left)),
              falling = share(s.sub(right, line), s.sub(right, centre));
        Value isBefore = s.lt(line, centre), isPeak = s.eq(line, centre);
        Value slope = s.select(isPeak, s.number(rising, 1),
                               s.select(isBefore, rising, falling));
        Value isInside =
            s.either(isPeak, s.both(s.le(left, line), s.lt(line, right)));
        return s.cast(s.select(isInside, slope, s.number(slope, 0)), type);
      }));
}

constexpr double hann[] = {0.5, -0.5};
constexpr double hamming[] = {25.0 / 46.0, -21.0 / 46.0};
constexpr double blackman[] = {0.42, -0.5, 0.08};

} // namespace

void registerSpectrumOps(OpRegistry &r) {
  r.onOp("DFT", 17, importDFT, "constant length of at most 4096");
  r.onOp("STFT", 17, importSTFT, "constant frames of at most 4096 samples");
  auto window = [&](StringRef name, const auto &factors) {
    r.onOp(
        name, 17,
        [values = &factors](Node &n) { return importWindow(n, *values); },
        "constant size");
  };
  r.onOp("MelWeightMatrix", 17, importMelWeightMatrix, "constant inputs");
  window("HannWindow", hann);
  window("HammingWindow", hamming);
  window("BlackmanWindow", blackman);
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of images at computed places: RoiAlign, and AffineGrid, which computes
// the places for GridSample.

#include "ElementTypes.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// The two pixels around a position along one dimension and their weights.
struct Neighbours {
  Value low, high, lowWeight, highWeight, isInside;
};

/// Positions up to one pixel outside of the image take its border.
Neighbours neighboursOf(const Scalars &s, Value x, int64_t size) {
  auto number = [&](double value) { return s.number(x, value); };
  auto last = static_cast<double>(size - 1);
  Neighbours n;
  n.isInside =
      s.both(s.le(number(-1), x), s.le(x, number(static_cast<double>(size))));
  // What lies outside is read nowhere, but its place must exist.
  x = s.select(n.isInside, s.max(x, number(0)), number(0));
  Value floor = s.min(s.floor(x), number(last));
  Value atEnd = s.le(number(last), floor);
  n.highWeight = s.select(atEnd, number(0), s.sub(x, floor));
  n.lowWeight = s.sub(number(1), n.highWeight);
  n.low = s.cast(floor, s.b.getI64Type());
  n.high = s.clampIndex(s.add(n.low, s.i64(1)), size);
  return n;
}

struct RoiPool {
  bool isMax = false;
  int64_t ratio = 0; ///< 0: as many samples as a bin has pixels
  double scale = 1, offset = 0;
};

/// The bins of a region along one dimension.
struct Bins {
  Value begin, step;
};

Bins binsOf(const Scalars &s, const RoiPool &pool, Value begin, Value end,
            int64_t bins) {
  auto number = [&](double value) { return s.number(begin, value); };
  auto scaled = [&](Value edge) {
    return s.sub(s.mul(edge, number(pool.scale)), number(pool.offset));
  };
  begin = scaled(begin);
  Value length = s.sub(scaled(end), begin);
  if (pool.offset == 0)
    length = s.max(length, number(1));
  return {begin, s.div(length, number(static_cast<double>(bins)))};
}

/// Where sample number `sample` of `ratio` ones in bin `bin` lies.
Value samplePosition(const Scalars &s, const Bins &bins, Value bin,
                     Value sample, Value ratio) {
  Type type = bins.begin.getType();
  Value half = s.number(type, 0.5);
  Value within =
      s.div(s.mul(s.add(s.cast(sample, type), half), bins.step), ratio);
  return s.add(s.add(bins.begin, s.mul(s.cast(bin, type), bins.step)), within);
}

/// RoiAlign of one image tensor.
class RoiSampler {
public:
  RoiSampler(GraphBuilder &b, const RoiPool &pool, const Tensor &x,
             const Tensor &rois, const Tensor &batches, int64_t height,
             int64_t width)
      : b(b), pool(pool), x(x), type(x.elementType()), image(b.value(x)),
        regions(b.value(rois)), owners(b.value(batches)), height(height),
        width(width), shape{rois.dim(0), x.dim(1), height, width} {}

  Tensor fixed();
  Tensor adaptive();

private:
  double start() const {
    return pool.isMax ? -std::numeric_limits<double>::infinity() : 0;
  }
  Bins bins(const Scalars &s, ArrayRef<Value> places, int64_t edge,
            int64_t count) {
    auto at = [&](int64_t i) { return s.read(regions, {places[0], s.i64(i)}); };
    return binsOf(s, pool, at(edge), at(edge + 2), count);
  }
  Value accumulate(const Scalars &s, Value sum, ArrayRef<Value> places,
                   Value row, Value column);

  GraphBuilder &b;
  const RoiPool &pool;
  const Tensor &x;
  Type type;
  Value image, regions, owners;
  int64_t height, width;
  Shape shape;
};

/// The sample at (row, column) added to the others, or their maximum.
Value RoiSampler::accumulate(const Scalars &s, Value sum,
                             ArrayRef<Value> places, Value row, Value column) {
  Value batch = s.clampIndex(s.read(owners, {places[0]}), x.dim(0));
  Neighbours y = neighboursOf(s, row, x.dim(2)),
             across = neighboursOf(s, column, x.dim(3));
  Value isInside = s.both(y.isInside, across.isInside), sample;
  for (auto [r, rowWeight] :
       {std::pair(y.low, y.lowWeight), std::pair(y.high, y.highWeight)})
    for (auto [c, columnWeight] : {std::pair(across.low, across.lowWeight),
                                   std::pair(across.high, across.highWeight)}) {
      Value part = s.mul(s.mul(rowWeight, columnWeight),
                         s.read(image, {batch, places[1], r, c}));
      // The specification's maximum is one of weighted pixels.
      sample = !sample      ? part
               : pool.isMax ? s.max(sample, part)
                            : s.add(sample, part);
    }
  sample = s.select(isInside, sample, s.number(type, 0));
  return pool.isMax ? s.max(sum, sample) : s.add(sum, sample);
}

Tensor RoiSampler::fixed() {
  auto ratio = static_cast<double>(pool.ratio);
  Tensor pooled = generateReduced(
      b, shape, {pool.ratio, pool.ratio}, type, start(), {},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) -> Value {
        Value samples = s.number(type, ratio);
        Value row = samplePosition(s, bins(s, places, 1, height), places[2],
                                   places[4], samples);
        Value column = samplePosition(s, bins(s, places, 0, width), places[3],
                                      places[5], samples);
        return accumulate(s, v[0], places, row, column);
      });
  if (pool.isMax)
    return pooled;
  return b.elementwise({pooled}, type,
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.div(v[0], s.number(type, ratio * ratio));
                       });
}

/// Bins of different numbers of samples: one after the other.
Tensor RoiSampler::adaptive() {
  Tensor storage = b.tensor(b.empty(shape, type));
  return updateInOrder(
      b, storage, shape,
      [&](const Scalars &s, ArrayRef<Value> places, Value tensor) {
        Bins rows = bins(s, places, 1, height),
             columns = bins(s, places, 0, width);
        auto samplesOf = [&](const Bins &along) {
          Value count = math::CeilOp::create(s.b, s.loc, along.step);
          // A region of no sensible size has none.
          Value isCount = s.both(s.lt(s.number(type, 0), count),
                                 s.lt(count, s.number(type, 0x1p20)));
          return s.select(isCount, count, s.number(type, 0));
        };
        Value high = samplesOf(rows), wide = samplesOf(columns);
        auto loop = [&](const Scalars &outer, Value count, Value sum,
                        function_ref<Value(const Scalars &, Value, Value)> body)
            -> Value {
          Value bound = outer.cast(outer.cast(count, outer.b.getI64Type()),
                                   outer.b.getIndexType());
          auto made = scf::ForOp::create(
              outer.b, outer.loc, b.index(0), bound, b.index(1), sum,
              [&](OpBuilder &nested, Location at, Value i, ValueRange carried) {
                Scalars in{nested, at};
                Value number = in.cast(i, nested.getI64Type());
                scf::YieldOp::create(nested, at, body(in, number, carried[0]));
              });
          return made.getResult(0);
        };
        Value sum = loop(
            s, high, s.number(type, start()),
            [&](const Scalars &outer, Value i, Value partial) {
              Value row = samplePosition(outer, rows, places[2], i, high);
              return loop(outer, wide, partial,
                          [&](const Scalars &in, Value j, Value most) {
                            Value column =
                                samplePosition(in, columns, places[3], j, wide);
                            return accumulate(in, most, places, row, column);
                          });
            });
        Value samples = s.mul(high, wide), zero = s.number(type, 0);
        if (!pool.isMax)
          sum = s.div(sum, s.max(samples, s.number(type, 1)));
        sum = s.select(s.lt(zero, samples), sum, zero);
        return write(s, sum, tensor, places);
      });
}

LogicalResult importRoiAlign(Node &n) {
  Tensor x = n.floatInput(0, "X"), rois = n.floatInput(1, "rois"),
         batches = n.input(2, "batch_indices");
  RoiPool pool;
  std::string mode = n.getString("mode", "avg"),
              place = n.getString("coordinate_transformation_mode",
                                  n.opset() < 16 ? "output_half_pixel"
                                                 : "half_pixel");
  int64_t height = n.getInt("output_height", 1),
          width = n.getInt("output_width", 1);
  pool.ratio = n.getInt("sampling_ratio", 0);
  pool.scale = static_cast<double>(n.getFloat("spatial_scale", 1));
  n.requireSameType(x, rois);
  if (!n.ok())
    return failure();
  pool.isMax = mode == "max";
  pool.offset = place == "half_pixel" ? 0.5 : 0;
  if ((mode != "max" && mode != "avg") ||
      (place != "half_pixel" && place != "output_half_pixel"))
    return n.emitError() << "mode '" << mode << "' with coordinates '" << place
                         << "' is not known";
  if (x.rank() != 4 || rois.rank() != 2 || rois.dim(1) != 4 ||
      batches.rank() != 1 || batches.dim(0) != rois.dim(0) ||
      !batches.elementType().isInteger(64) || llvm::is_contained(x.shape(), 0))
    return n.emitError() << "X " << describeType(x.type) << ", rois "
                         << describeType(rois.type) << " and batch_indices "
                         << describeType(batches.type) << " do not fit";
  if (!x.type.hasStaticShape())
    return n.emitError() << "the sizes of X, " << n.b.describe(x)
                         << ", must not be symbolic";
  if (!n.requireRange("sampling_ratio", {pool.ratio}, 0, 1 << 10) ||
      !n.requireRange("output size", {height, width}, 1, 1 << 20))
    return failure();
  RoiSampler sampler(n.b, pool, x, rois, batches, height, width);
  return n.result(pool.ratio == 0 ? sampler.adaptive() : sampler.fixed());
}

/// The coordinates theta * (x, y, 1) of each pixel, in [-1, 1].
LogicalResult importAffineGrid(Node &n) {
  Tensor theta = n.floatInput(0, "theta");
  Shape size = n.constantIntegers(1, "size");
  bool alignCorners = n.getInt("align_corners", 0) != 0;
  if (!n.ok())
    return failure();
  auto spatial = static_cast<int64_t>(size.size()) - 2;
  bool fits = (spatial == 2 || spatial == 3) && theta.rank() == 3 &&
              theta.dim(0) == size[0] && theta.dim(1) == spatial &&
              theta.dim(2) == spatial + 1 && isReasonableShape(size);
  if (!fits)
    return n.emitError() << "theta " << describeType(theta.type)
                         << " does not fit size " << describeShape(size);
  Shape shape{size[0]};
  llvm::append_range(shape, ArrayRef(size).drop_front(2));
  shape.push_back(spatial);
  Value matrix = n.b.value(theta);
  Type type = theta.elementType();
  return n.result(generate(
      n.b, shape, type, {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        auto number = [&](double value) { return s.number(type, value); };
        auto factor = [&](int64_t column) {
          return s.read(matrix, {places[0], places.back(), s.i64(column)});
        };
        Value sum = factor(spatial);
        for (int64_t axis = 0; axis < spatial; ++axis) {
          // theta's columns name the last dimension first.
          auto extent = static_cast<double>(size[axis + 2]);
          Value pixel = s.cast(places[axis + 1], type), x;
          if (alignCorners)
            x = s.sub(s.div(s.mul(pixel, number(2)),
                            number(std::max(extent - 1, 1.0))),
                      number(1));
          else
            x = s.sub(s.div(s.add(s.mul(pixel, number(2)), number(1)),
                            number(extent)),
                      number(1));
          sum = s.add(sum, s.mul(factor(spatial - 1 - axis), x));
        }
        return sum;
      }));
}

} // namespace

void registerRegionOps(OpRegistry &r) {
  r.onOp("RoiAlign", 10, importRoiAlign, "X of known sizes").symbolic();
  r.onOp("AffineGrid", 20, importAffineGrid, "constant size");
}

} // namespace qdialect::onnx_import

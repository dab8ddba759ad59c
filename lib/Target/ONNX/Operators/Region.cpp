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
  int64_t ratio = 0;
  double scale = 1, offset = 0;
};

/// The sample number `sample` of bin `bin` along one dimension of a region.
Value samplePosition(const Scalars &s, const RoiPool &pool, Value begin,
                     Value end, Value bin, Value sample, int64_t bins) {
  auto number = [&](double value) { return s.number(begin, value); };
  auto scaled = [&](Value edge) {
    return s.sub(s.mul(edge, number(pool.scale)), number(pool.offset));
  };
  begin = scaled(begin);
  Value length = s.sub(scaled(end), begin);
  if (pool.offset == 0)
    length = s.max(length, number(1));
  Value step = s.div(length, number(static_cast<double>(bins)));
  Type type = begin.getType();
  Value within = s.div(s.mul(s.add(s.cast(sample, type), number(0.5)), step),
                       number(static_cast<double>(pool.ratio)));
  return s.add(s.add(begin, s.mul(s.cast(bin, type), step)), within);
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
  if (pool.ratio == 0)
    return n.emitError() << "attribute 'sampling_ratio' 0 (a number of samples "
                            "that depends on the region) is not supported";
  if (!n.requireRange("sampling_ratio", {pool.ratio}, 1, 1 << 10) ||
      !n.requireRange("output size", {height, width}, 1, 1 << 20))
    return failure();
  Type type = x.elementType();
  Value image = n.b.value(x), regions = n.b.value(rois),
        owners = n.b.value(batches);
  Shape shape{rois.dim(0), x.dim(1), height, width};
  Tensor pooled = generateReduced(
      n.b, shape, {pool.ratio, pool.ratio}, type,
      pool.isMax ? -std::numeric_limits<double>::infinity() : 0, {},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) -> Value {
        Value batch = s.clampIndex(s.read(owners, {places[0]}), x.dim(0));
        auto edge = [&](int64_t i) {
          return s.read(regions, {places[0], s.i64(i)});
        };
        Neighbours row =
            neighboursOf(s,
                         samplePosition(s, pool, edge(1), edge(3), places[2],
                                        places[4], height),
                         x.dim(2));
        Neighbours column =
            neighboursOf(s,
                         samplePosition(s, pool, edge(0), edge(2), places[3],
                                        places[5], width),
                         x.dim(3));
        Value isInside = s.both(row.isInside, column.isInside), sample;
        for (auto [r, rowWeight] : {std::pair(row.low, row.lowWeight),
                                    std::pair(row.high, row.highWeight)})
          for (auto [c, columnWeight] :
               {std::pair(column.low, column.lowWeight),
                std::pair(column.high, column.highWeight)}) {
            Value part = s.mul(s.mul(rowWeight, columnWeight),
                               s.read(image, {batch, places[1], r, c}));
            // The specification's maximum is one of weighted pixels.
            sample = !sample      ? part
                     : pool.isMax ? s.max(sample, part)
                                  : s.add(sample, part);
          }
        sample = s.select(isInside, sample, s.number(type, 0));
        return pool.isMax ? s.max(v[0], sample) : s.add(v[0], sample);
      });
  if (pool.isMax)
    return n.result(pooled);
  auto samples = static_cast<double>(pool.ratio * pool.ratio);
  return n.result(n.b.elementwise(
      {pooled}, type, [&](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        return s.div(v[0], s.number(type, samples));
      }));
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
  r.onOp("RoiAlign", 10, importRoiAlign, "sampling_ratio of at least 1");
  r.onOp("AffineGrid", 20, importAffineGrid, "constant size");
}

} // namespace qdialect::onnx_import

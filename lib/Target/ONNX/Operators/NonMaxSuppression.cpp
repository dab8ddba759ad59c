// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NonMaxSuppression. For each class of each image, as often as boxes are asked
// for, the best one that is left is taken and those that it overlaps too much
// are dropped:
//
//   alive[i] = score[i] > threshold
//   repeat:  alive[i] &= not suppressed(i, last);  last = argmax of alive
//   scores
//
// which keeps what going through the boxes in falling order of their scores
// keeps. Of equal scores the first one is the better. NaN is no score: such a
// box is never taken. The number of rows is a size that the program computes;
// until it is known they lie behind it in storage for all that can be.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// The edges of a box; two of each axis, the lower one first.
struct Box {
  Value x[2], y[2];
  Value area;
};

class Suppression {
public:
  Suppression(GraphBuilder &b, const Tensor &boxes, const Tensor &scores,
              bool centers)
      : b(b), boxes(b.value(boxes)), scores(b.value(scores)),
        images(b.index(scores.dim(0))), classes(b.index(scores.dim(1))),
        count(b.index(scores.dim(2))), centers(centers) {}

  Value build(Value rows, int64_t numBoxes);

  /// f32; no threshold: every box has a chance. i64: boxes asked for, of each
  /// class.
  Value overlap, threshold, most;

private:
  using Body = function_ref<SmallVector<Value>(const Scalars &, Value counter,
                                               ValueRange carried)>;
  SmallVector<Value> loop(const Scalars &s, Value high, ValueRange carried,
                          Body body);
  Value at(const Scalars &s, Value tensor, ValueRange places) {
    return tensor::ExtractOp::create(s.b, s.loc, tensor, places);
  }
  Value set(const Scalars &s, Value element, Value tensor, ValueRange places) {
    return tensor::InsertOp::create(s.b, s.loc, element, tensor, places);
  }
  Value place(const Scalars &s, Value number) {
    return s.cast(s.max(number, s.i64(0)), s.b.getIndexType());
  }
  Value startAlive(const Scalars &s, Value image, Value kind, Value alive);
  Box boxAt(const Scalars &s, Value image, Value number);
  Value suppresses(const Scalars &s, const Box &one, const Box &other);
  SmallVector<Value> takeNext(const Scalars &s, Value image, Value kind,
                              ValueRange carried);

  GraphBuilder &b;
  Value boxes, scores, images, classes, count;
  bool centers;
};

SmallVector<Value> Suppression::loop(const Scalars &s, Value high,
                                     ValueRange carried, Body body) {
  auto made = scf::ForOp::create(
      s.b, s.loc, b.index(0), high, b.index(1), carried,
      [&](OpBuilder &nested, Location at, Value counter, ValueRange values) {
        Scalars inner{nested, at};
        scf::YieldOp::create(nested, at, body(inner, counter, values));
      });
  return made.getResults();
}

Value Suppression::startAlive(const Scalars &s, Value image, Value kind,
                              Value alive) {
  return loop(s, count, {alive},
              [&](const Scalars &in, Value i, ValueRange carried) {
                Value score = at(in, scores, {image, kind, i});
                Value chance =
                    threshold ? in.lt(threshold, score) : in.eq(score, score);
                return SmallVector<Value>{set(in, chance, carried[0], {i})};
              })[0];
}

Box Suppression::boxAt(const Scalars &s, Value image, Value number) {
  Value four[4];
  for (int i = 0; i < 4; ++i)
    four[i] = at(s, boxes, {image, number, b.index(i)});
  Box box;
  auto edges = [&](Value first, Value second, Value(&to)[2]) {
    if (centers) { // a center and a size
      Value half = s.div(second, s.number(second, 2));
      to[0] = s.sub(first, half);
      to[1] = s.add(first, half);
      return;
    }
    Value isFalling = s.le(second, first);
    to[0] = s.select(isFalling, second, first);
    to[1] = s.select(isFalling, first, second);
  };
  if (centers) {
    edges(four[0], four[2], box.x);
    edges(four[1], four[3], box.y);
  } else {
    edges(four[1], four[3], box.x);
    edges(four[0], four[2], box.y);
  }
  box.area = s.mul(s.sub(box.x[1], box.x[0]), s.sub(box.y[1], box.y[0]));
  return box;
}

/// Do the boxes have more than the share `overlap` of their union in common?
/// Boxes without area never do.
Value Suppression::suppresses(const Scalars &s, const Box &one,
                              const Box &other) {
  Value low[2] = {s.max(one.x[0], other.x[0]), s.max(one.y[0], other.y[0])},
        high[2] = {s.min(one.x[1], other.x[1]), s.min(one.y[1], other.y[1])};
  Value common = s.mul(s.sub(high[0], low[0]), s.sub(high[1], low[1]));
  Value all = s.sub(s.add(one.area, other.area), common);
  Value zero = s.number(common, 0);
  Value test = s.both(s.lt(low[0], high[0]), s.lt(low[1], high[1]));
  for (Value area : {common, one.area, other.area, all})
    test = s.both(test, s.lt(zero, area));
  return s.both(test, s.lt(overlap, s.div(common, all)));
}

/// One round. Carried: the rows found (the first one holds their number), the
/// boxes alive, and the one that was taken last: -1 before the first, -2 when
/// none is left, after which rounds have nothing to do.
SmallVector<Value> Suppression::takeNext(const Scalars &s, Value image,
                                         Value kind, ValueRange carried) {
  Value last = carried[2], isFirst = s.eq(last, s.i64(-1));
  Box taken = boxAt(s, image, place(s, last));
  Value left = s.select(s.lt(last, s.i64(-1)), b.index(0), count);
  Value noScore = s.number(s.b.getF32Type(), 0);
  SmallVector<Value> best =
      loop(s, left, {carried[1], s.i64(-1), noScore},
           [&](const Scalars &in, Value i, ValueRange values) {
             auto branch = scf::IfOp::create(
                 in.b, in.loc, at(in, values[0], {i}),
                 [&](OpBuilder &nested, Location loc) {
                   Scalars inner{nested, loc};
                   Value dropped =
                       suppresses(inner, boxAt(inner, image, i), taken);
                   Value stays = inner.either(
                       isFirst, inner.eq(dropped, inner.number(dropped, 0)));
                   scf::YieldOp::create(nested, loc, stays);
                 },
                 [&](OpBuilder &nested, Location loc) {
                   scf::YieldOp::create(
                       nested, loc,
                       Scalars{nested, loc}.number(nested.getI1Type(), 0));
                 });
             Value alive = branch.getResult(0),
                   score = at(in, scores, {image, kind, i});
             Value wins = in.both(alive, in.either(in.lt(values[1], in.i64(0)),
                                                   in.lt(values[2], score)));
             Value number = in.cast(i, in.b.getI64Type());
             return SmallVector<Value>{set(in, alive, values[0], {i}),
                                       in.select(wins, number, values[1]),
                                       in.select(wins, score, values[2])};
           });
  // Written in any case: what was not found is written over, or not looked at.
  Value isFound = s.le(s.i64(0), best[1]);
  Value zero = b.index(0), rows = carried[0], found = at(s, rows, {zero, zero});
  Value row = s.cast(s.add(found, s.i64(1)), s.b.getIndexType());
  Type i64 = s.b.getI64Type();
  Value triple[] = {s.cast(image, i64), s.cast(kind, i64), best[1]};
  for (auto [column, number] : llvm::enumerate(triple))
    rows = set(s, number, rows, {row, b.index(static_cast<int64_t>(column))});
  rows = set(s, s.add(found, s.cast(isFound, i64)), rows, {zero, zero});
  Value gone = s.number(s.b.getI1Type(), 0);
  Value alive = set(s, gone, best[0], {place(s, best[1])});
  return {rows, alive, s.select(isFound, best[1], s.i64(-2))};
}

Value Suppression::build(Value rows, int64_t numBoxes) {
  Scalars s{b.builder, b.loc};
  Value alive = b.empty({numBoxes}, b.builder.getI1Type());
  return loop(s, images, {rows, alive},
              [&](const Scalars &outer, Value image, ValueRange values) {
                return loop(
                    outer, classes, values,
                    [&](const Scalars &in, Value kind, ValueRange carried) {
                      Value start = startAlive(in, image, kind, carried[1]);
                      Value rounds =
                          in.min(count, in.cast(most, in.b.getIndexType()));
                      SmallVector<Value> ends = loop(
                          in, rounds, {carried[0], start, in.i64(-1)},
                          [&](const Scalars &round, Value, ValueRange now) {
                            return takeNext(round, image, kind, now);
                          });
                      ends.pop_back();
                      return ends;
                    });
              })[0];
}

/// An optional input of one element; its error names it.
std::optional<Tensor> single(Node &n, size_t index, StringRef label,
                             Type type) {
  std::optional<Tensor> tensor = n.optionalInput(index);
  if (tensor && n.ok() &&
      (tensor->size() != 1 || tensor->elementType() != type))
    n.emitError() << "input " << label << " is " << describeType(tensor->type)
                  << ", but must be one " << type;
  return tensor;
}

LogicalResult importNonMaxSuppression(Node &n) {
  GraphBuilder &b = n.b;
  Type i64 = b.builder.getI64Type(), f32 = b.builder.getF32Type();
  Tensor boxes = n.input(0, "boxes"), scores = n.input(1, "scores");
  auto most = single(n, 2, "max_output_boxes_per_class", i64),
       overlap = single(n, 3, "iou_threshold", f32),
       threshold = single(n, 4, "score_threshold", f32);
  int64_t centers = n.getInt("center_point_box", 0);
  n.requireRange("center_point_box", {centers}, 0, 1);
  if (!n.ok())
    return failure();
  bool fits = boxes.rank() == 3 && scores.rank() == 3 && boxes.dim(2) == 4 &&
              boxes.dim(0) == scores.dim(0) && boxes.dim(1) == scores.dim(2);
  if (!fits || boxes.elementType() != f32 || scores.elementType() != f32)
    return n.emitError() << "boxes " << b.describe(boxes) << " and scores "
                         << b.describe(scores)
                         << " are not f32 of images x boxes x 4 and images x "
                            "classes x boxes";
  // The most rows that there can be; none are asked for by default.
  int64_t perClass = most ? boxes.dim(1) : 0;
  if (most && most->isConstant() && !most->hasSymbolicElements())
    perClass =
        b.sizes.min(perClass, std::clamp<int64_t>(most->data->asInteger(0), 0,
                                                  SymbolicSizes::kUnbounded));
  int64_t limit = b.sizes.product({scores.dim(0), scores.dim(1), perClass});
  if (limit == 0)
    return n.result(b.integers({0, 3}, {}));
  auto name = n.dataSizeName(0, 0);
  if (!name)
    return failure();
  auto element = [&](const Tensor &tensor) -> Value {
    return tensor::ExtractOp::create(
        b.builder, b.loc, b.value(b.reshape(tensor, {})), ValueRange());
  };
  Scalars s{b.builder, b.loc};
  Suppression suppression(b, boxes, scores, centers != 0);
  suppression.overlap = overlap ? element(*overlap) : s.number(f32, 0);
  if (threshold)
    suppression.threshold = element(*threshold);
  suppression.most = element(*most);
  Value start = b.filled({b.sizes.add(limit, 2), 3}, i64, 0);
  Tensor rows = b.tensor(suppression.build(start, boxes.dim(1)),
                         {b.sizes.add(limit, 2), 3});
  Tensor found = b.reshape(b.slice(rows, {0, 0}, {1, 1}, {1, 1}), {});
  int64_t count = b.dataSize(found, *name, limit);
  return n.result(b.slice(rows, {1, 0}, {count, 3}, {1, 1}));
}

} // namespace

void registerNonMaxSuppressionOps(OpRegistry &r) {
  r.onOp("NonMaxSuppression", 10, importNonMaxSuppression).symbolic();
}

} // namespace qdialect::onnx_import

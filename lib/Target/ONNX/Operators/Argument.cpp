// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ArgMax, ArgMin, Hardmax and TopK: which elements are the largest. The place
// of the largest is the smallest (or last) index among those equal to the
// maximum; ranks are counted, so no order of evaluation is implied.

#include "ComputedNumbers.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

bool isOrdered(Type type) {
  return isUnsignedType(type) || isFloat(type) ||
         (isSignlessInteger(type) && !type.isInteger(1));
}

double lowest(Type type) {
  return isFloat(type)
             ? -std::numeric_limits<double>::infinity()
             : -std::ldexp(1.0,
                           static_cast<int>(type.getIntOrFloatBitWidth()) - 1);
}

/// x, or for the smallest its order-reversing image (-x, or ~x for integers);
/// unsigned integers as signed ones in the same order.
Tensor oriented(GraphBuilder &b, const Tensor &x, bool largest) {
  bool isUnsigned = isUnsignedType(x.elementType());
  if (largest && !isUnsigned)
    return x;
  Type type = storageType(x.elementType());
  return b.elementwise(
      {x}, type, [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        Scalars s{nested, at};
        if (isFloat(type))
          return s.neg(v[0]);
        // All bits, the top one, or all but the top one.
        double half = -lowest(type);
        double flipped = !isUnsigned ? -1 : largest ? -half : half - 1;
        return arith::XOrIOp::create(nested, at, s.toStorage(v[0]),
                                     s.number(type, flipped));
      });
}

/// Loops of x without `axis`.
SmallVector<unsigned> loopsWithout(int64_t rank, int64_t axis) {
  SmallVector<unsigned> loops;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis)
      loops.push_back(i);
  return loops;
}

/// The place of the largest element along `axis`, which disappears. The first
/// NaN counts as the largest.
Tensor argMax(GraphBuilder &b, const Tensor &x, int64_t axis, bool last) {
  Tensor largest = b.reduce(x, {axis}, lowest(x.elementType()),
                            [](OpBuilder &nested, Location at, ValueRange v) {
                              return Scalars{nested, at}.max(v[1], v[0]);
                            });
  // x with `axis` last, so that it is the reduction loop.
  Shape order, kept;
  for (unsigned loop : loopsWithout(x.rank(), axis)) {
    order.push_back(loop);
    kept.push_back(x.dim(loop));
  }
  order.push_back(axis);
  Type i64 = b.builder.getI64Type();
  double start = last ? -1 : 0x1p63;
  return generateReduced(
      b, kept, {x.dim(axis)}, i64, start,
      {along(b.transpose(x, order)), along(largest)},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value isLargest = s.eq(v[0], v[1]);
        if (isFloat(v[0].getType()))
          isLargest = s.either(isLargest, s.isNaN(v[0]));
        Value place = s.select(isLargest, places.back(), s.number(i64, start));
        return last ? s.max(v[2], place) : s.min(v[2], place);
      });
}

OpRegistry::Handler argOperator(bool largest) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.input(0, "data");
    n.requireRank(x, "data", 1);
    int64_t axis = n.axis(n.getInt("axis", 0), std::max<int64_t>(x.rank(), 1));
    bool keep = n.getInt("keepdims", 1) != 0,
         last = n.getInt("select_last_index", 0) != 0;
    if (!n.ok())
      return failure();
    if (!isOrdered(x.elementType()))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    if (x.dim(axis) == 0)
      return n.emitError() << "axis " << axis << " of " << describeType(x.type)
                           << " has no element to choose";
    Tensor y = argMax(n.b, oriented(n.b, x, largest), axis, last);
    Shape kept(x.shape());
    kept[axis] = 1;
    return n.result(keep ? n.b.reshape(y, kept) : y);
  };
}

/// One where the (first) largest element of the row is, else zero.
LogicalResult importHardmax(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 1);
  int64_t axis = n.axis(n.getInt("axis", n.opset() < 13 ? 1 : -1),
                        std::max<int64_t>(x.rank(), 1));
  if (!n.ok())
    return failure();
  // Before opset 13 everything from the axis on is one row.
  Shape rows{1, 1};
  for (int64_t i = 0; i < x.rank(); ++i) {
    int64_t &size = rows[i < axis ? 0 : 1];
    size = n.b.sizes.mul(size, x.dim(i));
  }
  Tensor seen = n.opset() < 13 ? n.b.reshape(x, rows) : x;
  int64_t along = n.opset() < 13 ? 1 : axis;
  if (seen.dim(along) == 0)
    return n.result(x);
  Mapped place{argMax(n.b, seen, along, /*last=*/false),
               loopsWithout(seen.rank(), along)};
  Type type = x.elementType();
  Tensor y =
      generate(n.b, seen.shape(), type, {place},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 return s.select(s.eq(places[along], v[0]), s.number(type, 1),
                                 s.number(type, 0));
               });
  return n.result(n.b.reshape(y, x.shape()));
}

/// The number of elements of each row (the last axis) that come before each
/// one: larger ones, and equal ones with a smaller index. NaN comes first.
Tensor ranks(GraphBuilder &b, const Tensor &x) {
  int64_t last = x.rank() - 1;
  Mapped other = along(x);
  other.loops[last] = last + 1;
  return generateReduced(
      b, x.shape(), {x.dim(last)}, b.builder.getI64Type(), 0, {along(x), other},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value larger = s.lt(v[0], v[1]), equal = s.eq(v[0], v[1]);
        if (isFloat(v[0].getType())) {
          Value mine = s.isNaN(v[0]), its = s.isNaN(v[1]);
          Value yes = s.number(s.b.getI1Type(), 1);
          Value notMine = arith::XOrIOp::create(s.b, s.loc, mine, yes);
          larger = s.either(larger, s.both(its, notMine));
          equal = s.either(equal, s.both(mine, its));
        }
        Value before = s.either(
            larger, s.both(equal, s.lt(places[last + 1], places[last])));
        return s.add(v[2], s.cast(before, s.b.getI64Type()));
      });
}

/// The one number of an input, from 0 to `limit`.
int64_t oneSize(Node &n, size_t index, StringRef label, int64_t limit) {
  Shape numbers = sizesOperand(n, index, label, limit);
  if (n.ok() && numbers.size() != 1)
    n.emitError() << "input " << label << " has " << numbers.size()
                  << " numbers, but must have one";
  return n.ok() ? numbers[0] : 0;
}

LogicalResult importTopK(Node &n) {
  Tensor x = n.input(0, "X");
  n.requireRank(x, "X", 1);
  int64_t axis = n.axis(n.getInt("axis", -1), std::max<int64_t>(x.rank(), 1));
  bool largest = n.getInt("largest", 1) != 0;
  n.ignore({"sorted"}); // an order nobody asked for may be the sorted one
  if (!n.ok())
    return failure();
  int64_t k =
      n.opset() < 10 ? n.getInt("k", -1) : oneSize(n, 1, "K", x.dim(axis));
  if (!n.ok())
    return failure();
  if (!isOrdered(x.elementType()))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  SymbolicSizes &sizes = n.b.sizes;
  if (!isAtMost(sizes, k, x.dim(axis)) && sizes.isComputed(k) &&
      n.b.canDependOnData()) {
    n.b.requireEqual(k, sizes.min(k, x.dim(axis)), n.describe() + "K");
  } else if (sizes.bounds(k).low < 0 || !isAtMost(sizes, k, x.dim(axis)))
    return n.emitError() << "K is " << sizes.print(k) << ", but axis " << axis
                         << " of " << n.b.describe(x) << " has "
                         << sizes.print(x.dim(axis)) << " elements";
  // Rows last: ranks, then for each place the index of the element whose rank
  // it is.
  Shape order, back;
  for (unsigned loop : loopsWithout(x.rank(), axis))
    order.push_back(loop);
  order.push_back(axis);
  back.resize(order.size());
  for (auto [to, from] : llvm::enumerate(order))
    back[from] = static_cast<int64_t>(to);
  Tensor rows = n.b.transpose(x, order);
  int64_t last = x.rank() - 1;
  Tensor rank = ranks(n.b, oriented(n.b, rows, largest));
  Shape shape(rows.shape());
  shape[last] = k;
  Mapped searched = along(rank);
  searched.loops[last] = last + 1;
  Type i64 = n.b.builder.getI64Type();
  Tensor indices = generateReduced(
      n.b, shape, {rows.dim(last)}, i64, 0, {searched},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value here = s.eq(v[0], places[last]);
        return s.add(v[1], s.select(here, places[last + 1], s.i64(0)));
      });
  Value source = n.b.value(rows);
  Tensor values =
      generate(n.b, shape, x.elementType(), {along(indices)},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 SmallVector<Value> at(places);
                 at[last] = clampIndex(n.b, s, v[0], rows.dim(last));
                 return s.read(source, at);
               });
  if (failed(n.result(0, n.b.transpose(values, back))))
    return failure();
  return n.wantsOutput(1) ? n.result(1, n.b.transpose(indices, back))
                          : success();
}

} // namespace

void registerArgumentOps(OpRegistry &r) {
  r.onOp("ArgMax", 1, argOperator(/*largest=*/true)).symbolic();
  r.onOp("ArgMin", 1, argOperator(/*largest=*/false)).symbolic();
  r.onOp("Hardmax", 1, importHardmax).symbolic();
  r.onOp("TopK", 1, importTopK).symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Range: a constant if its bounds are; of symbolic length if they follow from
// shapes; otherwise its length is a size that the program computes.

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// ceil((limit - start) / delta), at least 0 and at most what any size can be.
Value lengthOf(const Scalars &s, Value start, Value limit, Value delta) {
  Type i64 = s.b.getI64Type();
  auto most = static_cast<double>(SymbolicSizes::kUnbounded);
  if (isFloat(start.getType())) {
    Type f64 = s.b.getF64Type();
    Value span = s.cast(s.sub(limit, start), f64);
    Value steps = s.div(span, s.cast(delta, f64));
    steps = s.neg(s.floor(s.neg(steps)));
    steps = s.select(s.isNaN(steps), s.number(f64, 0), steps);
    return s.cast(s.max(s.min(steps, s.number(f64, most)), s.number(f64, 0)),
                  i64);
  }
  start = s.cast(start, i64);
  limit = s.cast(limit, i64);
  delta = s.cast(delta, i64);
  Value isForward = s.lt(s.i64(0), delta);
  Value span = s.select(isForward, s.sub(limit, start), s.sub(start, limit));
  Value whole = s.divTotal(s.sub(span, s.i64(1)), s.abs(delta));
  Value steps = s.add(whole, s.i64(1));
  return s.select(s.lt(s.i64(0), span), steps, s.i64(0));
}

/// Does it count from 0 by 1?
bool countsUp(const Tensor &start, const Tensor &delta) {
  auto isNumber = [](const Tensor &bound, double number) {
    return bound.isConstant() && bound.size() == 1 &&
           !bound.hasSymbolicElements() && bound.data->asDouble(0) == number;
  };
  return !isFloat(start.elementType()) && isNumber(start, 0) &&
         isNumber(delta, 1);
}

/// start + place * delta at `count` places; both have rank 0.
Tensor countFrom(GraphBuilder &b, const Tensor &start, const Tensor &delta,
                 int64_t count) {
  Type type = start.elementType();
  Type wide = isFloat(type) ? Type(b.builder.getF64Type())
                            : Type(b.builder.getI64Type());
  Value first = b.value(start), step = b.value(delta);
  return generate(b, {count}, type, {},
                  [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                    auto read = [&](Value from) {
                      return s.cast(s.read(from, {}), wide);
                    };
                    Value moved = s.mul(s.cast(places[0], wide), read(step));
                    return s.cast(s.add(read(first), moved), type);
                  });
}

LogicalResult rangeComputed(Node &n, Tensor start, Tensor limit, Tensor delta) {
  GraphBuilder &b = n.b;
  Type i64 = b.builder.getI64Type();
  auto name = n.dataSizeName(0, 0);
  if (!name)
    return failure();
  for (Tensor *bound : {&start, &limit, &delta}) {
    if (b.count(*bound) != 1)
      return n.emitError() << "start, limit and delta must have one element, "
                              "but one is "
                           << b.describe(*bound);
    *bound = b.reshape(*bound, {});
  }
  if (delta.isConstant() && delta.data->asDouble(0) == 0)
    return n.emitError() << "delta is 0";
  if (!delta.isConstant())
    requireZero(n,
                b.elementwise({delta}, i64,
                              [](OpBuilder &nested, Location at, ValueRange v) {
                                Scalars s{nested, at};
                                Value isZero = s.eq(v[0], s.number(v[0], 0));
                                return s.select(isZero, s.i64(1), s.i64(0));
                              }),
                "the number of deltas that are 0");
  int64_t count = 0;
  if (countsUp(start, delta) && !limit.isConstant()) {
    // The limit itself, whoever else makes a size of it.
    Number size = elementOf(b, limit, 0);
    count =
        size.isKnown() ? b.sizes.max(size.known, 0) : sizeOf(b, size, *name);
  } else {
    count = b.dataSize(
        b.elementwise({start, limit, delta}, i64,
                      [](OpBuilder &nested, Location at, ValueRange v) {
                        return lengthOf({nested, at}, v[0], v[1], v[2]);
                      }),
        *name);
  }
  return n.result(countFrom(b, start, delta, count));
}

/// The whole number that a bound of a range is.
std::optional<int64_t> wholeNumber(GraphBuilder &b, const Tensor &bound) {
  if (!bound.isConstant())
    return b.sizeBehindCast(bound);
  if (bound.size() != 1)
    return std::nullopt;
  if (!isFloat(bound.elementType()))
    return bound.data->asInteger(0);
  double number = bound.data->asDouble(0);
  if (number != std::floor(number) || std::fabs(number) > 0x1p53)
    return std::nullopt;
  return static_cast<int64_t>(number);
}

/// A range of symbolic length: start + position * delta.
LogicalResult importSymbolicRange(Node &n, const Tensor &start,
                                  const Tensor &limit, const Tensor &delta) {
  Type type = start.elementType();
  SymbolicSizes &sizes = n.b.sizes;
  SmallVector<int64_t, 3> bounds;
  for (const Tensor *tensor : {&start, &limit, &delta}) {
    std::optional<int64_t> bound = wholeNumber(n.b, *tensor);
    if (!bound && n.b.canDependOnData())
      return rangeComputed(n, start, limit, delta);
    if (!bound)
      return n.emitError() << "start, limit and delta must be whole numbers "
                              "that follow from shapes";
    bounds.push_back(*bound);
  }
  int64_t from = bounds[0], to = bounds[1], step = bounds[2];
  bool isForward = !SymbolicSizes::isSymbolic(step) && step > 0;
  if (!isForward && n.b.canDependOnData())
    return rangeComputed(n, start, limit, delta);
  if (!isForward)
    return n.emitError() << "a symbolic range with step " << sizes.print(step)
                         << " is not supported";
  int64_t count = sizes.max(sizes.ceilDiv(sizes.sub(to, from), step), 0);
  return n.result(n.b.elementwise(
      {}, type,
      [&](OpBuilder &b, Location at, ValueRange) -> Value {
        Value place = linalg::IndexOp::create(b, at, 0);
        Type whole = isFloat(type) ? b.getI64Type() : type;
        Value number = arith::IndexCastOp::create(b, at, whole, place);
        if (step != 1)
          number = arith::MulIOp::create(b, at, number,
                                         n.b.sizeAs(b, at, whole, step));
        if (from != 0)
          number = arith::AddIOp::create(b, at, number,
                                         n.b.sizeAs(b, at, whole, from));
        return isFloat(type)
                   ? arith::SIToFPOp::create(b, at, type, number).getResult()
                   : number;
      },
      {count}));
}

LogicalResult importRange(Node &n) {
  Tensor bounds[] = {n.input(0, "start"), n.input(1, "limit"),
                     n.input(2, "delta")};
  if (!n.ok())
    return failure();
  for (const Tensor &bound : bounds)
    n.requireSameType(bounds[0], bound);
  if (!n.ok())
    return failure();
  if (!isFloat(bounds[0].elementType()) &&
      !isSignlessInteger(bounds[0].elementType()))
    return n.emitError() << "element type of " << describeType(bounds[0].type)
                         << " is not supported";
  if (llvm::any_of(bounds, [&](const Tensor &bound) {
        return bound.isSymbolic() || n.b.sizeBehindCast(bound) ||
               (!bound.isConstant() && bound.size() == 1 &&
                n.b.canDependOnData());
      }))
    return importSymbolicRange(n, bounds[0], bounds[1], bounds[2]);
  double start = n.constantNumber(0, "start"),
         limit = n.constantNumber(1, "limit"),
         delta = n.constantNumber(2, "delta");
  if (!n.ok())
    return failure();
  Type type = bounds[0].elementType();
  double steps = delta == 0 ? -1 : std::ceil((limit - start) / delta);
  // Integers must be exact as doubles. Negated, so that NaN fails too.
  auto isExact = [&](double number) {
    return isFloat(type) || std::fabs(number) <= 0x1p53;
  };
  if (delta == 0 || !(steps <= static_cast<double>(maxElements)) ||
      !isExact(start) || !isExact(limit) || !isExact(delta))
    return n.emitError() << "cannot count from " << start << " to " << limit
                         << " by " << delta;
  auto count = static_cast<int64_t>(std::max(steps, 0.0));
  if (count > maxFoldedElements)
    return n.result(countFrom(n.b, n.b.reshape(bounds[0], {}),
                              n.b.reshape(bounds[2], {}), count));
  SmallVector<double> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(start + static_cast<double>(i) * delta);
  return n.result(n.b.constant(type, {count}, numbers));
}

} // namespace

void registerRangeOps(OpRegistry &r) {
  r.onOp("Range", 11, importRange).symbolic();
}

} // namespace qdialect::onnx_import

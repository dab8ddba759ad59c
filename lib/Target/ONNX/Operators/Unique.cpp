// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unique, of elements or of the slices along an axis (rows, here). What is
// compared is counted, so no order of evaluation is implied:
//
//   first[i]   = the first row that equals row i
//   indices    = the rows that are their own first one, in order; if sorted,
//                each at the place that is the number of smaller ones
//   counts[k]  = how many rows have indices[k] as their first one
//   inverse[i] = the k for which indices[k] = first[i]
//
// NaN equals NaN and comes last.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "TruePlaces.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Larger than every position.
constexpr double nowhere = 0x1p63;

Value differ(const Scalars &s, Value x, Value y) {
  Value other = s.ne(x, y);
  if (isFloat(x.getType()))
    other = s.both(other, s.eq(s.both(s.isNaN(x), s.isNaN(y)),
                               s.number(s.b.getI1Type(), 0)));
  return other;
}

Value isLess(const Scalars &s, Value x, Value y) {
  Value less = s.lt(x, y);
  if (isFloat(x.getType()))
    less = s.either(less, s.both(s.eq(x, x), s.isNaN(y)));
  return less;
}

class Rows {
public:
  /// `keys` is a matrix; one of single elements is a row.
  Rows(GraphBuilder &b, const Tensor &keys) : b(b), keys(keys) {
    if (keys.rank() == 1)
      return;
    // The first column in which two rows differ.
    differences = generateReduced(
        b, {keys.dim(0), keys.dim(0)}, {keys.dim(1)}, i64(), nowhere,
        {{keys, {0, 2}}, {keys, {1, 2}}},
        [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
          return s.select(differ(s, v[0], v[1]), s.min(v[2], places[2]), v[2]);
        });
  }

  Tensor first();
  Tensor sorted(const Tensor &rows);
  /// The number of rows that have each of `rows` as their first one.
  Tensor counts(const Tensor &first, const Tensor &rows);
  Tensor inverse(const Tensor &first, const Tensor &rows);

private:
  Type i64() { return b.builder.getI64Type(); }

  GraphBuilder &b;
  Tensor keys;
  std::optional<Tensor> differences;
};

Tensor Rows::first() {
  SmallVector<Mapped> operands;
  if (differences)
    operands = {along(*differences)};
  else
    operands = {{keys, {0}}, {keys, {1}}};
  return generateReduced(
      b, {keys.dim(0)}, {keys.dim(0)}, i64(), nowhere, operands,
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value other = differences ? s.ne(v[0], s.number(i64(), nowhere))
                                  : differ(s, v[0], v[1]);
        return s.select(other, v.back(), s.min(v.back(), places[1]));
      });
}

Tensor Rows::sorted(const Tensor &rows) {
  Value table = b.value(keys),
        columns = differences ? b.value(*differences) : Value();
  Tensor smaller = generateReduced(
      b, rows.shape(), rows.shape(), i64(), 0, {{rows, {0}}, {rows, {1}}},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value>) {
        SmallVector<Value> mine{v[0]}, its{v[1]};
        if (columns) { // of a row and itself any column will do
          Value column =
              clampIndex(b, s, s.read(columns, {v[0], v[1]}), keys.dim(1));
          mine.push_back(column);
          its.push_back(column);
        }
        Value isSmaller = isLess(s, s.read(table, its), s.read(table, mine));
        return s.add(v[2], s.cast(isSmaller, i64()));
      });
  return generateReduced(
      b, rows.shape(), rows.shape(), i64(), 0, {{smaller, {1}}, {rows, {1}}},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        return s.add(v[2], s.select(s.eq(v[0], places[0]), v[1], s.i64(0)));
      });
}

Tensor Rows::counts(const Tensor &first, const Tensor &rows) {
  return generateReduced(b, rows.shape(), first.shape(), i64(), 0,
                         {{rows, {0}}, {first, {1}}},
                         [&](const Scalars &s, ValueRange v, ArrayRef<Value>) {
                           return s.add(v[2], s.cast(s.eq(v[0], v[1]), i64()));
                         });
}

Tensor Rows::inverse(const Tensor &first, const Tensor &rows) {
  return generateReduced(
      b, first.shape(), rows.shape(), i64(), 0, {{first, {0}}, {rows, {1}}},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        return s.add(v[2], s.select(s.eq(v[0], v[1]), places[1], s.i64(0)));
      });
}

/// The axis first, everything else behind it in one.
Tensor matrixOf(GraphBuilder &b, const Tensor &x, int64_t axis) {
  Shape order{axis};
  int64_t columns = 1;
  for (int64_t other = 0; other < x.rank(); ++other)
    if (other != axis) {
      order.push_back(other);
      columns = b.sizes.mul(columns, x.dim(other));
    }
  return b.reshape(b.transpose(x, order), {x.dim(axis), columns});
}

LogicalResult importUnique(Node &n) {
  GraphBuilder &b = n.b;
  Tensor x = n.input(0, "X");
  bool isSorted = n.getInt("sorted", 1) != 0, flat = !n.hasAttribute("axis");
  int64_t axis = n.ok() && !flat ? n.axis(n.getInt("axis", 0), x.rank()) : 0;
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  unsigned width = storageType(type).getIntOrFloatBitWidth();
  bool isSmall = !isFloat(type) && width < 64;
  if (!isFloat(type) && !isSmall && !type.isInteger(64))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  auto name = n.dataSizeName(0, axis);
  if (!name)
    return failure();
  if (flat)
    x = b.reshape(x, {b.count(x)});
  Tensor keys = flat ? x : matrixOf(b, x, axis);
  if (isSmall) // in the order of the numbers
    keys = b.cast(keys, b.builder.getI64Type());
  Rows rows(b, keys);
  Tensor first = rows.first();
  Tensor mask =
      generate(b, first.shape(), b.builder.getI1Type(), {along(first)},
               [](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 return s.eq(v[0], places[0]);
               });
  Tensor indices = truePlaces(b, mask, *name);
  if (isSorted)
    indices = rows.sorted(indices);
  if (failed(n.result(0, gatherAlong(b, x, indices, axis))))
    return failure();
  if (n.wantsOutput(1) && failed(n.result(1, indices)))
    return failure();
  if (n.wantsOutput(2) && failed(n.result(2, rows.inverse(first, indices))))
    return failure();
  return n.wantsOutput(3) ? n.result(3, rows.counts(first, indices))
                          : success();
}

} // namespace

void registerUniqueOps(OpRegistry &r) {
  r.onOp("Unique", 11, importUnique, "all but uint64").symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators that read or write at computed places: GatherElements, GatherND,
// Scatter*, OneHot, Trilu, EyeLike, ReverseSequence, CumSum. Indices outside of
// their axis are moved to its nearest end.

#include "ComputedNumbers.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "RunTimeShapes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

bool isIndex(Type type) { return type.isInteger(32) || type.isInteger(64); }

/// An index input; its error names it.
Tensor indexInput(Node &n, size_t index, StringRef label) {
  Tensor tensor = n.input(index, label);
  if (n.ok() && !isIndex(tensor.elementType()))
    n.emitError() << "input " << label << " is " << describeType(tensor.type)
                  << ", but must be int32 or int64";
  return tensor;
}

LogicalResult importGatherElements(Node &n) {
  Tensor data = n.input(0, "data"), indices = indexInput(n, 1, "indices");
  n.requireRank(data, "data", 1);
  int64_t axis = n.axis(n.getInt("axis", 0), std::max<int64_t>(data.rank(), 1));
  if (!n.ok())
    return failure();
  bool fits = indices.rank() == data.rank();
  for (int64_t i = 0; fits && i < data.rank(); ++i)
    fits = i == axis || isAtMost(n.b.sizes, indices.dim(i), data.dim(i));
  if (!fits)
    return n.emitError() << "indices " << describeType(indices.type)
                         << " do not fit data " << describeType(data.type)
                         << " outside of axis " << axis;
  Value source = n.b.value(data);
  return n.result(
      generate(n.b, indices.shape(), data.elementType(), {along(indices)},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 SmallVector<Value> at(places);
                 at[axis] = wrapIndex(n.b, s, v[0], data.dim(axis));
                 return s.read(source, at);
               }));
}

/// What GatherND and ScatterND share: indices' last dimension holds positions
/// in the `depth` dimensions of data after the batch.
struct Positions {
  int64_t batch = 0, depth = 0;
  Shape outer; ///< indices' dimensions but the last
};

FailureOr<Positions> bindPositions(Node &n, const Tensor &data,
                                   const Tensor &indices, int64_t batch) {
  n.requireRank(data, "data", 1);
  n.requireRank(indices, "indices", 1);
  if (!n.ok())
    return failure();
  Positions p{batch, indices.dim(indices.rank() - 1),
              Shape(indices.shape().drop_back())};
  bool fits = batch >= 0 && batch < indices.rank() && batch <= data.rank() &&
              p.depth >= 0 && batch + p.depth <= data.rank();
  for (int64_t i = 0; fits && i < batch; ++i)
    fits = data.dim(i) == indices.dim(i);
  if (fits)
    return p;
  n.emitError() << "indices " << describeType(indices.type)
                << " do not fit data " << describeType(data.type) << " with "
                << batch << " batch dimensions";
  return failure();
}

/// The position in data that belongs to `places` (outer dimensions of indices,
/// then those of data behind the indexed ones).
SmallVector<Value> positionIn(GraphBuilder &b, const Scalars &s,
                              const Tensor &data, Value indices,
                              const Positions &p, ArrayRef<Value> places) {
  size_t outer = p.outer.size();
  SmallVector<Value> at(places.take_front(p.batch));
  for (int64_t i = 0; i < p.depth; ++i) {
    SmallVector<Value> from(places.take_front(outer));
    from.push_back(s.i64(i));
    at.push_back(wrapIndex(b, s, s.read(indices, from), data.dim(p.batch + i)));
  }
  llvm::append_range(at, places.drop_front(outer));
  return at;
}

LogicalResult importGatherND(Node &n) {
  Tensor data = n.input(0, "data"), indices = indexInput(n, 1, "indices");
  int64_t batch = n.getInt("batch_dims", 0);
  if (!n.ok())
    return failure();
  FailureOr<Positions> p = bindPositions(n, data, indices, batch);
  if (failed(p))
    return failure();
  Shape shape = p->outer;
  llvm::append_range(shape, data.shape().drop_front(batch + p->depth));
  Value source = n.b.value(data), from = n.b.value(indices);
  return n.result(generate(
      n.b, shape, data.elementType(), {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        return s.read(source, positionIn(n.b, s, data, from, *p, places));
      }));
}

using Combine = Value (*)(const Scalars &, Value, Value);

/// What the attribute `reduction` does with (old, update).
std::optional<Combine> bindReduction(Node &n, Type type) {
  std::string name = n.getString("reduction", "none");
  if (!n.ok())
    return std::nullopt;
  if (name == "none")
    return [](const Scalars &, Value, Value update) { return update; };
  if (isFloat(type) || (isSignlessInteger(type) && !type.isInteger(1))) {
    if (name == "add")
      return [](const Scalars &s, Value x, Value y) { return s.add(x, y); };
    if (name == "mul")
      return [](const Scalars &s, Value x, Value y) { return s.mul(x, y); };
    if (name == "max")
      return [](const Scalars &s, Value x, Value y) { return s.max(x, y); };
    if (name == "min")
      return [](const Scalars &s, Value x, Value y) { return s.min(x, y); };
  }
  n.emitError() << "attribute 'reduction' is '" << name
                << "', which is not supported for these elements";
  return std::nullopt;
}

LogicalResult importScatterND(Node &n) {
  Tensor data = n.input(0, "data"), indices = indexInput(n, 1, "indices"),
         updates = n.input(2, "updates");
  n.requireSameType(data, updates);
  std::optional<Combine> combine = bindReduction(n, data.elementType());
  if (!n.ok())
    return failure();
  FailureOr<Positions> p = bindPositions(n, data, indices, 0);
  if (failed(p))
    return failure();
  Shape shape = p->outer;
  llvm::append_range(shape, data.shape().drop_front(p->depth));
  if (!requireShape(n, updates.shape(), shape, "updates"))
    return n.emitError() << "updates " << n.b.describe(updates) << " are not "
                         << n.b.describe(shape);
  Value from = n.b.value(indices), news = n.b.value(updates);
  return n.result(updateInOrder(
      n.b, data, shape,
      [&](const Scalars &s, ArrayRef<Value> places, Value tensor) {
        SmallVector<Value> at = positionIn(n.b, s, data, from, *p, places);
        Value update = (*combine)(s, s.read(tensor, at), s.read(news, places));
        return write(s, update, tensor, at);
      }));
}

LogicalResult importScatterElements(Node &n) {
  Tensor data = n.input(0, "data"), indices = indexInput(n, 1, "indices"),
         updates = n.input(2, "updates");
  n.requireSameType(data, updates);
  n.requireRank(data, "data", 1);
  int64_t axis = n.axis(n.getInt("axis", 0), std::max<int64_t>(data.rank(), 1));
  std::optional<Combine> combine = bindReduction(n, data.elementType());
  if (!n.ok())
    return failure();
  bool fits = indices.rank() == data.rank();
  for (int64_t i = 0; fits && i < data.rank(); ++i)
    fits = i == axis || isAtMost(n.b.sizes, indices.dim(i), data.dim(i));
  if (!fits || !requireShape(n, updates.shape(), indices.shape(), "updates"))
    return n.emitError() << "indices " << n.b.describe(indices)
                         << " and updates " << n.b.describe(updates)
                         << " do not fit data " << n.b.describe(data);
  if (data.dim(axis) == 0)
    return n.result(data);
  Value from = n.b.value(indices), news = n.b.value(updates);
  return n.result(updateInOrder(
      n.b, data, indices.shape(),
      [&](const Scalars &s, ArrayRef<Value> places, Value tensor) {
        SmallVector<Value> at(places);
        at[axis] = wrapIndex(n.b, s, s.read(from, places), data.dim(axis));
        Value update = (*combine)(s, s.read(tensor, at), s.read(news, places));
        return write(s, update, tensor, at);
      }));
}

/// One number of any type.
int64_t depthOperand(Node &n) {
  Tensor depth = n.input(1, "depth");
  if (!n.ok())
    return 0;
  if (!depth.isConstant() && isFloat(depth.elementType()) &&
      depth.size() == 1 && n.b.canDependOnData()) {
    Tensor whole = n.b.reshape(n.b.cast(depth, n.b.builder.getI64Type()), {});
    n.b.requireCount(whole, SymbolicSizes::kUnbounded, n.describe() + "depth");
    return n.b.dataSize(whole, n.inputName(1));
  }
  if (depth.isConstant() && !depth.hasSymbolicElements()) {
    auto number = n.constantInteger(1, "depth");
    n.requireRange("depth", {number}, 1, maxElements);
    return number;
  }
  Shape sizes = sizesOperand(n, 1, "depth");
  if (n.ok() && sizes.size() != 1)
    n.emitError() << "input depth has " << sizes.size()
                  << " numbers, but must have one";
  return n.ok() ? sizes[0] : 0;
}

/// values[1] where the index is, else values[0]; the new axis has `depth`.
LogicalResult importOneHot(Node &n) {
  Tensor indices = n.input(0, "indices"), values = n.input(2, "values");
  int64_t depth = depthOperand(n);
  int64_t axis = n.axis(n.getInt("axis", -1), indices.rank() + 1);
  if (!n.ok())
    return failure();
  if (values.shape() != ArrayRef<int64_t>(2))
    return n.emitError() << "input values " << describeType(values.type)
                         << " must have two elements";
  Type type = indices.elementType();
  if (!isFloat(type) && !isSignlessInteger(type))
    return n.emitError() << "element type of " << describeType(indices.type)
                         << " is not supported";
  Shape shape(indices.shape());
  shape.insert(shape.begin() + axis, depth);
  if (!isReasonableShape(shape))
    return n.emitError() << "shape " << describeShape(shape) << " is too large";
  Mapped from{indices, {}};
  for (int64_t i = 0; i <= indices.rank(); ++i)
    if (i != axis)
      from.loops.push_back(i);
  Value offOn = n.b.value(values);
  return n.result(
      generate(n.b, shape, values.elementType(), {from},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 Value index = s.cast(v[0], s.b.getI64Type());
                 index = s.select(s.lt(index, s.i64(0)),
                                  s.add(index, numberIn(n.b, s, depth)), index);
                 Value on = s.cast(s.eq(index, places[axis]), s.b.getI64Type());
                 return s.read(offOn, {on});
               }));
}

/// Zero above (upper = 0) or below the diagonal number k.
LogicalResult importTrilu(Node &n) {
  Tensor x = n.input(0, "input");
  n.requireRank(x, "input", 2);
  bool upper = n.getInt("upper", 1) != 0;
  auto k = n.hasInput(1) ? n.constantInteger(1, "k") : 0;
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  if (!isFloat(type) && !isSignlessInteger(type))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  k = std::clamp(k, -maxElements, maxElements);
  return n.result(generate(
      n.b, x.shape(), type, {along(x)},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value row = places[places.size() - 2], column = places.back();
        Value diagonal = s.add(row, s.i64(k));
        Value keep = upper ? s.le(diagonal, column) : s.le(column, diagonal);
        return s.select(keep, v[0], s.number(type, 0));
      }));
}

/// Each sequence of the batch reversed within its own length.
LogicalResult importReverseSequence(Node &n) {
  Tensor x = n.input(0, "input"), lengths = indexInput(n, 1, "sequence_lens");
  n.requireRank(x, "input", 2);
  int64_t batch = n.axis(n.getInt("batch_axis", 1), x.rank(), "batch_axis"),
          time = n.axis(n.getInt("time_axis", 0), x.rank(), "time_axis");
  if (!n.ok())
    return failure();
  if (batch == time || lengths.shape() != ArrayRef(x.dim(batch)))
    return n.emitError() << "sequence_lens " << describeType(lengths.type)
                         << " do not belong to axis " << batch << " of "
                         << describeType(x.type);
  Value source = n.b.value(x);
  Mapped length{lengths, {static_cast<unsigned>(batch)}};
  return n.result(generate(
      n.b, x.shape(), x.elementType(), {length},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        SmallVector<Value> at(places);
        Value mirrored = s.sub(s.sub(s.cast(v[0], s.b.getI64Type()), s.i64(1)),
                               places[time]);
        Value place =
            s.select(s.lt(mirrored, s.i64(0)), places[time], mirrored);
        at[time] = clampIndex(n.b, s, place, x.dim(time));
        return s.read(source, at);
      }));
}

/// Running sums or products along one axis, one addition after the other.
OpRegistry::Handler running(bool product) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.input(0, "x");
    n.requireRank(x, "x", 1);
    int64_t axis =
        n.axis(n.constantInteger(1, "axis"), std::max<int64_t>(x.rank(), 1));
    bool exclusive = n.getInt("exclusive", 0) != 0,
         reverse = n.getInt("reverse", 0) != 0;
    if (!n.ok())
      return failure();
    Type type = x.elementType();
    if (!isFloat(type) && !(isSignlessInteger(type) && !type.isInteger(1)))
      return n.emitError() << "element type of " << describeType(x.type)
                           << " is not supported";
    Value source = n.b.value(x);
    Tensor start = n.b.tensor(n.b.filled(x.shape(), type, product ? 1 : 0));
    int64_t size = x.dim(axis);
    return n.result(updateInOrder(
        n.b, start, x.shape(),
        [&](const Scalars &s, ArrayRef<Value> places, Value tensor) {
          SmallVector<Value> here(places), before(places), read(places);
          if (reverse)
            here[axis] = s.sub(n.b.sizeAs(s.b, s.loc, s.b.getI64Type(),
                                          n.b.sizes.sub(size, 1)),
                               places[axis]);
          Value step = s.i64(reverse ? 1 : -1);
          before[axis] = s.add(here[axis], step);
          read[axis] = exclusive ? before[axis] : here[axis];
          // At the first position there is nothing before: the neutral element.
          Value isFirst = s.eq(places[axis], s.i64(0));
          Value neutral = s.number(type, product ? 1 : 0);
          before[axis] = clampIndex(n.b, s, before[axis], size);
          read[axis] = clampIndex(n.b, s, read[axis], size);
          Value sum = s.select(isFirst, neutral, s.read(tensor, before));
          Value next = s.read(source, read);
          if (exclusive)
            next = s.select(isFirst, neutral, next);
          sum = product ? s.mul(sum, next) : s.add(sum, next);
          return write(s, sum, tensor, here);
        }));
  };
}

LogicalResult importEyeLike(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t k = n.getInt("k", 0), to = n.getInt("dtype", 0);
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  if (to != 0)
    type = to < 0 || to > INT32_MAX
               ? Type()
               : getElementType(static_cast<int>(to), n.b.context());
  if (!type || (!isFloat(type) && !isSignlessInteger(type)))
    return n.emitError() << "attribute 'dtype' " << to << " is not supported";
  if (x.rank() != 2)
    return n.emitError() << "input " << describeType(x.type)
                         << " must have rank 2";
  k = std::clamp(k, -maxElements, maxElements);
  return n.result(
      generate(n.b, x.shape(), type, {},
               [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
                 Value on = s.eq(s.add(places[0], s.i64(k)), places[1]);
                 return s.select(on, s.number(type, 1), s.number(type, 0));
               }));
}

} // namespace

void registerIndexingOps(OpRegistry &r) {
  r.onOp("GatherElements", 11, importGatherElements).symbolic();
  r.onOp("GatherND", 11, importGatherND).symbolic();
  r.onOp("Scatter", 9, importScatterElements).symbolic();
  r.onOp("ScatterElements", 11, importScatterElements, "float, signed integer")
      .symbolic();
  r.onOp("ScatterND", 11, importScatterND, "float, signed integer").symbolic();
  r.onOp("OneHot", 9, importOneHot).symbolic();
  r.onOp("Trilu", 14, importTrilu, "constant k; float, signed integer, bool")
      .symbolic();
  r.onOp("ReverseSequence", 10, importReverseSequence).symbolic();
  r.onOp("CumSum", 11, running(/*product=*/false), "constant axis").symbolic();
  r.onOp("CumProd", 26, running(/*product=*/true), "constant axis").symbolic();
  r.onOp("EyeLike", 9, importEyeLike);
}

} // namespace qdialect::onnx_import

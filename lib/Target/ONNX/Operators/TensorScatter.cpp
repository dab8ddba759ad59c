// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// TensorScatter: a piece of new keys or values written into a cache. Each
// element of the result asks whether the update covers it, so that all of them
// are independent.

#include "ElementTypes.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

LogicalResult importTensorScatter(Node &n) {
  Tensor cache = n.input(0, "past_cache"), update = n.input(1, "update");
  std::optional<Tensor> starts = n.optionalInput(2);
  std::string mode = n.getString("mode", "linear");
  n.requireRank(cache, "past_cache", 2);
  n.requireSameType(cache, update);
  int64_t axis = n.ok() ? n.axis(n.getInt("axis", -2), cache.rank()) : 0;
  if (!n.ok())
    return failure();
  if (mode != "linear" && mode != "circular")
    return n.emitError() << "attribute 'mode' is '" << mode
                         << "', but must be linear or circular";
  bool fits = axis != 0 && update.rank() == cache.rank();
  for (int64_t i = 0; fits && i < cache.rank(); ++i)
    fits = i == axis ? update.dim(i) <= cache.dim(i)
                     : update.dim(i) == cache.dim(i);
  if (!fits)
    return n.emitError() << "update " << describeType(update.type)
                         << " does not fit past_cache "
                         << describeType(cache.type) << " along axis " << axis;
  if (starts && (!starts->elementType().isInteger(64) ||
                 starts->shape() != cache.shape().take_front(1)))
    return n.emitError() << "write_indices " << describeType(starts->type)
                         << " must be int64, one for each of the "
                         << cache.dim(0) << " batches";
  int64_t size = cache.dim(axis), length = update.dim(axis);
  if (size == 0 || length == 0)
    return n.result(cache);
  bool circular = mode == "circular";
  Value source = n.b.value(update),
        begins = starts ? n.b.value(*starts) : Value();
  return n.result(generate(
      n.b, cache.shape(), cache.elementType(), {along(cache)},
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value begin = begins ? s.read(begins, {places[0]}) : s.i64(0);
        // The number of this element in the update, if it is one.
        Value number = s.sub(places[axis], begin);
        if (circular) {
          number = arith::RemSIOp::create(s.b, s.loc, number, s.i64(size));
          number = s.select(s.lt(number, s.i64(0)), s.add(number, s.i64(size)),
                            number);
        }
        Value isNew =
            s.both(s.le(s.i64(0), number), s.lt(number, s.i64(length)));
        SmallVector<Value> at(places);
        at[axis] = s.clampIndex(number, length);
        return s.select(isNew, s.read(source, at), v[0]);
      }));
}

} // namespace

void registerTensorScatterOps(OpRegistry &r) {
  r.onOp("TensorScatter", 24, importTensorScatter);
}

} // namespace qdialect::onnx_import

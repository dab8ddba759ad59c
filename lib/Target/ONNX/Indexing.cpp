// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Indexing.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {

Mapped along(const Tensor &tensor, unsigned firstLoop) {
  Mapped mapped{tensor, {}};
  for (int64_t axis = 0; axis < tensor.rank(); ++axis)
    mapped.loops.push_back(firstLoop + axis);
  return mapped;
}

static Tensor makeGeneric(GraphBuilder &b, Value init, ArrayRef<int64_t> shape,
                          unsigned reduced, ArrayRef<Mapped> operands,
                          PlaceBody body) {
  unsigned parallel = shape.size(), loops = parallel + reduced;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Mapped &operand : operands) {
    SmallVector<AffineExpr> places;
    for (unsigned loop : operand.loops)
      places.push_back(b.builder.getAffineDimExpr(loop));
    inputs.push_back(b.value(operand.tensor));
    maps.push_back(AffineMap::get(loops, 0, places, b.context()));
  }
  AffineMap output = b.builder.getMultiDimIdentityMap(loops);
  maps.push_back(
      output.dropResults(llvm::to_vector(llvm::seq<int64_t>(parallel, loops))));
  // A loop must be bounded by some operand: one without values stands in.
  if (reduced > 0) {
    llvm::SmallBitVector bounded(loops);
    for (AffineMap map : maps)
      for (AffineExpr place : map.getResults())
        bounded.set(cast<AffineDimExpr>(place).getPosition());
    assert(bounded.all() && "a reduction loop that no operand has");
    (void)bounded;
  }
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  for (unsigned loop = parallel; loop < loops; ++loop)
    iterators[loop] = utils::IteratorType::reduction;
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()}, inputs, ValueRange{init},
      maps, iterators,
      [&](OpBuilder &nested, Location at, ValueRange elements) {
        Scalars s{nested, at};
        SmallVector<Value> places;
        for (unsigned loop = 0; loop < loops; ++loop)
          places.push_back(s.cast(linalg::IndexOp::create(nested, at, loop),
                                  nested.getI64Type()));
        ValueRange given = reduced > 0 ? elements : elements.drop_back();
        linalg::YieldOp::create(nested, at, body(s, given, places));
      });
  return b.tensor(op.getResult(0), shape);
}

Tensor generate(GraphBuilder &b, ArrayRef<int64_t> shape, Type element,
                ArrayRef<Mapped> operands, PlaceBody body) {
  return makeGeneric(b, b.empty(shape, element), shape, 0, operands, body);
}

Tensor generateReduced(GraphBuilder &b, ArrayRef<int64_t> shape,
                       ArrayRef<int64_t> reduced, Type element, double start,
                       ArrayRef<Mapped> operands, PlaceBody body) {
  // The window operand bounds the reduction loops, as in a pool.
  SmallVector<Mapped> all(operands);
  all.push_back(along(Tensor(b.empty(reduced, element)), shape.size()));
  return makeGeneric(
      b, b.filled(shape, element, start), shape, reduced.size(), all,
      [&](const Scalars &s, ValueRange elements, ArrayRef<Value> places) {
        SmallVector<Value> given(elements);
        given.erase(given.end() - 2);
        return body(s, given, places);
      });
}

bool isAtMost(SymbolicSizes &sizes, int64_t size, int64_t other) {
  if (sizes.bounds(sizes.sub(other, size)).low >= 0)
    return true;
  ArrayRef<SymbolicSizes::Term> terms = sizes.terms(size);
  if (terms.size() != 1 || terms[0].factor != 1 || terms[0].atoms.size() != 1)
    return false;
  SymbolicSizes::Atom atom = sizes.atom(terms[0].atoms[0]);
  return atom.kind == SymbolicSizes::Atom::Min &&
         (isAtMost(sizes, atom.lhs, other) || isAtMost(sizes, atom.rhs, other));
}

Value clampIndex(GraphBuilder &b, const Scalars &s, Value index, int64_t size) {
  if (!SymbolicSizes::isSymbolic(size))
    return s.clampIndex(index, size);
  Value last = b.sizeAs(s.b, s.loc, s.b.getI64Type(), b.sizes.sub(size, 1));
  return s.max(s.min(index, last), s.i64(0));
}

Value wrapIndex(GraphBuilder &b, const Scalars &s, Value index, int64_t size) {
  if (!SymbolicSizes::isSymbolic(size))
    return s.wrapIndex(index, size);
  index = s.cast(index, s.b.getI64Type());
  Value wrapped = s.add(index, b.sizeAs(s.b, s.loc, s.b.getI64Type(), size));
  return clampIndex(b, s, s.select(s.lt(index, s.i64(0)), wrapped, index),
                    size);
}

Tensor updateInOrder(GraphBuilder &b, const Tensor &start,
                     ArrayRef<int64_t> shape, UpdateBody body) {
  Value zero = b.index(0), one = b.index(1);
  SmallVector<Value> bounds, places;
  for (int64_t size : shape)
    bounds.push_back(b.index(size));
  std::function<Value(OpBuilder &, Value)> nest = [&](OpBuilder &builder,
                                                      Value tensor) -> Value {
    Scalars s{builder, b.loc};
    if (places.size() == bounds.size())
      return body(s, places, tensor);
    auto loop = scf::ForOp::create(
        builder, b.loc, zero, bounds[places.size()], one, ValueRange{tensor},
        [&](OpBuilder &nested, Location at, Value counter, ValueRange carried) {
          places.push_back(
              Scalars{nested, at}.cast(counter, nested.getI64Type()));
          Value next = nest(nested, carried[0]);
          places.pop_back();
          scf::YieldOp::create(nested, at, next);
        });
    return loop.getResult(0);
  };
  return b.tensor(nest(b.builder, b.value(start)), start.shape());
}

Value write(const Scalars &s, Value element, Value tensor,
            ArrayRef<Value> places) {
  SmallVector<Value> indices;
  for (Value place : places)
    indices.push_back(s.cast(place, s.b.getIndexType()));
  return tensor::InsertOp::create(s.b, s.loc, element, tensor, indices);
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gather. Constant indices become slices where those are few; everything else
// is a linalg.generic over the result that reads the data with tensor.extract.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {

static Shape gatheredShape(const Tensor &data, const Tensor &indices,
                           int64_t axis) {
  Shape shape(data.shape().take_front(axis));
  shape.append(indices.shape().begin(), indices.shape().end());
  llvm::append_range(shape, data.shape().drop_front(axis + 1));
  return shape;
}

Tensor gatherAlong(GraphBuilder &b, const Tensor &data, const Tensor &indices,
                   int64_t axis) {
  Shape shape = gatheredShape(data, indices, axis);
  Value source = b.value(data), places = b.value(indices);
  Value init = b.empty(shape, data.elementType());
  unsigned rank = shape.size();
  SmallVector<AffineExpr> placeDims;
  for (int64_t i = 0; i < indices.rank(); ++i)
    placeDims.push_back(b.builder.getAffineDimExpr(axis + i));
  AffineMap maps[] = {AffineMap::get(rank, 0, placeDims, b.context()),
                      b.builder.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()}, ValueRange{places},
      ValueRange{init}, maps, iterators,
      [&](OpBuilder &nested, Location at, ValueRange v) {
        // Indices count from the end if negative.
        Type type = indices.elementType();
        Value zero = GraphBuilder::scalar(nested, at, type, 0);
        Value size = b.sizeAs(nested, at, type, data.dim(axis));
        Value negative = arith::CmpIOp::create(
            nested, at, arith::CmpIPredicate::slt, v[0], zero);
        Value wrapped = arith::AddIOp::create(nested, at, v[0], size);
        Value place =
            arith::SelectOp::create(nested, at, negative, wrapped, v[0]);
        // Indices that are in a tensor of another size need not be in this one.
        if (b.sizes.isComputed(data.dim(axis))) {
          Scalars s{nested, at};
          place = clampIndex(b, s, s.cast(place, nested.getI64Type()),
                             data.dim(axis));
        }
        SmallVector<Value> position;
        for (int64_t i = 0; i < data.rank(); ++i) {
          if (i == axis) {
            position.push_back(arith::IndexCastOp::create(
                nested, at, nested.getIndexType(), place));
            continue;
          }
          int64_t loop = i < axis ? i : i + indices.rank() - 1;
          position.push_back(linalg::IndexOp::create(nested, at, loop));
        }
        Value element = tensor::ExtractOp::create(nested, at, source, position);
        linalg::YieldOp::create(nested, at, element);
      });
  return b.tensor(op.getResult(0), shape);
}

namespace {

/// Constant indices that read at most this many runs become slices.
constexpr int64_t maxSlices = 16;

LogicalResult importGather(Node &n) {
  Tensor data = n.input(0, "data"), indices = n.input(1, "indices");
  n.requireRank(data, "data", 1);
  if (!n.ok())
    return failure();
  int64_t axis = n.axis(n.getInt("axis", 0), data.rank());
  if (!n.ok())
    return failure();
  if (!indices.elementType().isInteger(64) &&
      !indices.elementType().isInteger(32))
    return n.emitError() << "input indices is " << describeType(indices.type)
                         << ", but must be int32 or int64";
  // Of a symbolic axis only what counts from its beginning is sure to be there.
  int64_t size = data.dim(axis);
  bool isKnown = isSmallConstant(indices) && !indices.hasSymbolicElements() &&
                 !SymbolicSizes::isSymbolic(size);
  if (isKnown) {
    Shape places;
    for (int64_t i = 0; i < indices.size(); ++i) {
      int64_t place = indices.data->asInteger(i);
      if (place < -size || place >= size)
        return n.emitError() << "index " << place << " is outside [" << -size
                             << ", " << size - 1 << "] of axis " << axis;
      places.push_back(place < 0 ? place + size : place);
    }
    if (isSmallConstant(data) || countRuns(places) <= maxSlices)
      return n.result(n.b.reshape(n.b.select(data, axis, places),
                                  gatheredShape(data, indices, axis)));
  }
  return n.result(gatherAlong(n.b, data, indices, axis));
}

} // namespace

void registerGatherOps(OpRegistry &r) {
  r.onOp("Gather", 1, importGather).symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compress, NonZero and Unique: results of elements that data choose. What is
// known is chosen here; otherwise the number of chosen ones is a size that the
// program computes (TruePlaces.h).

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "TruePlaces.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Constant places that are this few runs become slices.
constexpr int64_t maxSlices = 16;

bool isKnown(const Tensor &tensor) {
  return isSmallConstant(tensor) && !tensor.hasSymbolicElements();
}

/// The positions along `axis` (or of all elements) where the condition is true.
LogicalResult importCompress(Node &n) {
  Tensor data = n.input(0, "input"), condition = n.input(1, "condition");
  n.requireRank(data, "input", 1);
  bool flat = !n.hasAttribute("axis");
  int64_t axis = n.ok() && !flat ? n.axis(n.getInt("axis", 0), data.rank()) : 0;
  if (!n.ok())
    return failure();
  if (condition.rank() != 1 || !condition.elementType().isInteger(1))
    return n.emitError() << "input condition is "
                         << describeType(condition.type)
                         << ", but must be a row of bool";
  if (flat)
    data = n.b.reshape(data, {n.b.count(data)});
  // It may say nothing of the last elements.
  SymbolicSizes &sizes = n.b.sizes;
  int64_t size = sizes.min(condition.dim(0), data.dim(axis));
  condition = n.b.sliceAxis(condition, 0, 0, size);
  if (!isKnown(condition)) {
    auto name = n.dataSizeName(0, axis);
    if (!name)
      return failure();
    return n.result(
        gatherAlong(n.b, data, truePlaces(n.b, condition, *name), axis));
  }
  Shape places;
  for (int64_t place = 0; place < condition.size(); ++place)
    if (condition.data->asInteger(place) != 0)
      places.push_back(place);
  if (isSmallConstant(data) || (!SymbolicSizes::isSymbolic(data.dim(axis)) &&
                                countRuns(places) <= maxSlices))
    return n.result(n.b.select(data, axis, places));
  Tensor indices = n.b.integers({static_cast<int64_t>(places.size())}, places);
  return n.result(gatherAlong(n.b, data, indices, axis));
}

/// A row for each dimension: the positions of the elements that are not zero.
Tensor nonZeroOf(GraphBuilder &b, const Tensor &x) {
  Shape found;
  for (int64_t i = 0; i < x.size(); ++i)
    if (x.data->asDouble(i) != 0)
      found.push_back(i);
  auto count = static_cast<int64_t>(found.size());
  int64_t stride = x.size();
  Shape rows;
  for (int64_t size : x.shape()) {
    stride /= std::max<int64_t>(size, 1);
    for (int64_t place : found)
      rows.push_back(place / stride % size);
  }
  return b.integers({x.rank(), count}, rows);
}

LogicalResult importNonZero(Node &n) {
  Tensor x = n.input(0, "X");
  if (!n.ok())
    return failure();
  if (isKnown(x))
    return n.result(nonZeroOf(n.b, x));
  Type type = x.elementType(), storage = storageType(type);
  if (!isFloat(type) && !storage.isSignlessInteger())
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  auto name = n.dataSizeName(0, 1);
  if (!name)
    return failure();
  GraphBuilder &b = n.b;
  Tensor flat = b.reshape(x, {b.count(x)});
  Tensor mask = b.elementwise({flat}, b.builder.getI1Type(),
                              [](OpBuilder &nested, Location at, ValueRange v) {
                                Scalars s{nested, at};
                                Value bits = s.toStorage(v[0]);
                                return s.ne(bits, s.number(bits, 0));
                              });
  Tensor places = truePlaces(b, mask, *name);
  Type i64 = b.builder.getI64Type();
  if (x.rank() == 0)
    return n.result(b.tensor(b.empty({0, places.dim(0)}, i64)));
  SmallVector<Tensor> rows;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    int64_t stride = b.sizes.product(x.shape().drop_front(axis + 1));
    Tensor row = b.elementwise(
        {places}, i64, [&](OpBuilder &nested, Location at, ValueRange v) {
          Scalars s{nested, at};
          Value place =
              s.divTotal(v[0], b.sizeAs(nested, at, i64, stride), true);
          return s.remTotal(place, b.sizeAs(nested, at, i64, x.dim(axis)),
                            true);
        });
    rows.push_back(b.reshape(row, {1, places.dim(0)}));
  }
  return n.result(b.concat(rows, 0));
}

} // namespace

void registerChooseOps(OpRegistry &r) {
  r.onOp("Compress", 9, importCompress).symbolic();
  r.onOp("NonZero", 9, importNonZero).symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MatMul and Gemm. What exporters write becomes linalg.matmul (leading
// dimensions of the left side are rows where the right side has none) or
// linalg.batch_matmul; batches that broadcast become a linalg.generic.

#include "Contraction.h"
#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "RunTimeShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Tensor matmul2D(GraphBuilder &b, const Tensor &x, const Tensor &y, Type sum) {
  Value init = b.filled({x.dim(0), y.dim(1)}, sum, 0);
  return b.tensor(linalg::MatmulOp::create(
                      b.builder, b.loc, TypeRange{init.getType()},
                      ValueRange{b.value(x), b.value(y)}, ValueRange{init})
                      .getResult(0),
                  {x.dim(0), y.dim(1)});
}

Tensor batchMatmul(GraphBuilder &b, const Tensor &x, const Tensor &y,
                   ArrayRef<int64_t> batch, Type sum) {
  int64_t count = b.sizes.product(batch), rows = x.dim(x.rank() - 2),
          depth = x.dim(x.rank() - 1), columns = y.dim(y.rank() - 1);
  Tensor left = b.reshape(x, {count, rows, depth}),
         right = b.reshape(y, {count, depth, columns});
  Value init = b.filled({count, rows, columns}, sum, 0);
  Tensor z =
      b.tensor(linalg::BatchMatmulOp::create(
                   b.builder, b.loc, TypeRange{init.getType()},
                   ValueRange{b.value(left), b.value(right)}, ValueRange{init})
                   .getResult(0));
  Shape shape(batch);
  shape.append({rows, columns});
  return b.reshape(z, shape);
}

/// An operand without the dimensions along which it is broadcast, and its map
/// onto loops (batch..., m, n, k).
std::pair<Tensor, AffineMap> broadcastOperand(GraphBuilder &b, const Tensor &x,
                                              ArrayRef<int64_t> batch,
                                              ArrayRef<unsigned> inner) {
  unsigned loops = batch.size() + 3;
  Shape kept;
  SmallVector<AffineExpr> places;
  int64_t offset = static_cast<int64_t>(batch.size()) - (x.rank() - 2);
  for (int64_t axis = 0; axis < x.rank() - 2; ++axis) {
    if (x.dim(axis) == 1 && batch[offset + axis] != 1)
      continue;
    kept.push_back(x.dim(axis));
    places.push_back(b.builder.getAffineDimExpr(offset + axis));
  }
  kept.append({x.dim(x.rank() - 2), x.dim(x.rank() - 1)});
  for (unsigned loop : inner)
    places.push_back(b.builder.getAffineDimExpr(batch.size() + loop));
  return {b.reshape(x, kept), AffineMap::get(loops, 0, places, b.context())};
}

Tensor broadcastMatmul(GraphBuilder &b, const Tensor &x, const Tensor &y,
                       ArrayRef<int64_t> batch, Type sum) {
  auto [left, leftMap] = broadcastOperand(b, x, batch, {0, 2});
  auto [right, rightMap] = broadcastOperand(b, y, batch, {2, 1});
  unsigned loops = batch.size() + 3;
  Shape shape(batch);
  shape.append({x.dim(x.rank() - 2), y.dim(y.rank() - 1)});
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value init = b.filled(shape, sum, 0);
  AffineMap maps[] = {
      leftMap, rightMap,
      b.builder.getMultiDimIdentityMap(loops).dropResult(loops - 1)};
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()},
      ValueRange{b.value(left), b.value(right)}, ValueRange{init}, maps,
      iterators, [&](OpBuilder &nested, Location at, ValueRange v) {
        linalg::YieldOp::create(nested, at,
                                multiplyAdd(nested, at, v[0], v[1], v[2]));
      });
  return b.tensor(op.getResult(0), shape);
}

/// Are the sizes that a product sums over equal, now or when the program runs?
/// A number is kept, and in both operands.
bool sumAlong(Node &n, Tensor &x, int64_t axisX, Tensor &y, int64_t axisY) {
  bool known = !SymbolicSizes::isSymbolic(x.dim(axisX));
  Tensor &other = known ? y : x;
  Shape wanted(other.shape());
  wanted[known ? axisY : axisX] = known ? x.dim(axisX) : y.dim(axisY);
  std::optional<Tensor> fits =
      withShape(n, other, wanted, known ? "operand 1" : "operand 0");
  if (fits)
    other = *fits;
  return fits.has_value();
}

/// A matrix with the leading dimensions that a product of two has.
Tensor withBatch(Node &n, const Tensor &x, ArrayRef<int64_t> batch,
                 StringRef what) {
  Shape target(batch);
  llvm::append_range(target, x.shape().take_back(2));
  return fitted(n, x, target, what);
}

} // namespace

Value multiplyAdd(OpBuilder &builder, Location at, Value x, Value y,
                  Value sum) {
  if (isFloat(sum.getType()))
    return arith::AddFOp::create(builder, at, sum,
                                 arith::MulFOp::create(builder, at, x, y));
  auto widened = [&](Value value) -> Value {
    if (value.getType() == sum.getType())
      return value;
    return arith::ExtSIOp::create(builder, at, sum.getType(), value);
  };
  return arith::AddIOp::create(
      builder, at, sum,
      arith::MulIOp::create(builder, at, widened(x), widened(y)));
}

FailureOr<Tensor> emitMatmul(Node &n, Tensor x, Tensor y, Type sum) {
  n.requireRank(x, "A", 1);
  n.requireRank(y, "B", 1);
  if (!n.ok())
    return failure();
  // Vectors are a row on the left and a column on the right; their dimension
  // does not appear in the result.
  bool row = x.rank() == 1, column = y.rank() == 1;
  if (!sumAlong(n, x, x.rank() - 1, y, column ? 0 : y.rank() - 2)) {
    n.emitError() << "inner dimensions disagree: " << n.b.describe(x)
                  << " times " << n.b.describe(y);
    return failure();
  }
  if (row)
    x = n.b.reshape(x, {1, x.dim(0)});
  if (column)
    y = n.b.reshape(y, {y.dim(0), 1});
  Shape batchX(x.shape().drop_back(2)), batchY(y.shape().drop_back(2));
  std::optional<Shape> batch = commonShape(n, {batchX, batchY});
  if (!batch || !isReasonableShape(*batch)) {
    n.emitError() << "batch dimensions do not broadcast: " << n.b.describe(x)
                  << " times " << n.b.describe(y);
    return failure();
  }
  x = withBatch(n, x, *batch, "operand 0");
  y = withBatch(n, y, *batch, "operand 1");
  batchX = Shape(x.shape().drop_back(2));
  batchY = Shape(y.shape().drop_back(2));
  int64_t rows = x.dim(x.rank() - 2), depth = x.dim(x.rank() - 1),
          columns = y.dim(y.rank() - 1);
  Tensor z;
  SymbolicSizes &sizes = n.b.sizes;
  int64_t count = sizes.product(*batch);
  if (llvm::all_of(batchY, [](int64_t s) { return s == 1; }))
    z = matmul2D(
        n.b, n.b.reshape(x, {sizes.mul(sizes.product(batchX), rows), depth}),
        n.b.reshape(y, {depth, columns}), sum);
  else if (sizes.product(batchX) == count && sizes.product(batchY) == count)
    z = batchMatmul(n.b, x, y, *batch, sum);
  else
    z = broadcastMatmul(n.b, x, y, *batch, sum);
  Shape shape(*batch);
  if (!row)
    shape.push_back(rows);
  if (!column)
    shape.push_back(columns);
  return n.b.reshape(z, shape);
}

namespace {

LogicalResult importMatMul(Node &n) {
  Tensor x = n.input(0, "A"), y = n.input(1, "B");
  n.requireSameType(x, y);
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  if (!isFloat(type) && !(isSignlessInteger(type) && !type.isInteger(1)))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  FailureOr<Tensor> z = emitMatmul(n, x, y, type);
  return succeeded(z) ? n.result(*z) : failure();
}

Tensor scaled(GraphBuilder &b, const Tensor &x, float factor) {
  if (factor == 1.0f)
    return x;
  Type type = x.elementType();
  return b.elementwise(
      {x}, type, [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        return arith::MulFOp::create(
            nested, at, v[0], GraphBuilder::scalar(nested, at, type, factor));
      });
}

LogicalResult importGemm(Node &n) {
  Tensor x = n.floatInput(0, "A"), y = n.floatInput(1, "B");
  n.requireSameType(x, y);
  bool transposeX = n.getInt("transA", 0) != 0,
       transposeY = n.getInt("transB", 0) != 0;
  float alpha = n.getFloat("alpha", 1.0f), beta = n.getFloat("beta", 1.0f);
  n.ignore({"broadcast"}); // before opset 7
  if (!n.ok())
    return failure();
  if (x.rank() != 2 || y.rank() != 2)
    return n.emitError() << "operands must be matrices, but are "
                         << describeType(x.type) << " and "
                         << describeType(y.type);
  if (!sumAlong(n, x, transposeX ? 0 : 1, y, transposeY ? 1 : 0))
    return n.emitError() << "inner dimensions disagree: "
                         << describeType(x.type)
                         << (transposeX ? " transposed" : "") << " times "
                         << describeType(y.type)
                         << (transposeY ? " transposed" : "");
  if (transposeX)
    x = n.b.transpose(x, {1, 0});
  if (transposeY)
    y = n.b.transpose(y, {1, 0});
  Tensor z = scaled(n.b, matmul2D(n.b, x, y, x.elementType()), alpha);
  if (n.hasInput(2) && beta != 0.0f) {
    Tensor c = n.floatInput(2, "C");
    n.requireSameType(x, c);
    if (!n.ok())
      return failure();
    std::optional<Shape> shape =
        commonShape(n, {Shape(z.shape()), Shape(c.shape())});
    if (!shape || shape->size() != 2)
      return n.emitError() << "input C " << n.b.describe(c)
                           << " does not broadcast to " << n.b.describe(z);
    c = fitted(n, c, z.shape(), "operand 2");
    if (ArrayRef(*broadcastShape({z, c})) != z.shape())
      return n.emitError() << "input C " << n.b.describe(c)
                           << " does not broadcast to " << n.b.describe(z);
    c = scaled(n.b, c, beta);
    z = n.b.elementwise(
        {z, c}, z.elementType(),
        [](OpBuilder &nested, Location at, ValueRange v) {
          return arith::AddFOp::create(nested, at, v[0], v[1]).getResult();
        });
  }
  return n.result(z);
}

} // namespace

void registerMatmulOps(OpRegistry &r) {
  r.onOp("MatMul", 1, importMatMul, "float, signed integer; batches broadcast")
      .symbolic();
  r.onOp("Gemm", 7, importGemm, "float").symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Normalizations. Batch normalization with constant parameters is x * a + b,
// combined in double precision here:
//   a = scale / sqrt(variance + epsilon),  b = bias - mean * a

#include "Normalization.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, none of them known.
Tensor normalizeBatch(GraphBuilder &b, const Tensor &x,
                      ArrayRef<Tensor> parameters, float epsilon) {
  Type type = x.elementType();
  SmallVector<Tensor> typed;
  for (const Tensor &parameter : parameters)
    typed.push_back(b.cast(parameter, type));
  return b.channelwise(
      x, typed, 1, [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        Scalars s{nested, at};
        Value deviation =
            s.sqrt(s.add(v[4], s.number(type, static_cast<double>(epsilon))));
        Value normal = s.div(s.sub(v[0], v[3]), deviation);
        return s.add(s.mul(normal, v[1]), v[2]);
      });
}

LogicalResult importBatchNormalization(Node &n) {
  Tensor x = n.floatInput(0, "X");
  n.requireRank(x, "X", 2);
  float epsilon = n.getFloat("epsilon", 1e-5f);
  if (n.ok() && SymbolicSizes::isSymbolic(x.dim(1)))
    return n.emitError() << "channels of " << n.b.describe(x)
                         << " must not be symbolic";
  n.ignore({"momentum"});
  if (n.getInt("training_mode", 0) != 0 && n.ok())
    return n.emitError() << "training_mode is not supported";
  if (n.opset() < 9 && n.getInt("spatial", 1) == 0 && n.ok())
    return n.emitError() << "attribute 'spatial' 0 is not supported";
  constexpr StringLiteral labels[] = {"scale", "B", "mean", "var"};
  SmallVector<Tensor> parameters;
  for (auto [index, label] : llvm::enumerate(labels)) {
    Tensor parameter = n.input(index + 1, label);
    if (!n.ok())
      return failure();
    if (!isFloat(parameter.elementType()) ||
        parameter.shape() != ArrayRef(x.dim(1)))
      return n.emitError() << "input " << label << " ("
                           << describeType(parameter.type)
                           << ") must be float with the " << x.dim(1)
                           << " channels of X";
    parameters.push_back(parameter);
  }
  if (!llvm::all_of(parameters,
                    [](const Tensor &tensor) { return tensor.isConstant(); }))
    return n.result(normalizeBatch(n.b, x, parameters, epsilon));
  SmallVector<double> factor, offset;
  for (int64_t i = 0; i < x.dim(1); ++i) {
    auto at = [&](int index) { return parameters[index].data->asDouble(i); };
    double a = at(0) / std::sqrt(at(3) + static_cast<double>(epsilon));
    factor.push_back(a);
    offset.push_back(at(1) - at(2) * a);
  }
  // Half precision could not hold the combined numbers: it is rounded once, at
  // the end.
  Type type = x.elementType();
  Type real =
      type.getIntOrFloatBitWidth() < 32 ? n.b.builder.getF32Type() : type;
  Tensor a = n.b.constant(real, {x.dim(1)}, factor),
         b = n.b.constant(real, {x.dim(1)}, offset);
  Tensor y = n.b.channelwise(
      n.b.cast(x, real), {a, b}, 1,
      [](OpBuilder &nested, Location at, ValueRange v) -> Value {
        Value product = arith::MulFOp::create(nested, at, v[0], v[1]);
        return arith::AddFOp::create(nested, at, product, v[2]);
      });
  return n.result(n.b.cast(y, type));
}

LogicalResult importLayerNormalization(Node &n) {
  Tensor x = n.floatInput(0, "X"), scale = n.floatInput(1, "Scale");
  n.requireSameType(x, scale);
  int64_t axis = n.axis(n.getInt("axis", -1), x.rank());
  float epsilon = n.getFloat("epsilon", 1e-5f);
  if (n.getInt("stash_type", 1) != 1 && n.ok())
    return n.emitError() << "attribute 'stash_type' must be 1 (float32)";
  if (!n.ok())
    return failure();
  auto isTrailing = [&](const Tensor &tensor) {
    return tensor.shape() == x.shape().drop_front(axis);
  };
  Value beta;
  if (n.hasInput(2)) {
    Tensor bias = n.floatInput(2, "B");
    n.requireSameType(x, bias);
    if (!n.ok())
      return failure();
    if (!isTrailing(bias))
      return n.emitError() << "input B " << describeType(bias.type)
                           << " does not have the normalized dimensions of "
                           << describeType(x.type);
    beta = n.b.value(bias);
  }
  if (!isTrailing(scale))
    return n.emitError() << "input Scale " << describeType(scale.type)
                         << " does not have the normalized dimensions of "
                         << describeType(x.type);
  Tensor y(qd::LayerNormOp::create(
      n.b.builder, n.b.loc, x.type, n.b.value(x), n.b.value(scale), beta,
      static_cast<uint64_t>(axis), llvm::APFloat(epsilon)));
  if (failed(n.result(0, y)))
    return failure();
  if (!n.wantsOutput(1) && !n.wantsOutput(2))
    return success();
  // In f32 (stash_type 1), whatever the input is.
  Shape axes = llvm::to_vector(llvm::seq<int64_t>(axis, x.rank()));
  Moments moments =
      momentsOver(n.b, n.b.cast(x, n.b.builder.getF32Type()), axes, epsilon);
  if (n.wantsOutput(1) && failed(n.result(1, moments.mean)))
    return failure();
  return n.wantsOutput(2) ? n.result(2, moments.inverseDeviation) : success();
}

} // namespace

Tensor softmaxAlong(GraphBuilder &b, const Tensor &x, int64_t axis) {
  Type type = x.elementType();
  // qd.softmax is a sequence of f32 operations.
  if (type.isF64())
    return softmaxByParts(b, x, axis);
  bool isNarrow = type.getIntOrFloatBitWidth() < 32;
  Tensor wide = isNarrow ? b.cast(x, b.builder.getF32Type()) : x;
  Tensor y = b.tensor(qd::SoftmaxOp::create(
      b.builder, b.loc, wide.type, b.value(wide), static_cast<uint64_t>(axis)));
  return b.cast(y, type);
}

namespace {

LogicalResult importSoftmax(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 1);
  if (!n.ok())
    return failure();
  int64_t axis = n.axis(n.getInt("axis", n.opset() < 13 ? 1 : -1), x.rank());
  if (!n.ok())
    return failure();
  // Before opset 13 the input is seen as a matrix, split at the axis.
  if (n.opset() >= 13 || axis == x.rank() - 1)
    return n.result(softmaxAlong(n.b, x, axis));
  int64_t rows = 1, columns = 1;
  for (int64_t i = 0; i < x.rank(); ++i)
    (i < axis ? rows : columns) =
        n.b.sizes.mul(i < axis ? rows : columns, x.dim(i));
  Tensor y = softmaxAlong(n.b, n.b.reshape(x, {rows, columns}), 1);
  return n.result(n.b.reshape(y, x.shape()));
}

/// x / (bias + alpha / size * sum of squares of `size` channels around)^beta.
LogicalResult importLRN(Node &n) {
  Tensor x = n.floatInput(0, "X");
  n.requireRank(x, "X", 2);
  int64_t size = n.getInt("size", 0);
  float alpha = n.getFloat("alpha", 1e-4f), beta = n.getFloat("beta", 0.75f),
        bias = n.getFloat("bias", 1.0f);
  n.requireRange("size", {size}, 1, int64_t(1) << 31);
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  Type type = x.elementType();
  Tensor squares = b.elementwise(
      {x}, type, [](OpBuilder &nested, Location at, ValueRange v) -> Value {
        return arith::MulFOp::create(nested, at, v[0], v[0]);
      });
  Shape low(x.rank(), 0), high(x.rank(), 0);
  low[1] = (size - 1) / 2;
  high[1] = size - 1 - low[1];
  squares = b.pad(squares, low, high, 0);

  // A sum pool of `size` along the channels.
  unsigned rank = x.rank();
  SmallVector<AffineExpr> places;
  for (unsigned axis = 0; axis < rank; ++axis)
    places.push_back(b.builder.getAffineDimExpr(axis));
  AffineExpr tap = b.builder.getAffineDimExpr(rank);
  SmallVector<AffineExpr> shifted = places;
  shifted[1] = shifted[1] + tap;
  AffineMap maps[] = {AffineMap::get(rank + 1, 0, shifted, b.context()),
                      AffineMap::get(rank + 1, 0, tap, b.context()),
                      AffineMap::get(rank + 1, 0, places, b.context())};
  SmallVector<utils::IteratorType> iterators(rank + 1,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value window = b.empty({size}, type), init = b.filled(x.shape(), type, 0);
  auto sums = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()},
      ValueRange{b.value(squares), window}, ValueRange{init}, maps, iterators,
      [](OpBuilder &nested, Location at, ValueRange v) {
        Value sum = arith::AddFOp::create(nested, at, v[2], v[0]);
        linalg::YieldOp::create(nested, at, sum);
      });
  return n.result(b.elementwise(
      {x, b.tensor(sums.getResult(0), x.shape())}, type,
      [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
        auto number = [&](double value) {
          return GraphBuilder::scalar(nested, at, type, value);
        };
        Value scaled = arith::MulFOp::create(
            nested, at, v[1], number(alpha / static_cast<float>(size)));
        Value base = arith::AddFOp::create(nested, at, scaled, number(bias));
        Value power = math::PowFOp::create(nested, at, base, number(beta));
        return arith::DivFOp::create(nested, at, v[0], power);
      }));
}

} // namespace

void registerNormalizationOps(OpRegistry &r) {
  r.onOp("BatchNormalization", 7, importBatchNormalization,
         "inference; constant statistics")
      .symbolic();
  r.onOp("LayerNormalization", 17, importLayerNormalization).symbolic();
  r.onOp("Softmax", 1, importSoftmax).symbolic();
  r.onOp("LRN", 1, importLRN).symbolic();
}

} // namespace qdialect::onnx_import

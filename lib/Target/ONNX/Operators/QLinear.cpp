// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators on codes as the form that every quantized model has here:
//
//   QLinearX(x, sx, zx, ..., sy, zy)
//     =>  quantize(X(dequantize(x, sx, zx), ...), sy, zy)
//
// What the specifications say of them (the real result, rounded once to
// nearest even) is what an island means, see docs/Numerics.md.

#include "GraphBuilder.h"
#include "Node.h"
#include "Quantization.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// a * c of f32 scales, a constant where both are.
Tensor multiplyScales(GraphBuilder &b, const Tensor &x, const Tensor &y) {
  if (x.isConstant() && y.isConstant() && x.size() == 1) {
    SmallVector<float> product;
    auto factor = static_cast<float>(x.data->asDouble(0));
    for (int64_t i = 0; i < y.size(); ++i)
      product.push_back(factor * static_cast<float>(y.data->asDouble(i)));
    return b.f32(y.shape(), product);
  }
  return b.elementwise(
      {x, y}, y.elementType(),
      [](OpBuilder &nested, Location at, ValueRange v) {
        return arith::MulFOp::create(nested, at, v[0], v[1]).getResult();
      });
}

/// An i32 bias in steps of sx * sw, per channel along its last dimension.
std::optional<Tensor> dequantizedBias(Node &n, size_t index,
                                      const Tensor &inputScale,
                                      const Tensor &weightScale,
                                      double factor = 1) {
  Tensor bias = n.input(index, "bias");
  if (!n.ok())
    return std::nullopt;
  if (!bias.elementType().isInteger(32)) {
    n.emitError() << "bias is " << describeType(bias.type)
                  << ", but must be int32";
    return std::nullopt;
  }
  Type f32 = n.b.builder.getF32Type();
  Tensor scale = multiplyScales(n.b, n.b.cast(inputScale, f32),
                                n.b.cast(weightScale, f32));
  if (factor != 1)
    scale =
        multiplyScales(n.b, n.b.f32({}, {static_cast<float>(factor)}), scale);
  Grid grid;
  if (scale.size() == 1) {
    grid.scale = n.b.reshape(scale, {});
  } else {
    int64_t channels = bias.rank() ? bias.dim(bias.rank() - 1) : 1;
    if (scale.size() != channels) {
      n.emitError() << "bias " << describeType(bias.type) << " and the "
                    << scale.size() << " scales of the weights disagree";
      return std::nullopt;
    }
    Shape shape(bias.rank(), 1);
    shape.back() = channels;
    grid.scale = n.b.reshape(scale, shape);
    grid.blockSizes.assign(bias.rank(), 0);
    grid.blockSizes.back() = 1;
  }
  return dequantize(n.b, bias, grid);
}

LogicalResult importQLinearConv(Node &n) {
  std::optional<Tensor> x = dequantizedInput(n, 0, "x", {1, 2}),
                        w = dequantizedInput(n, 3, "w", {4, 5});
  if (!x || !w)
    return failure();
  SmallVector<std::optional<Tensor>, 3> operands{x, w};
  if (n.hasInput(8)) {
    std::optional<Tensor> bias =
        dequantizedBias(n, 8, n.input(1, "x_scale"), n.input(4, "w_scale"));
    if (!bias)
      return failure();
    operands.push_back(bias);
  }
  FailureOr<Tensor> y = n.delegate(
      "Conv", 11, operands,
      {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  return failed(y)
             ? failure()
             : quantizedResult(n, *y, {6, 7}, n.input(0, "x").elementType());
}

/// A vector of scales goes along the rows of the left side and along the
/// columns of the right one.
std::pair<std::optional<Tensor>, std::optional<Tensor>>
matmulOperands(Node &n, GridInputs left, GridInputs right, size_t rightIndex) {
  Tensor a = n.input(0, "a"), b = n.input(rightIndex, "b");
  if (!n.ok())
    return {};
  left.axis = std::max<int64_t>(a.rank() - 2, 0);
  right.axis = std::max<int64_t>(b.rank() - 1, 0);
  return {dequantizedInput(n, 0, "a", left),
          dequantizedInput(n, rightIndex, "b", right)};
}

LogicalResult importQLinearMatMul(Node &n) {
  auto [a, b] = matmulOperands(n, {1, 2}, {4, 5}, 3);
  if (!a || !b)
    return failure();
  FailureOr<Tensor> y = n.delegate("MatMul", 13, {a, b}, {});
  if (failed(y))
    return failure();
  GridInputs grid{6, 7};
  grid.axis = std::max<int64_t>(y->rank() - 2, 0);
  return quantizedResult(n, *y, grid, n.input(0, "a").elementType());
}

LogicalResult importQGemm(Node &n) {
  bool transposed = n.getInt("transB", 0) != 0;
  double alpha = n.getFloat("alpha", 1.0f);
  std::optional<Tensor> a = dequantizedInput(n, 0, "A", {1, 2}),
                        b = dequantizedInput(n, 3, "B",
                                             {4, 5, transposed ? 0 : 1});
  if (!a || !b)
    return failure();
  SmallVector<std::optional<Tensor>, 3> operands{a, b};
  if (n.hasInput(6)) {
    std::optional<Tensor> bias = dequantizedBias(n, 6, n.input(1, "a_scale"),
                                                 n.input(4, "b_scale"), alpha);
    if (!bias)
      return failure();
    operands.push_back(bias);
  }
  FailureOr<Tensor> y =
      n.delegate("Gemm", 13, operands, {"alpha", "transA", "transB"});
  if (failed(y))
    return failure();
  return n.hasInput(7)
             ? quantizedResult(n, *y, {7, 8}, n.input(0, "A").elementType())
             : n.result(*y);
}

/// A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point.
OpRegistry::Handler binary(StringRef op) {
  return [op](Node &n) -> LogicalResult {
    std::optional<Tensor> a = dequantizedInput(n, 0, "A", {1, 2}),
                          b = dequantizedInput(n, 3, "B", {4, 5});
    if (!a || !b)
      return failure();
    FailureOr<Tensor> y = n.delegate(op, 13, {a, b}, {});
    return failed(y)
               ? failure()
               : quantizedResult(n, *y, {6, 7}, n.input(0, "A").elementType());
  };
}

/// X, X_scale, X_zero_point, Y_scale, Y_zero_point; with `channels_last` the
/// image has its channels behind.
LogicalResult unary(Node &n, StringRef op, int64_t opset,
                    ArrayRef<StringRef> attributes) {
  std::optional<Tensor> x = dequantizedInput(n, 0, "X", {1, 2});
  bool channelsLast = n.getInt("channels_last", 0) != 0;
  if (!x || !n.ok())
    return failure();
  SmallVector<int64_t> toFirst, toLast;
  if (channelsLast) {
    n.requireRank(*x, "X", 3);
    if (!n.ok())
      return failure();
    int64_t rank = x->rank();
    toFirst = {0, rank - 1};
    toLast = {0};
    for (int64_t d = 1; d + 1 < rank; ++d) {
      toFirst.push_back(d);
      toLast.push_back(d + 1);
    }
    toLast.push_back(1);
    x = n.b.transpose(*x, toFirst);
  }
  FailureOr<Tensor> y = n.delegate(op, opset, {x}, attributes);
  if (failed(y))
    return failure();
  return quantizedResult(n, channelsLast ? n.b.transpose(*y, toLast) : *y,
                         {3, 4}, n.input(0, "X").elementType());
}

OpRegistry::Handler unary(StringRef op, std::vector<StringRef> attributes) {
  return [op, attributes = std::move(attributes)](Node &n) {
    return unary(n, op, 13, attributes);
  };
}

LogicalResult importQLinearSoftmax(Node &n) {
  int64_t opset = n.getInt("opset", 13);
  if (!n.requireRange("opset", {opset}, minOpset, maxOpset))
    return failure();
  return unary(n, "Softmax", opset, {"axis"});
}

/// Y_scale, Y_zero_point, then X, X_scale, X_zero_point of each part.
LogicalResult importQLinearConcat(Node &n) {
  if (n.numInputs() < 5 || n.numInputs() % 3 != 2)
    return n.emitError() << "has " << n.numInputs()
                         << " inputs, but must have two and three for each "
                            "tensor";
  SmallVector<std::optional<Tensor>> parts;
  for (size_t i = 2; i < n.numInputs(); i += 3) {
    parts.push_back(dequantizedInput(n, i, "X", {i + 1, i + 2}));
    if (!parts.back())
      return failure();
  }
  FailureOr<Tensor> y = n.delegate("Concat", 13, parts, {"axis"});
  return failed(y)
             ? failure()
             : quantizedResult(n, *y, {0, 1}, n.input(2, "X").elementType());
}

} // namespace

void registerQLinearOps(OpRegistry &r) {
  r.onOp("QLinearConv", 10, importQLinearConv).symbolic();
  r.onOp("QLinearMatMul", 10, importQLinearMatMul).symbolic();
  auto onOp = [&](StringRef name, OpRegistry::Handler handler) {
    r.onOp(microsoftDomain, name, 1, std::move(handler)).symbolic();
  };
  onOp("QGemm", importQGemm);
  onOp("QLinearAdd", binary("Add"));
  onOp("QLinearMul", binary("Mul"));
  onOp("QLinearConcat", importQLinearConcat);
  onOp("QLinearSigmoid", unary("Sigmoid", {}));
  onOp("QLinearLeakyRelu", unary("LeakyRelu", {"alpha"}));
  onOp("QLinearSoftmax", importQLinearSoftmax);
  onOp("QLinearGlobalAveragePool", unary("GlobalAveragePool", {}));
  onOp("QLinearAveragePool",
       unary("AveragePool", {"auto_pad", "ceil_mode", "count_include_pad",
                             "kernel_shape", "pads", "strides"}));
}

} // namespace qdialect::onnx_import

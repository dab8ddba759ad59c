// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MatMulInteger and ConvInteger, and ONNX Runtime's forms of the first with the
// scales in it:
//
//   MatMulIntegerToFloat   f32(integer product) * (sa * sb) + bias
//   DynamicQuantizeMatMul  the same of DynamicQuantizeLinear's codes

#include "Contraction.h"
#include "GraphBuilder.h"
#include "IntegerProduct.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Quantization.h"
#include "Registry.h"
#include "Window.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

LogicalResult importMatMulInteger(Node &n) {
  // Zero points are per row of A and per column of B.
  std::optional<ByteCodes> a = bindByteCodes(n, 0, "A", 2, -2),
                           b = bindByteCodes(n, 1, "B", 3, -1);
  if (!a || !b)
    return failure();
  FailureOr<Tensor> y = integerMatmul(n, *a, *b);
  return failed(y) ? failure() : n.result(*y);
}

/// f32(acc) * (sa * sb) + bias, each step rounded: as ONNX Runtime does.
LogicalResult scaledResult(Node &n, const Tensor &sum, const Tensor &scaleA,
                           const Tensor &scaleB, size_t biasIndex) {
  Type f32 = n.b.builder.getF32Type();
  SmallVector<Tensor> operands{sum, scaleA, scaleB};
  if (n.hasInput(biasIndex)) {
    operands.push_back(n.floatInput(biasIndex, "bias"));
    if (!n.ok())
      return failure();
  }
  if (!n.requireBroadcast(pointersTo(operands)))
    return failure();
  return n.result(n.b.elementwise(
      operands, f32, [&](OpBuilder &nested, Location at, ValueRange v) {
        Value real = arith::SIToFPOp::create(nested, at, f32, v[0]);
        Value scale = arith::MulFOp::create(nested, at, v[1], v[2]);
        Value y = arith::MulFOp::create(nested, at, real, scale);
        if (v.size() == 4)
          y = arith::AddFOp::create(nested, at, y, v[3]);
        return y;
      }));
}

/// A scale of one number as a scalar, a vector along dimension `axis`.
std::optional<Tensor> bindScale(Node &n, size_t index, StringRef label) {
  Tensor scale = n.floatInput(index, label);
  if (!n.ok())
    return std::nullopt;
  if (!scale.elementType().isF32()) {
    n.emitError() << "input " << label << " is " << describeType(scale.type)
                  << ", but must be float32";
    return std::nullopt;
  }
  return scale.size() == 1 ? n.b.reshape(scale, {}) : scale;
}

LogicalResult importMatMulIntegerToFloat(Node &n) {
  std::optional<ByteCodes> a = bindByteCodes(n, 0, "A", 4, -2),
                           b = bindByteCodes(n, 1, "B", 5, -1);
  if (!a || !b)
    return failure();
  std::optional<Tensor> scaleA = bindScale(n, 2, "a_scale"),
                        scaleB = bindScale(n, 3, "b_scale");
  if (!scaleA || !scaleB)
    return failure();
  if (scaleA->rank() == 1) // one for each row
    scaleA = n.b.reshape(*scaleA, {scaleA->dim(0), 1});
  FailureOr<Tensor> y = integerMatmul(n, *a, *b);
  return failed(y) ? failure() : scaledResult(n, *y, *scaleA, *scaleB, 6);
}

LogicalResult importDynamicQuantizeMatMul(Node &n) {
  Tensor x = n.floatInput(0, "A");
  std::optional<ByteCodes> b = bindByteCodes(n, 1, "B", 3, -1);
  std::optional<Tensor> scaleB = bindScale(n, 2, "b_scale");
  if (!n.ok() || !b || !scaleB)
    return failure();
  if (!x.elementType().isF32())
    return n.emitError() << "input A is " << describeType(x.type)
                         << ", but must be float32";
  Type codes = qd::UIntType::get(n.b.context(), 8);
  Grid grid = chooseGrid(n.b, x, codes);
  ByteCodes a = toByteCodes(n.b, quantize(n.b, x, grid, codes), grid.zeroPoint,
                            /*axis=*/0);
  FailureOr<Tensor> y = integerMatmul(n, a, *b);
  return failed(y) ? failure() : scaledResult(n, *y, grid.scale, *scaleB, 4);
}

/// codes + sign * zero point modulo 2^8.
Tensor shiftCodes(GraphBuilder &b, const Tensor &codes, const Tensor &zeroPoint,
                  bool up) {
  Type i8 = b.builder.getI8Type();
  return b.elementwise(
      {codes, zeroPoint}, i8,
      [&](OpBuilder &nested, Location at, ValueRange v) {
        Value zero = arith::TruncIOp::create(nested, at, i8, v[1]);
        return up ? arith::AddIOp::create(nested, at, v[0], zero).getResult()
                  : arith::SubIOp::create(nested, at, v[0], zero).getResult();
      });
}

/// i8 codes padded by their zero point. Where only the run knows it, what is
/// padded with 0 are the differences modulo 2^8.
Tensor padCodes(Node &n, const ByteCodes &x, const Window &window) {
  auto none = [](int64_t size) { return size == 0; };
  if (llvm::all_of(window.low, none) && llvm::all_of(window.high, none))
    return x.codes;
  if (!x.zeroPoint)
    return padSpatial(n.b, x.codes, window, 0);
  if (x.zeroPoint->isConstant())
    return padSpatial(n.b, x.codes, window,
                      static_cast<double>(x.zeroPoint->data->asInteger(0)));
  Tensor differences = shiftCodes(n.b, x.codes, *x.zeroPoint, /*up=*/false);
  return shiftCodes(n.b, padSpatial(n.b, differences, window, 0), *x.zeroPoint,
                    /*up=*/true);
}

LogicalResult importConvInteger(Node &n) {
  std::optional<ByteCodes> x = bindByteCodes(n, 0, "x", 2, 1),
                           w = bindByteCodes(n, 1, "w", 3, 0);
  if (!x || !w)
    return failure();
  if (x->zeroPoint && x->zeroPoint->size() != 1)
    return n.emitError() << "zero point of x must be one number, but is "
                         << describeType(x->zeroPoint->type);
  GraphBuilder &b = n.b;
  Type i32 = b.builder.getI32Type();
  auto convolve = [&](const Tensor &image, const Tensor &weights) {
    return bindConvolution(n, image, weights, i32, [&](const Window &window) {
      return padCodes(n, {image, x->zeroPoint}, window);
    });
  };
  FailureOr<Tensor> y = convolve(x->codes, w->codes);
  if (failed(y) || (!x->zeroPoint && !w->zeroPoint))
    return failed(y) ? failure() : n.result(*y);
  // sum (x - zx)(w - zw) = sum x w - zx sum w - zw sum (x - zx), in which sum x
  // is the convolution with ones.
  int64_t taps = b.sizes.product(w->codes.shape().drop_front());
  SmallVector<Tensor> operands{*y};
  Shape channels(y->rank(), 1);
  channels[1] = w->codes.dim(0);
  if (x->zeroPoint) {
    Tensor flat = b.reshape(w->codes, {w->codes.dim(0), taps});
    operands.push_back(*x->zeroPoint);
    operands.push_back(b.reshape(codeSums(b, flat, 1), channels));
  }
  if (w->zeroPoint) {
    // Without groups all channels have the same sum.
    Shape shape(w->codes.shape());
    if (w->codes.dim(1) == x->codes.dim(1))
      shape[0] = 1;
    FailureOr<Tensor> sum =
        convolve(x->codes, b.splat(b.builder.getI8Type(), shape, 1));
    if (failed(sum))
      return failure();
    Tensor zero = *w->zeroPoint;
    operands.push_back(zero.size() == 1 ? zero : b.reshape(zero, channels));
    operands.push_back(*sum);
  }
  bool both = x->zeroPoint && w->zeroPoint;
  return n.result(subtractProducts(b, operands, both ? taps : 0));
}

} // namespace

void registerIntegerProductOps(OpRegistry &r) {
  r.onOp("MatMulInteger", 10, importMatMulInteger).symbolic();
  r.onOp("ConvInteger", 10, importConvInteger);
  r.onOp(microsoftDomain, "MatMulIntegerToFloat", 1, importMatMulIntegerToFloat)
      .symbolic();
  r.onOp(microsoftDomain, "DynamicQuantizeMatMul", 1,
         importDynamicQuantizeMatMul)
      .symbolic();
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Trigonometric and hyperbolic functions, and tests of one number.

#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "Scalars.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

template <typename Op>
LogicalResult importFunction(Node &n) {
  Tensor x = n.floatInput(0, "input");
  if (!n.ok())
    return failure();
  return n.result(n.b.elementwise({x}, x.elementType(),
                                  [](OpBuilder &b, Location loc, ValueRange v) {
                                    return Op::create(b, loc, v[0]).getResult();
                                  }));
}

/// -1, 0 or 1; NaN stays.
LogicalResult importSign(Node &n) {
  Tensor x = n.input(0, "input");
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  if (!isFloat(type) && !(isSignlessInteger(type) && !type.isInteger(1)))
    return n.emitError() << "element type of " << describeType(x.type)
                         << " is not supported";
  return n.result(
      n.b.elementwise({x}, type, [](OpBuilder &b, Location loc, ValueRange v) {
        Scalars s{b, loc};
        Value zero = s.number(v[0], 0);
        Value sign = s.select(s.lt(v[0], zero), s.number(v[0], -1), v[0]);
        return s.select(s.lt(zero, v[0]), s.number(v[0], 1), sign);
      }));
}

/// x > 0 ? x : alpha * (exp(x / alpha) - 1)
LogicalResult importCelu(Node &n) {
  Tensor x = n.floatInput(0, "X");
  double alpha = n.getFloat("alpha", 1.0f);
  if (!n.ok())
    return failure();
  return n.result(n.b.elementwise(
      {x}, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange v) {
        Scalars s{b, loc};
        Value zero = s.number(v[0], 0), factor = s.number(v[0], alpha);
        // exp only of what is not positive, so that it cannot overflow.
        Value power = s.exp(s.div(s.min(v[0], zero), factor));
        Value tail = s.mul(factor, s.sub(power, s.number(v[0], 1)));
        return s.select(s.lt(zero, v[0]), v[0], tail);
      }));
}

/// x + bias below -lambd, x - bias above lambd, 0 between.
LogicalResult importShrink(Node &n) {
  Tensor x = n.floatInput(0, "input");
  double bias = n.getFloat("bias", 0.0f), lambd = n.getFloat("lambd", 0.5f);
  if (!n.ok())
    return failure();
  return n.result(n.b.elementwise(
      {x}, x.elementType(), [&](OpBuilder &b, Location loc, ValueRange v) {
        Scalars s{b, loc};
        Value shift = s.number(v[0], bias);
        Value inner = s.select(s.lt(s.number(v[0], lambd), v[0]),
                               s.sub(v[0], shift), s.number(v[0], 0));
        return s.select(s.lt(v[0], s.number(v[0], -lambd)), s.add(v[0], shift),
                        inner);
      }));
}

LogicalResult importIsNaN(Node &n) {
  Tensor x = n.floatInput(0, "X");
  if (!n.ok())
    return failure();
  return n.result(n.b.elementwise({x}, n.b.builder.getI1Type(),
                                  [](OpBuilder &b, Location loc, ValueRange v) {
                                    return Scalars{b, loc}.isNaN(v[0]);
                                  }));
}

LogicalResult importIsInf(Node &n) {
  Tensor x = n.floatInput(0, "X");
  bool negative = n.getInt("detect_negative", 1) != 0,
       positive = n.getInt("detect_positive", 1) != 0;
  if (!n.ok())
    return failure();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return n.result(n.b.elementwise(
      {x}, n.b.builder.getI1Type(),
      [&](OpBuilder &b, Location loc, ValueRange v) {
        Scalars s{b, loc};
        Value result = s.number(b.getI1Type(), 0);
        if (positive)
          result = s.eq(v[0], s.number(v[0], infinity));
        if (negative)
          result = s.either(result, s.eq(v[0], s.number(v[0], -infinity)));
        return result;
      }));
}

} // namespace

void registerUnaryOps(OpRegistry &r) {
  r.onOp("Tan", 7, importFunction<math::TanOp>);
  r.onOp("Asin", 7, importFunction<math::AsinOp>);
  r.onOp("Acos", 7, importFunction<math::AcosOp>);
  r.onOp("Atan", 7, importFunction<math::AtanOp>);
  r.onOp("Sinh", 9, importFunction<math::SinhOp>);
  r.onOp("Cosh", 9, importFunction<math::CoshOp>);
  r.onOp("Asinh", 9, importFunction<math::AsinhOp>);
  r.onOp("Acosh", 9, importFunction<math::AcoshOp>);
  r.onOp("Atanh", 9, importFunction<math::AtanhOp>);
  r.onOp("Celu", 12, importCelu);
  r.onOp("Shrink", 9, importShrink, "float");
  r.onOp("Sign", 9, importSign, "float, signed integer");
  r.onOp("IsNaN", 9, importIsNaN);
  r.onOp("IsInf", 10, importIsInf);
}

} // namespace qdialect::onnx_import

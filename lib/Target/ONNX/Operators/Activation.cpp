// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations as payloads of one linalg.generic; GELU and Swish(1), which lose
// their meaning when decomposed, as qd ops.

#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Scalar arithmetic that reads like the formula.
struct Payload {
  OpBuilder &b;
  Location loc;
  Type type;

  Value number(double value) const {
    return GraphBuilder::scalar(b, loc, type, value);
  }
  Value add(Value x, Value y) const {
    return arith::AddFOp::create(b, loc, x, y);
  }
  Value mul(Value x, Value y) const {
    return arith::MulFOp::create(b, loc, x, y);
  }
  Value div(Value x, Value y) const {
    return arith::DivFOp::create(b, loc, x, y);
  }
  Value max(Value x, Value y) const {
    return arith::MaximumFOp::create(b, loc, x, y);
  }
  Value min(Value x, Value y) const {
    return arith::MinimumFOp::create(b, loc, x, y);
  }
  Value exp(Value x) const { return math::ExpOp::create(b, loc, x); }
  Value log1p(Value x) const { return math::Log1pOp::create(b, loc, x); }
  /// x >= 0 ? whenPositive : whenNegative.
  Value bySign(Value x, Value whenPositive, Value whenNegative) const {
    Value test =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGE, x, number(0));
    return arith::SelectOp::create(b, loc, test, whenPositive, whenNegative);
  }
  /// max(0, min(1, alpha * x + beta)).
  Value hardSigmoid(Value x, double alpha, double beta) const {
    Value line = add(mul(x, number(alpha)), number(beta));
    return max(min(line, number(1)), number(0));
  }
};

Tensor map(Node &n, const Tensor &x,
           llvm::function_ref<Value(const Payload &, Value)> formula) {
  Type type = x.elementType();
  return n.b.elementwise({x}, type,
                         [&](OpBuilder &b, Location loc, ValueRange v) {
                           return formula(Payload{b, loc, type}, v[0]);
                         });
}

LogicalResult importRelu(Node &n) {
  Tensor x = n.input(0, "X");
  if (!n.ok())
    return failure();
  Type type = x.elementType();
  if (isSignlessInteger(type) && !type.isInteger(1))
    return n.result(n.b.elementwise(
        {x}, type, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::MaxSIOp::create(b, loc, v[0],
                                        GraphBuilder::scalar(b, loc, type, 0));
        }));
  n.floatInput(0, "X");
  if (!n.ok())
    return failure();
  return n.result(map(
      n, x, [](const Payload &p, Value v) { return p.max(v, p.number(0)); }));
}

LogicalResult importLeakyRelu(Node &n) {
  Tensor x = n.floatInput(0, "X");
  double alpha = n.getFloat("alpha", 0.01f);
  if (!n.ok())
    return failure();
  return n.result(map(n, x, [&](const Payload &p, Value v) {
    return p.bySign(v, v, p.mul(v, p.number(alpha)));
  }));
}

LogicalResult importPRelu(Node &n) {
  Tensor x = n.floatInput(0, "X"), slope = n.floatInput(1, "slope");
  n.requireSameType(x, slope);
  if (!n.ok() || !n.requireBroadcast({&x, &slope}))
    return failure();
  if (ArrayRef(*broadcastShape({x, slope})) != x.shape())
    return n.emitError() << "slope " << describeType(slope.type)
                         << " does not broadcast to " << describeType(x.type);
  Type type = x.elementType();
  return n.result(n.b.elementwise(
      {x, slope}, type, [&](OpBuilder &b, Location loc, ValueRange v) {
        Payload p{b, loc, type};
        return p.bySign(v[0], v[0], p.mul(v[0], v[1]));
      }));
}

/// Bounds that a program computes: min(max(x, low), high).
LogicalResult importClipByTensors(Node &n, const Tensor &x) {
  Tensor y = x;
  for (auto [index, label, op] :
       {std::tuple(1, "min", "Max"), std::tuple(2, "max", "Min")}) {
    if (!n.hasInput(index))
      continue;
    Tensor bound = n.input(index, label);
    if (!n.ok())
      return failure();
    if (bound.size() != 1 || bound.shape().size() > x.shape().size())
      return n.emitError() << "input " << label
                           << " must be one number, but is "
                           << describeType(bound.type);
    FailureOr<Tensor> clipped = n.delegate(op, 13, {y, bound}, {});
    if (failed(clipped))
      return failure();
    y = *clipped;
  }
  return n.result(y);
}

/// Bounds as attributes before opset 11, as optional inputs since.
LogicalResult importClip(Node &n) {
  Tensor x = n.input(0, "input");
  std::optional<double> low, high;
  if (n.opset() < 11) {
    constexpr float largest = std::numeric_limits<float>::max();
    float min = n.getFloat("min", -largest), max = n.getFloat("max", largest);
    if (min != -largest)
      low = min;
    if (max != largest)
      high = max;
  } else {
    for (size_t index : {1, 2})
      if (n.ok() && n.hasInput(index) && !n.input(index, "bound").isConstant())
        return importClipByTensors(n, x);
    if (n.hasInput(1))
      low = n.constantNumber(1, "min");
    if (n.hasInput(2))
      high = n.constantNumber(2, "max");
    for (size_t index : {1, 2})
      if (n.ok() && n.hasInput(index))
        n.requireSameType(x, n.input(index, "bound"));
  }
  if (!n.ok())
    return failure();
  if (!low && !high)
    return n.result(x);
  Type type = x.elementType();
  if (isSignlessInteger(type) && !type.isInteger(1))
    return n.result(n.b.elementwise(
        {x}, type, [&](OpBuilder &b, Location loc, ValueRange v) {
          Value y = v[0];
          if (low)
            y = arith::MaxSIOp::create(
                b, loc, y, GraphBuilder::scalar(b, loc, type, *low));
          if (high)
            y = arith::MinSIOp::create(
                b, loc, y, GraphBuilder::scalar(b, loc, type, *high));
          return y;
        }));
  n.floatInput(0, "input");
  if (!n.ok())
    return failure();
  return n.result(map(n, x, [&](const Payload &p, Value v) {
    if (low)
      v = p.max(v, p.number(*low));
    return high ? p.min(v, p.number(*high)) : v;
  }));
}

using Formula = Value (*)(const Payload &, Value, double, double);

/// An activation with up to two float attributes.
OpRegistry::Handler activation(Formula formula, StringRef first = "",
                               float firstDefault = 0, StringRef second = "",
                               float secondDefault = 0) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.floatInput(0, "X");
    double alpha = first.empty() ? 0 : n.getFloat(first, firstDefault);
    double beta = second.empty() ? 0 : n.getFloat(second, secondDefault);
    if (!n.ok())
      return failure();
    return n.result(map(n, x, [&](const Payload &p, Value v) {
      return formula(p, v, alpha, beta);
    }));
  };
}

Value sigmoid(const Payload &p, Value x) {
  Value minus = arith::NegFOp::create(p.b, p.loc, x);
  return p.div(p.number(1), p.add(p.number(1), p.exp(minus)));
}

/// ln(1 + e^x) = max(x, 0) + log1p(e^-|x|), which does not overflow.
Value softplus(const Payload &p, Value x) {
  Value magnitude = math::AbsFOp::create(p.b, p.loc, x);
  Value minus = arith::NegFOp::create(p.b, p.loc, magnitude);
  return p.add(p.max(x, p.number(0)), p.log1p(p.exp(minus)));
}

Value eluTail(const Payload &p, Value x, double alpha) {
  // exp only of what is not positive, so that it cannot overflow.
  Value negative = p.min(x, p.number(0));
  Value less = arith::SubFOp::create(p.b, p.loc, p.exp(negative), p.number(1));
  return p.mul(p.number(alpha), less);
}

LogicalResult importGelu(Node &n) {
  Tensor x = n.floatInput(0, "X");
  std::string approximate = n.getString("approximate", "none");
  if (!n.ok())
    return failure();
  if (approximate != "none" && approximate != "tanh")
    return n.emitError() << "attribute 'approximate' is '" << approximate
                         << "', but must be 'none' or 'tanh'";
  auto kind = approximate == "tanh" ? qd::GeluApproximation::Tanh
                                    : qd::GeluApproximation::None;
  return n.result(Tensor(
      qd::GeluOp::create(n.b.builder, n.b.loc, x.type, n.b.value(x), kind)));
}

LogicalResult importSwish(Node &n) {
  Tensor x = n.floatInput(0, "X");
  double alpha = n.getFloat("alpha", 1.0f);
  if (!n.ok())
    return failure();
  if (alpha == 1.0)
    return n.result(
        Tensor(qd::SiluOp::create(n.b.builder, n.b.loc, x.type, n.b.value(x))));
  return n.result(map(n, x, [&](const Payload &p, Value v) {
    return p.mul(v, sigmoid(p, p.mul(v, p.number(alpha))));
  }));
}

} // namespace

void registerActivationOps(OpRegistry &r) {
  r.onOp("Relu", 6, importRelu, "float, signed integer").symbolic();
  r.onOp("LeakyRelu", 6, importLeakyRelu).symbolic();
  r.onOp("PRelu", 7, importPRelu).symbolic();
  r.onOp("Clip", 6, importClip, "float, signed integer").symbolic();
  r.onOp("Gelu", 20, importGelu).symbolic();
  r.onOp("Swish", 24, importSwish).symbolic();
  r.onOp("Sigmoid", 6,
         activation([](const Payload &p, Value x, double, double) {
           return sigmoid(p, x);
         }))
      .symbolic();
  r.onOp("HardSigmoid", 6,
         activation([](const Payload &p, Value x, double alpha,
                       double beta) { return p.hardSigmoid(x, alpha, beta); },
                    "alpha", 0.2f, "beta", 0.5f))
      .symbolic();
  r.onOp("HardSwish", 14,
         activation([](const Payload &p, Value x, double, double) {
           return p.mul(x, p.hardSigmoid(x, 1.0 / 6.0, 0.5));
         }))
      .symbolic();
  r.onOp("Elu", 6,
         activation([](const Payload &p, Value x, double alpha,
                       double) { return p.bySign(x, x, eluTail(p, x, alpha)); },
                    "alpha", 1.0f))
      .symbolic();
  r.onOp("Selu", 6,
         activation(
             [](const Payload &p, Value x, double alpha, double gamma) {
               return p.mul(p.number(gamma),
                            p.bySign(x, x, eluTail(p, x, alpha)));
             },
             "alpha", 1.67326319217681884765625f, "gamma",
             1.05070102214813232421875f))
      .symbolic();
  r.onOp("ThresholdedRelu", 10,
         activation(
             [](const Payload &p, Value x, double alpha, double) -> Value {
               Value test = arith::CmpFOp::create(
                   p.b, p.loc, arith::CmpFPredicate::OGT, x, p.number(alpha));
               return arith::SelectOp::create(p.b, p.loc, test, x, p.number(0));
             },
             "alpha", 1.0f))
      .symbolic();
  r.onOp("Softplus", 1,
         activation([](const Payload &p, Value x, double, double) {
           return softplus(p, x);
         }))
      .symbolic();
  r.onOp("Softsign", 1,
         activation([](const Payload &p, Value x, double, double) {
           Value magnitude = math::AbsFOp::create(p.b, p.loc, x);
           return p.div(x, p.add(p.number(1), magnitude));
         }))
      .symbolic();
  r.onOp("Mish", 18, activation([](const Payload &p, Value x, double, double) {
           Value tanh = math::TanhOp::create(p.b, p.loc, softplus(p, x));
           return p.mul(x, tanh);
         }))
      .symbolic();
}

} // namespace qdialect::onnx_import

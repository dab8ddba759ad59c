// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float operators that ONNX Runtime's transformer optimizer writes: GELU with a
// bias and layer or RMS normalization of a residual sum. They become what their
// parts would.

#include "GraphBuilder.h"
#include "Node.h"
#include "Normalization.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "Scalars.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Tensor addTensors(GraphBuilder &b, const Tensor &x, const Tensor &y) {
  return b.elementwise({x, y}, x.elementType(),
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         return Scalars{nested, at}.add(v[0], v[1]);
                       });
}

/// gelu(x + bias), the bias along the last axis.
OpRegistry::Handler gelu(qd::GeluApproximation kind) {
  return [=](Node &n) -> LogicalResult {
    Tensor x = n.floatInput(0, "X");
    if (!n.ok())
      return failure();
    if (n.hasInput(1)) {
      Tensor bias = n.floatInput(1, "bias");
      n.requireSameType(x, bias);
      if (!n.ok())
        return failure();
      if (x.rank() < 1 || bias.shape() != x.shape().take_back(1))
        return n.emitError() << "bias " << describeType(bias.type)
                             << " does not lie along the last axis of "
                             << describeType(x.type);
      x = addTensors(n.b, x, bias);
    }
    return n.result(n.b.tensor(
        qd::GeluOp::create(n.b.builder, n.b.loc, x.type, n.b.value(x), kind)));
  };
}

/// Layer normalization over the last axis of input + skip + bias, and that sum;
/// `simplified` is an RMS normalization, which has no beta.
LogicalResult importSkipLayerNormalization(Node &n, bool simplified) {
  Tensor x = n.floatInput(0, "input"), skip = n.floatInput(1, "skip"),
         gamma = n.floatInput(2, "gamma");
  float epsilon = n.getFloat("epsilon", 1e-12f);
  for (const Tensor *other : {&skip, &gamma})
    n.requireSameType(x, *other);
  n.requireRank(x, "input", 1);
  if (!n.ok())
    return failure();
  if (skip.shape() != x.shape())
    return n.emitError() << "skip " << describeType(skip.type)
                         << " does not have the shape of input "
                         << describeType(x.type);
  auto bindRow = [&](size_t index, StringRef label) -> std::optional<Tensor> {
    if (!n.hasInput(index))
      return std::nullopt;
    Tensor row = n.floatInput(index, label);
    n.requireSameType(x, row);
    if (n.ok() && row.shape() != x.shape().take_back(1))
      n.emitError() << "input " << label << " " << describeType(row.type)
                    << " does not lie along the last axis of "
                    << describeType(x.type);
    return row;
  };
  bindRow(2, "gamma");
  std::optional<Tensor> beta, bias;
  if (!simplified)
    beta = bindRow(3, "beta");
  bias = bindRow(simplified ? 3 : 4, "bias");
  if (!n.ok())
    return failure();
  if (n.wantsOutput(1) || n.wantsOutput(2))
    return n.emitError()
           << "the outputs mean and inv_std_var are not supported";
  GraphBuilder &b = n.b;
  Tensor sum = addTensors(b, x, skip);
  if (bias)
    sum = addTensors(b, sum, *bias);
  auto axis = static_cast<uint64_t>(x.rank() - 1);
  Value shift = beta ? b.value(*beta) : Value();
  llvm::APFloat small(epsilon);
  Tensor y = simplified
                 ? b.tensor(qd::RmsNormOp::create(b.builder, b.loc, sum.type,
                                                  b.value(sum), b.value(gamma),
                                                  axis, small))
                 : b.tensor(qd::LayerNormOp::create(
                       b.builder, b.loc, sum.type, b.value(sum), b.value(gamma),
                       shift, axis, small));
  if (failed(n.result(0, y)))
    return failure();
  return n.wantsOutput(3) ? n.result(3, sum) : success();
}

} // namespace

void registerFusedOps(OpRegistry &r) {
  r.onOp(microsoftDomain, "Gelu", 1, gelu(qd::GeluApproximation::None))
      .symbolic();
  r.onOp(microsoftDomain, "BiasGelu", 1, gelu(qd::GeluApproximation::None))
      .symbolic();
  r.onOp(microsoftDomain, "FastGelu", 1, gelu(qd::GeluApproximation::Tanh))
      .symbolic();
  for (bool simplified : {false, true})
    r.onOp(
         microsoftDomain,
         simplified ? "SkipSimplifiedLayerNormalization"
                    : "SkipLayerNormalization",
         1,
         [=](Node &n) { return importSkipLayerNormalization(n, simplified); },
         "without mean and inv_std_var")
        .symbolic();
}

} // namespace qdialect::onnx_import

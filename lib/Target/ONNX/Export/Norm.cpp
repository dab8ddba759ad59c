// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax, norms and the activations that are ops of their own.

#include "Export/Exporter.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

LogicalResult emitSoftmax(Exporter &e, Operation *op) {
  auto softmax = cast<qd::SoftmaxOp>(op);
  std::optional<Binding> x = e.find(softmax.getInput());
  if (!x)
    return failure();
  int64_t axis = llvm::find(x->order, static_cast<int64_t>(softmax.getAxis())) -
                 x->order.begin();
  std::string y = e.nameFor(softmax.getResult(), x->order);
  e.model.addNode("Softmax", {x->name}, {y}, {{"axis", axis}});
  e.bind(softmax.getResult(), y, x->order);
  return success();
}

LogicalResult emitLayerNorm(Exporter &e, Operation *op) {
  auto norm = cast<qd::LayerNormOp>(op);
  SmallVector<std::string> inputs{e.use(norm.getInput()),
                                  e.use(norm.getGamma())};
  if (norm.getBeta())
    inputs.push_back(e.use(norm.getBeta()));
  if (llvm::any_of(inputs, [](auto &name) { return name.empty(); }))
    return failure();
  int64_t rank = cast<RankedTensorType>(norm.getType()).getRank();
  std::string y = e.nameFor(norm.getResult(), identityOrder(rank));
  e.model.addNode("LayerNormalization", inputs, {y},
                  {{"axis", static_cast<int64_t>(norm.getAxis())},
                   {"epsilon", norm.getEpsilon().convertToFloat()}});
  e.bind(norm.getResult(), y);
  return success();
}

/// x / sqrt(mean(x * x) + epsilon) * gamma: RMSNormalization is of opset 23.
LogicalResult emitRmsNorm(Exporter &e, Operation *op) {
  auto norm = cast<qd::RmsNormOp>(op);
  std::string x = e.use(norm.getInput()), gamma = e.use(norm.getGamma());
  if (x.empty() || gamma.empty())
    return failure();
  auto type = cast<RankedTensorType>(norm.getType());
  auto axes = llvm::to_vector(
      llvm::seq(static_cast<int64_t>(norm.getAxis()), type.getRank()));
  std::string mean =
      e.node("ReduceMean", {e.node("Mul", {x, x}), e.integers(axes)},
             {{"keepdims", int64_t(1)}});
  std::string sum = e.node("Add", {mean, e.scalar(norm.getEpsilonAttr())});
  std::string normal = e.node("Div", {x, e.node("Sqrt", {sum})});
  std::string y = e.nameFor(norm.getResult(), identityOrder(type.getRank()));
  e.model.addNode("Mul", {normal, gamma}, {y}, {});
  e.bind(norm.getResult(), y);
  return success();
}

LogicalResult emitGelu(Exporter &e, Operation *op) {
  auto gelu = cast<qd::GeluOp>(op);
  std::optional<Binding> x = e.find(gelu.getInput());
  if (!x)
    return failure();
  std::string y = e.nameFor(gelu.getResult(), x->order);
  bool isTanh = gelu.getApproximate() == qd::GeluApproximation::Tanh;
  e.model.addNode("Gelu", {x->name}, {y},
                  {{"approximate", std::string(isTanh ? "tanh" : "none")}});
  e.bind(gelu.getResult(), y, x->order);
  return success();
}

LogicalResult emitSilu(Exporter &e, Operation *op) {
  auto silu = cast<qd::SiluOp>(op);
  std::optional<Binding> x = e.find(silu.getInput());
  if (!x)
    return failure();
  std::string y = e.nameFor(silu.getResult(), x->order);
  e.model.addNode("Mul", {x->name, e.node("Sigmoid", {x->name})}, {y}, {});
  e.bind(silu.getResult(), y, x->order);
  return success();
}

} // namespace

void addNormRules(Rules &rules) {
  rules.push_back({isOneOf<qd::SoftmaxOp>, emitSoftmax});
  rules.push_back({isOneOf<qd::LayerNormOp>, emitLayerNorm});
  rules.push_back({isOneOf<qd::RmsNormOp>, emitRmsNorm});
  rules.push_back({isOneOf<qd::GeluOp>, emitGelu});
  rules.push_back({isOneOf<qd::SiluOp>, emitSilu});
}

} // namespace qdialect::onnx_export

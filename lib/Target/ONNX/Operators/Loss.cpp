// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Losses, as they stand in models exported with their training head.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Tensor sumOf(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes) {
  return b.reduce(x, axes, 0, [](OpBuilder &nested, Location at, ValueRange v) {
    return Scalars{nested, at}.add(v[1], v[0]);
  });
}

using Formula = llvm::function_ref<Value(const Scalars &, ValueRange)>;
Tensor combine(GraphBuilder &b, ArrayRef<Tensor> operands, Formula formula) {
  return b.elementwise(operands, operands.front().elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         return formula(Scalars{nested, at}, v);
                       });
}

/// log(softmax(x)) along axis 1.
Tensor logProbabilities(GraphBuilder &b, const Tensor &x) {
  Shape kept(x.shape());
  kept[1] = 1;
  Tensor largest = b.reduce(x, {1}, -std::numeric_limits<double>::infinity(),
                            [](OpBuilder &nested, Location at, ValueRange v) {
                              return Scalars{nested, at}.max(v[1], v[0]);
                            });
  auto subtract = [](const Scalars &s, ValueRange v) {
    return s.sub(v[0], v[1]);
  };
  Tensor shifted = combine(b, {x, b.reshape(largest, kept)}, subtract);
  Tensor powers = combine(
      b, {shifted}, [](const Scalars &s, ValueRange v) { return s.exp(v[0]); });
  Tensor log =
      combine(b, {b.reshape(sumOf(b, powers, {1}), kept)},
              [](const Scalars &s, ValueRange v) { return s.log(v[0]); });
  return combine(b, {shifted, log}, subtract);
}

/// -weight[target] * x[target] at every position, summed or averaged by the
/// weights. Positions whose target is ignore_index have the weight 0.
LogicalResult giveLoss(Node &n, const Tensor &x) {
  Tensor target = n.input(1, "target");
  std::optional<Tensor> weight = n.optionalInput(2);
  std::string reduction = n.getString("reduction", "mean");
  bool ignores = n.hasAttribute("ignore_index");
  int64_t ignored = n.getInt("ignore_index", 0);
  if (!n.ok())
    return failure();
  Shape shape{x.dim(0)};
  llvm::append_range(shape, x.shape().drop_front(2));
  int64_t classes = x.dim(1);
  if (target.shape() != ArrayRef(shape) ||
      !isSignlessInteger(target.elementType()) || classes == 0 ||
      (weight && (weight->shape() != ArrayRef(classes) ||
                  weight->elementType() != x.elementType())))
    return n.emitError() << "target " << describeType(target.type)
                         << " or weight does not fit scores "
                         << describeType(x.type);
  if (reduction != "none" && reduction != "mean" && reduction != "sum")
    return n.emitError() << "attribute 'reduction' is '" << reduction
                         << "', which is not known";
  GraphBuilder &b = n.b;
  Type type = x.elementType();
  Value scores = b.value(x), factors = weight ? b.value(*weight) : Value();
  Tensor weights =
      generate(b, shape, type, {along(target)},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value>) {
                 Value at = s.cast(v[0], s.b.getI64Type());
                 Value factor =
                     factors ? s.read(factors, {s.clampIndex(at, classes)})
                             : s.number(type, 1);
                 if (!ignores)
                   return factor;
                 Value isIgnored = s.eq(at, s.i64(ignored));
                 return s.select(isIgnored, s.number(type, 0), factor);
               });
  Tensor losses =
      generate(b, shape, type, {along(target), along(weights)},
               [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                 Value at = s.cast(v[0], s.b.getI64Type());
                 SmallVector<Value> from{places[0], s.clampIndex(at, classes)};
                 llvm::append_range(from, places.drop_front());
                 // Where the weight is 0 the score may be anything, infinity
                 // too.
                 Value loss = s.mul(s.neg(s.read(scores, from)), v[1]);
                 Value zero = s.number(type, 0);
                 return s.select(s.eq(v[1], zero), zero, loss);
               });
  if (reduction == "none")
    return n.result(0, losses);
  Shape axes = llvm::to_vector(
      llvm::seq<int64_t>(0, static_cast<int64_t>(shape.size())));
  Tensor sum = sumOf(b, losses, axes);
  if (reduction == "sum")
    return n.result(0, sum);
  return n.result(0, combine(b, {sum, sumOf(b, weights, axes)},
                             [](const Scalars &s, ValueRange v) {
                               return s.div(v[0], v[1]);
                             }));
}

LogicalResult importNegativeLogLikelihoodLoss(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 2);
  return n.ok() ? giveLoss(n, x) : failure();
}

LogicalResult importSoftmaxCrossEntropyLoss(Node &n) {
  Tensor x = n.floatInput(0, "scores");
  n.requireRank(x, "scores", 2);
  if (!n.ok())
    return failure();
  Tensor logs = logProbabilities(n.b, x);
  if (failed(giveLoss(n, logs)))
    return failure();
  return n.wantsOutput(1) ? n.result(1, logs) : success();
}

} // namespace

void registerLossOps(OpRegistry &r) {
  r.onOp("NegativeLogLikelihoodLoss", 12, importNegativeLogLikelihoodLoss);
  r.onOp("SoftmaxCrossEntropyLoss", 12, importSoftmaxCrossEntropyLoss);
}

} // namespace qdialect::onnx_import

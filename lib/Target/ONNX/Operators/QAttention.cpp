// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QAttention: the projection of codes to queries, keys and values as the float
// product of what is dequantized, and attention over that in floats, which is
// where ONNX Runtime leaves the integers, too.

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Normalization.h"
#include "Quantization.h"
#include "Registry.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// (batch, sequence, 3 * heads * size): the queries (0), keys (1) or values (2)
/// as (batch, heads, sequence, size).
Tensor headsOf(GraphBuilder &b, const Tensor &projected, int64_t part,
               int64_t heads) {
  int64_t hidden = projected.dim(2) / 3;
  Tensor x = b.sliceAxis(projected, 2, part * hidden, hidden);
  x = b.reshape(x, {x.dim(0), x.dim(1), heads, hidden / heads});
  return b.transpose(x, {0, 2, 1, 3});
}

/// input * weight + bias.
FailureOr<Tensor> project(Node &n) {
  Tensor weight = n.input(1, "weight"), bias = n.floatInput(2, "bias");
  if (!n.ok())
    return failure();
  std::optional<Tensor> x = dequantizedInput(n, 0, "input", {3, 6});
  if (!x)
    return failure();
  std::optional<Tensor> w =
      dequantizedInput(n, 1, "weight", {4, 7, /*axis=*/weight.rank() - 1});
  if (!w)
    return failure();
  if (x->rank() != 3 || w->rank() != 2 || w->dim(0) != x->dim(2) ||
      w->dim(1) % 3 != 0 || bias.shape() != w->shape().take_back(1))
    return n.emitError() << "input " << describeType(x->type) << ", weight "
                         << describeType(w->type) << " and bias "
                         << describeType(bias.type)
                         << " do not make queries, keys and values",
           failure();
  FailureOr<Tensor> y = n.delegate("MatMul", 13, {*x, *w}, {});
  return failed(y) ? y : n.delegate("Add", 14, {*y, bias}, {});
}

/// What is added to the scores: of (batch), the number of keys that count; of
/// (batch, sequence), whether each counts.
std::optional<Mapped> bindMask(Node &n, int64_t batch, int64_t length) {
  Tensor mask = n.input(5, "mask_index");
  if (!n.ok())
    return std::nullopt;
  bool isLengths = mask.shape() == ArrayRef(batch);
  int64_t full[] = {batch, length};
  if (!isSignlessInteger(mask.elementType()) ||
      (!isLengths && mask.shape() != ArrayRef(full))) {
    n.emitError() << "input mask_index " << describeType(mask.type)
                  << " must be int32 of shape batch or batch x sequence";
    return std::nullopt;
  }
  if (isLengths)
    return Mapped{mask, {0}};
  return Mapped{mask, {0, 3}};
}

LogicalResult importQAttention(Node &n) {
  int64_t heads = n.getInt("num_heads", 0);
  bool causal = n.getInt("unidirectional", 0) != 0;
  double maskValue = n.getFloat("mask_filter_value", -10000.0f),
         scale = n.getFloat("scale", 0.0f);
  bool rotates = n.getInt("do_rotary", 0) != 0;
  n.ignore({"past_present_share_buffer"});
  if (!n.ok())
    return failure();
  if (n.hasInput(8) || n.wantsOutput(1) || rotates)
    return n.emitError()
           << "the cache (past, present) and do_rotary are not supported";
  FailureOr<Tensor> projected = project(n);
  if (failed(projected))
    return failure();
  int64_t hidden = projected->dim(2) / 3;
  if (!n.requireRange("num_heads", {heads}, 1, hidden))
    return failure();
  if (hidden % heads != 0)
    return n.emitError() << "attribute 'num_heads' is " << heads
                         << ", which does not divide " << hidden;
  GraphBuilder &b = n.b;
  Tensor q = headsOf(b, *projected, 0, heads),
         k = headsOf(b, *projected, 1, heads),
         v = headsOf(b, *projected, 2, heads);
  int64_t batch = q.dim(0), length = q.dim(2), size = q.dim(3);
  if (scale == 0)
    scale = 1 / std::sqrt(static_cast<double>(size));
  FailureOr<Tensor> products =
      n.delegate("MatMul", 13, {q, b.transpose(k, {0, 1, 3, 2})}, {});
  if (failed(products))
    return failure();
  SmallVector<Mapped> operands{along(*products)};
  if (n.hasInput(5)) {
    std::optional<Mapped> mask = bindMask(n, batch, length);
    if (!mask)
      return failure();
    operands.push_back(*mask);
  }
  Type type = products->elementType();
  bool isLengths = operands.size() > 1 && operands[1].loops.size() == 1;
  Tensor scores = generate(
      b, products->shape(), type, operands,
      [&](const Scalars &s, ValueRange values, ArrayRef<Value> places) {
        Value score = s.mul(values[0], s.number(type, scale));
        if (operands.size() > 1) {
          Value mask = values[1];
          Value counts = isLengths
                             ? s.lt(places[3], s.cast(mask, s.b.getI64Type()))
                             : s.lt(s.number(mask, 0), mask);
          score =
              s.select(counts, score, s.add(score, s.number(type, maskValue)));
        }
        if (causal)
          score = s.select(
              s.le(places[3], places[2]), score,
              s.number(type, -std::numeric_limits<double>::infinity()));
        return score;
      });
  FailureOr<Tensor> y =
      n.delegate("MatMul", 13, {softmaxAlong(b, scores, 3), v}, {});
  if (failed(y))
    return failure();
  return n.result(
      b.reshape(b.transpose(*y, {0, 2, 1, 3}), {batch, length, hidden}));
}

} // namespace

void registerQAttentionOps(OpRegistry &r) {
  r.onOp(microsoftDomain, "QAttention", 1, importQAttention,
         "without past, present and do_rotary; mask of lengths or of each key");
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention (opset 23) and RotaryEmbedding. Attention is written as the two
// batched products around one element-wise operation (softcap, mask, causal
// limit) and a qd.softmax; heads that share keys are rows of one product.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "Normalization.h"
#include "Registry.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// (batch, sequence, heads * size) as (batch, heads, sequence, size).
FailureOr<Tensor> splitHeads(Node &n, const Tensor &x, StringRef label,
                             int64_t heads) {
  if (x.rank() == 4)
    return x;
  if (x.rank() != 3 || heads < 1 || x.dim(2) % heads != 0)
    return n.emitError() << "input " << label << " " << describeType(x.type)
                         << " cannot be split into " << heads << " heads",
           failure();
  Tensor split = n.b.reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads});
  return n.b.transpose(split, {0, 2, 1, 3});
}

Tensor scaled(GraphBuilder &b, const Tensor &x, double factor) {
  return b.elementwise({x}, x.elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.mul(v[0], s.number(v[0], factor));
                       });
}

/// (g, m, k) times (g, k, n).
Tensor batchProduct(GraphBuilder &b, const Tensor &x, const Tensor &y) {
  Value init = b.filled({x.dim(0), x.dim(1), y.dim(2)}, x.elementType(), 0);
  return Tensor(linalg::BatchMatmulOp::create(
                    b.builder, b.loc, TypeRange{init.getType()},
                    ValueRange{b.value(x), b.value(y)}, ValueRange{init})
                    .getResult(0));
}

struct Heads {
  Tensor q, k, v;
  int64_t batch = 0, queryHeads = 0, keyHeads = 0, queries = 0, keys = 0;
  int64_t past = 0;
};

/// Reads Q, K, V and the cache, and checks that they belong together.
FailureOr<Heads> bindHeads(Node &n) {
  Tensor q = n.floatInput(0, "Q"), k = n.floatInput(1, "K"),
         v = n.floatInput(2, "V");
  int64_t queryHeads = n.getInt("q_num_heads", 0),
          keyHeads = n.getInt("kv_num_heads", 0);
  n.requireSameType(q, k);
  n.requireSameType(q, v);
  if (!n.ok())
    return failure();
  FailureOr<Tensor> query = splitHeads(n, q, "Q", queryHeads);
  if (failed(query))
    return failure();
  FailureOr<Tensor> key = splitHeads(n, k, "K", keyHeads);
  if (failed(key))
    return failure();
  FailureOr<Tensor> value = splitHeads(n, v, "V", keyHeads);
  if (failed(value))
    return failure();
  Heads h{*query, *key, *value};
  auto addPast = [&](size_t index, StringRef label, Tensor &x) {
    if (!n.hasInput(index))
      return true;
    Tensor past = n.floatInput(index, label);
    n.requireSameType(x, past);
    if (!n.ok())
      return false;
    bool fits = past.rank() == 4;
    for (int64_t i = 0; fits && i < 4; ++i)
      fits = i == 2 || past.dim(i) == x.dim(i);
    if (!fits) {
      n.emitError() << "input " << label << " " << describeType(past.type)
                    << " does not continue into " << describeType(x.type);
      return false;
    }
    h.past = past.dim(2);
    x = n.b.concat({past, x}, 2);
    return true;
  };
  if (!addPast(4, "past_key", h.k) || !addPast(5, "past_value", h.v))
    return failure();
  h.batch = h.q.dim(0);
  h.queryHeads = h.q.dim(1);
  h.keyHeads = h.k.dim(1);
  h.queries = h.q.dim(2);
  h.keys = h.k.dim(2);
  if (h.k.dim(0) != h.batch || h.v.dim(0) != h.batch ||
      h.v.dim(1) != h.keyHeads || h.v.dim(2) != h.keys ||
      h.k.dim(3) != h.q.dim(3) || h.keyHeads < 1 ||
      h.queryHeads % h.keyHeads != 0)
    return n.emitError() << "Q " << describeType(h.q.type) << ", K "
                         << describeType(h.k.type) << " and V "
                         << describeType(h.v.type) << " do not belong together",
           failure();
  return h;
}

/// The mask with the dimensions along which it is broadcast dropped, padded
/// along the keys with what forbids.
std::optional<Mapped> bindMask(Node &n, const Heads &h, Type type) {
  Tensor mask = n.input(3, "attn_mask");
  if (!n.ok())
    return std::nullopt;
  bool isBool = mask.elementType().isInteger(1);
  int64_t full[] = {h.batch, h.queryHeads, h.queries, h.keys};
  int64_t rank = mask.rank();
  bool fits = rank >= 1 && rank <= 4 && (isBool || isFloat(mask.elementType()));
  for (int64_t i = 0; fits && i < rank; ++i) {
    int64_t size = full[4 - rank + i];
    fits = mask.dim(i) == 1 || mask.dim(i) == size ||
           (i == rank - 1 && mask.dim(i) < size);
  }
  if (!fits) {
    n.emitError() << "input attn_mask " << describeType(mask.type)
                  << " does not broadcast to the scores";
    return std::nullopt;
  }
  if (!isBool)
    mask = n.b.cast(mask, type);
  int64_t missing = h.keys - mask.dim(rank - 1);
  if (missing > 0 && mask.dim(rank - 1) > 1) {
    Shape low(rank, 0), high(rank, 0);
    high.back() = missing;
    mask = n.b.pad(mask, low, high, isBool ? 0 : -infinity);
  }
  Mapped mapped;
  Shape kept;
  for (int64_t i = 0; i < rank; ++i) {
    if (mask.dim(i) == 1 && full[4 - rank + i] != 1)
      continue;
    kept.push_back(mask.dim(i));
    mapped.loops.push_back(4 - rank + i);
  }
  mapped.tensor = n.b.reshape(mask, kept);
  return mapped;
}

LogicalResult importAttention(Node &n) {
  bool causal = n.getInt("is_causal", 0) != 0;
  double softcap = n.getFloat("softcap", 0.0f);
  int64_t mode = n.getInt("qk_matmul_output_mode", 0),
          precision = n.getInt("softmax_precision", 0);
  FailureOr<Heads> bound = bindHeads(n);
  if (failed(bound))
    return failure();
  GraphBuilder &b = n.b;
  const Tensor presentKey = bound->k, presentValue = bound->v;
  const Type original = bound->q.elementType();
  // Narrow floats are computed in f32 and rounded once.
  if (original.getIntOrFloatBitWidth() < 32)
    for (Tensor *tensor : {&bound->q, &bound->k, &bound->v})
      *tensor = b.cast(*tensor, b.builder.getF32Type());
  const Heads &h = *bound;
  Type type = h.q.elementType();
  double factor = n.hasAttribute("scale")
                      ? n.getFloat("scale", 0)
                      : 1 / std::sqrt(static_cast<double>(h.q.dim(3)));
  std::optional<Mapped> mask, lengths;
  if (n.hasInput(3) && !(mask = bindMask(n, h, type)))
    return failure();
  if (n.hasInput(6)) {
    Tensor count = n.input(6, "nonpad_kv_seqlen");
    if (!n.ok())
      return failure();
    if (count.shape() != ArrayRef(h.batch) ||
        !isSignlessInteger(count.elementType()))
      return n.emitError() << "input nonpad_kv_seqlen "
                           << describeType(count.type) << " must have the "
                           << h.batch << " sequences";
    lengths = Mapped{count, {0}};
  }
  Type softmaxType = type;
  if (precision != 0) {
    softmaxType =
        precision < 0 || precision > INT32_MAX
            ? Type()
            : getElementType(static_cast<int>(precision), b.context());
    if (!softmaxType || !isFloat(softmaxType) ||
        softmaxType.getIntOrFloatBitWidth() < 16)
      return n.emitError() << "attribute 'softmax_precision' " << precision
                           << " is not supported";
  }
  if (!n.ok())
    return failure();

  int64_t groups = h.batch * h.keyHeads,
          rows = h.queryHeads / h.keyHeads * h.queries;
  Tensor query = b.reshape(scaled(b, h.q, factor), {groups, rows, h.q.dim(3)});
  Tensor key =
      b.reshape(b.transpose(h.k, {0, 1, 3, 2}), {groups, h.k.dim(3), h.keys});
  Tensor raw = b.reshape(batchProduct(b, query, key),
                         {h.batch, h.queryHeads, h.queries, h.keys});
  Tensor capped = raw;
  if (softcap > 0)
    capped = b.elementwise(
        {raw}, type,
        [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
          Scalars s{nested, at};
          Value cap = s.number(type, softcap);
          Value tanh = math::TanhOp::create(nested, at, s.div(v[0], cap));
          return s.mul(tanh, cap);
        });
  SmallVector<Mapped> operands{along(capped)};
  if (mask)
    operands.push_back(*mask);
  if (lengths)
    operands.push_back(*lengths);
  Tensor scores = capped;
  if (operands.size() > 1 || causal)
    scores =
        generate(b, capped.shape(), type, operands,
                 [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                   Value score = v[0], forbidden = s.number(type, -infinity);
                   size_t next = 1;
                   if (mask) {
                     Value bias = v[next++];
                     score = bias.getType().isInteger(1)
                                 ? s.select(bias, score, forbidden)
                                 : s.add(score, bias);
                   }
                   if (lengths) {
                     Value length = s.cast(v[next++], s.b.getI64Type());
                     score =
                         s.select(s.lt(places[3], length), score, forbidden);
                   }
                   if (causal) {
                     Value last = s.add(places[2], s.i64(h.past));
                     score = s.select(s.le(places[3], last), score, forbidden);
                   }
                   return score;
                 });
  Tensor wide = b.cast(scores, softmaxType);
  Tensor weights = softmaxAlong(b, wide, 3);
  weights = b.cast(weights, type);
  Tensor value = b.reshape(h.v, {groups, h.keys, h.v.dim(3)});
  Tensor y = batchProduct(b, b.reshape(weights, {groups, rows, h.keys}), value);
  y = b.reshape(y, {h.batch, h.queryHeads, h.queries, h.v.dim(3)});
  if (n.input(0, "Q").rank() == 3)
    y = b.reshape(b.transpose(y, {0, 2, 1, 3}),
                  {h.batch, h.queries, h.queryHeads * h.v.dim(3)});
  if (failed(n.result(0, b.cast(y, original))))
    return failure();
  if (n.wantsOutput(1) && failed(n.result(1, presentKey)))
    return failure();
  if (n.wantsOutput(2) && failed(n.result(2, presentValue)))
    return failure();
  if (!n.wantsOutput(3))
    return success();
  if (mode < 0 || mode > 3)
    return n.emitError() << "attribute 'qk_matmul_output_mode' is " << mode
                         << ", but must be 0 to 3";
  const Tensor stages[] = {raw, capped, scores, weights};
  return n.result(3, b.cast(stages[mode], original));
}

/// Rotates pairs of the first `rotary_embedding_dim` elements of each head by
/// the angles of the position.
LogicalResult importRotaryEmbedding(Node &n) {
  Tensor x = n.floatInput(0, "X"), cosine = n.floatInput(1, "cos_cache"),
         sine = n.floatInput(2, "sin_cache");
  bool interleaved = n.getInt("interleaved", 0) != 0;
  int64_t dim = n.getInt("rotary_embedding_dim", 0),
          heads = n.getInt("num_heads", 0);
  n.requireSameType(x, cosine);
  n.requireSameType(x, sine);
  if (!n.ok())
    return failure();
  FailureOr<Tensor> split = splitHeads(n, x, "X", heads);
  if (failed(split))
    return failure();
  int64_t batch = split->dim(0), sequence = split->dim(2), size = split->dim(3);
  dim = dim == 0 ? size : dim;
  int64_t half = dim / 2;
  bool hasPositions = n.hasInput(3);
  Tensor positions = hasPositions ? n.input(3, "position_ids") : x;
  int64_t cacheRank = hasPositions ? 2 : 3;
  bool fits = dim > 0 && dim % 2 == 0 && dim <= size &&
              cosine.shape() == sine.shape() && cosine.rank() == cacheRank &&
              cosine.dim(cacheRank - 1) == half;
  if (fits && hasPositions)
    fits = positions.shape() == ArrayRef<int64_t>({batch, sequence}) &&
           isSignlessInteger(positions.elementType());
  else if (fits)
    fits = cosine.dim(0) == batch && cosine.dim(1) == sequence;
  if (!fits)
    return n.emitError() << "X " << describeType(x.type) << ", cos_cache "
                         << describeType(cosine.type) << " and sin_cache "
                         << describeType(sine.type)
                         << " do not fit rotary_embedding_dim " << dim;
  // At place i of a head: its partner, its pair, and whether it is the second.
  GraphBuilder &b = n.b;
  Value source = b.value(*split), cosines = b.value(cosine),
        sines = b.value(sine);
  SmallVector<Mapped> operands{along(*split)};
  if (hasPositions)
    operands.push_back({positions, {0, 2}});
  Tensor y = generate(
      b, split->shape(), x.elementType(), operands,
      [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
        Value i = places[3];
        Value pair, isSecond, partner;
        if (interleaved) {
          pair = s.divTotal(i, s.i64(2));
          isSecond = s.ne(s.remTotal(i, s.i64(2)), s.i64(0));
          partner = s.select(isSecond, s.sub(i, s.i64(1)), s.add(i, s.i64(1)));
        } else {
          isSecond = s.le(s.i64(half), i);
          pair = s.select(isSecond, s.sub(i, s.i64(half)), i);
          partner = s.select(isSecond, pair, s.add(pair, s.i64(half)));
        }
        SmallVector<Value> at{places[0], places[2]};
        if (hasPositions)
          at = {s.wrapIndex(v[1], cosine.dim(0))};
        at.push_back(s.clampIndex(pair, half));
        SmallVector<Value> other(places);
        other[3] = s.clampIndex(partner, size);
        Value straight = s.mul(v[0], s.read(cosines, at));
        Value crossed = s.mul(s.read(source, other), s.read(sines, at));
        Value rotated = s.select(isSecond, s.add(straight, crossed),
                                 s.sub(straight, crossed));
        return s.select(s.lt(i, s.i64(dim)), rotated, v[0]);
      });
  if (x.rank() == 3)
    y = b.transpose(y, {0, 2, 1, 3});
  return n.result(b.reshape(y, x.shape()));
}

} // namespace

void registerAttentionOps(OpRegistry &r) {
  r.onOp("Attention", 23, importAttention);
  r.onOp("RotaryEmbedding", 23, importRotaryEmbedding);
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Normalizations beside batch, layer and local response: instance, group, root
// mean square (ONNX Runtime calls it simplified layer normalization),
// mean-variance, L_p; and LogSoftmax.

#include "GraphBuilder.h"
#include "Node.h"
#include "Normalization.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"
#include "Scalars.h"
#include <limits>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

using UnaryBody = llvm::function_ref<Value(const Scalars &, Value)>;
Tensor map(GraphBuilder &b, const Tensor &x, UnaryBody body) {
  return b.elementwise({x}, x.elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         return body(Scalars{nested, at}, v[0]);
                       });
}

using BinaryBody = llvm::function_ref<Value(const Scalars &, Value, Value)>;
Tensor zip(GraphBuilder &b, const Tensor &x, const Tensor &y, BinaryBody body) {
  return b.elementwise({x, y}, x.elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         return body(Scalars{nested, at}, v[0], v[1]);
                       });
}

/// The sum over `axes`, which stay as ones.
Tensor sumOver(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes) {
  Shape kept(x.shape());
  for (int64_t axis : axes)
    kept[axis] = 1;
  return b.reshape(b.reduce(x, axes, 0,
                            [](OpBuilder &nested, Location at, ValueRange v) {
                              return Scalars{nested, at}.add(v[1], v[0]);
                            }),
                   kept);
}

Tensor meanOver(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes) {
  int64_t count = 1;
  for (int64_t axis : axes)
    count = b.sizes.mul(count, x.dim(axis));
  return map(b, sumOver(b, x, axes), [&](const Scalars &s, Value v) {
    return s.div(v, b.sizeAs(s.b, s.loc, v.getType(), count));
  });
}

Tensor square(GraphBuilder &b, const Tensor &x) {
  return map(b, x, [](const Scalars &s, Value v) { return s.mul(v, v); });
}

} // namespace

Moments momentsOver(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> axes,
                    double epsilon) {
  Tensor mean = meanOver(b, x, axes);
  Tensor centered = zip(b, x, mean, [](const Scalars &s, Value v, Value m) {
    return s.sub(v, m);
  });
  Tensor variance = meanOver(b, square(b, centered), axes);
  return {mean, map(b, variance, [&](const Scalars &s, Value v) {
            Value deviation = s.sqrt(s.add(v, s.number(v, epsilon)));
            return s.div(s.number(v, 1), deviation);
          })};
}

namespace {

/// Rows normalized to mean 0 and variance 1. qd.layer_norm has rows of one
/// length; those of a symbolic one are normalized by parts, in f32 at least.
Tensor standardizeRows(GraphBuilder &b, const Tensor &rows, float epsilon) {
  Type type = rows.elementType();
  int64_t row = rows.dim(1);
  if (!SymbolicSizes::isSymbolic(row))
    return b.tensor(qd::LayerNormOp::create(
        b.builder, b.loc, rows.type, b.value(rows), b.filled({row}, type, 1),
        Value(), uint64_t(1), llvm::APFloat(epsilon)));
  bool isNarrow = type.getIntOrFloatBitWidth() < 32;
  Tensor wide = isNarrow ? b.cast(rows, b.builder.getF32Type()) : rows;
  Moments moments = momentsOver(b, wide, {1}, epsilon);
  Tensor centered =
      zip(b, wide, moments.mean,
          [](const Scalars &s, Value v, Value mean) { return s.sub(v, mean); });
  Tensor y =
      zip(b, centered, moments.inverseDeviation,
          [](const Scalars &s, Value v, Value by) { return s.mul(v, by); });
  return b.cast(y, type);
}

/// Rows of `row` elements normalized, then scaled and shifted per channel
/// (axis 1).
Tensor normalizeRows(GraphBuilder &b, const Tensor &x, int64_t row,
                     float epsilon, const Tensor &scale, const Tensor &shift) {
  int64_t count = row == 0 ? 0 : *b.sizes.divide(b.count(x), row);
  Tensor y = standardizeRows(b, b.reshape(x, {count, row}), epsilon);
  return b.channelwise(b.reshape(y, x.shape()), {scale, shift}, 1,
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         Scalars s{nested, at};
                         return s.add(s.mul(v[0], v[1]), v[2]);
                       });
}

/// Scale and shift, with `size` elements each.
bool bindChannels(Node &n, const Tensor &x, int64_t size, Tensor &scale,
                  Tensor &shift) {
  scale = n.floatInput(1, "scale");
  shift = n.floatInput(2, "B");
  n.requireSameType(x, scale);
  n.requireSameType(x, shift);
  if (n.ok() &&
      (scale.shape() != ArrayRef(size) || scale.shape() != shift.shape()))
    n.emitError() << "scale " << describeType(scale.type) << " and B "
                  << describeType(shift.type) << " must have " << size
                  << " elements for " << describeType(x.type);
  return n.ok();
}

LogicalResult importInstanceNormalization(Node &n) {
  Tensor x = n.floatInput(0, "input"), scale, shift;
  n.requireRank(x, "input", 3);
  float epsilon = n.getFloat("epsilon", 1e-5f);
  if (!n.ok() || !bindChannels(n, x, x.dim(1), scale, shift))
    return failure();
  int64_t row = n.b.sizes.product(x.shape().drop_front(2));
  return n.result(normalizeRows(n.b, x, row, epsilon, scale, shift));
}

/// Until opset 20 scale and shift have one element a group.
LogicalResult importGroupNormalization(Node &n) {
  Tensor x = n.floatInput(0, "X"), scale, shift;
  n.requireRank(x, "X", 2);
  float epsilon = n.getFloat("epsilon", 1e-5f);
  int64_t groups = n.getInt("num_groups", 0), stash = n.getInt("stash_type", 1);
  if (!n.ok())
    return failure();
  int64_t channels = x.dim(1);
  if (SymbolicSizes::isSymbolic(channels) || groups < 1 ||
      channels % groups != 0 || stash != 1)
    return n.emitError() << "attribute 'num_groups' is " << groups
                         << " (stash_type " << stash << "), but there are "
                         << n.b.sizes.print(channels) << " channels";
  bool perGroup = n.opset() < 21;
  if (!bindChannels(n, x, perGroup ? groups : channels, scale, shift))
    return failure();
  if (perGroup) {
    int64_t each = channels / groups;
    auto spread = [&](const Tensor &t) {
      return n.b.reshape(
          n.b.expand(n.b.reshape(t, {groups, 1}), {groups, each}), {channels});
    };
    scale = spread(scale);
    shift = spread(shift);
  }
  int64_t row = n.b.sizes.mul(channels / groups,
                              n.b.sizes.product(x.shape().drop_front(2)));
  return n.result(normalizeRows(n.b, x, row, epsilon, scale, shift));
}

/// x / sqrt(mean of squares + epsilon) * scale, in f32.
LogicalResult importRMSNormalization(Node &n) {
  Tensor x = n.floatInput(0, "X"), scale = n.floatInput(1, "scale");
  int64_t axis = n.axis(n.getInt("axis", -1), std::max<int64_t>(x.rank(), 1));
  float epsilon = n.getFloat("epsilon", 1e-5f);
  int64_t stash = n.getInt("stash_type", 1);
  if (!n.ok() || !n.requireBroadcast({&x, &scale}))
    return failure();
  if (stash != 1 || ArrayRef(*broadcastShape({x, scale})) != x.shape())
    return n.emitError() << "scale " << describeType(scale.type)
                         << " (stash_type " << stash << ") does not fit X "
                         << describeType(x.type);
  GraphBuilder &b = n.b;
  Type f32 = b.builder.getF32Type();
  bool isRow = scale.shape() == x.shape().drop_front(axis) &&
               scale.elementType() == x.elementType();
  if (isRow &&
      !x.elementType().isF64()) // which is a sequence of f32 operations
    return n.result(b.tensor(qd::RmsNormOp::create(
        b.builder, b.loc, x.type, b.value(x), b.value(scale),
        static_cast<uint64_t>(axis), llvm::APFloat(epsilon))));
  bool isNarrow = x.elementType().getIntOrFloatBitWidth() < 32;
  Tensor wide = isNarrow ? b.cast(x, f32) : x;
  Shape axes = llvm::to_vector(llvm::seq<int64_t>(axis, x.rank()));
  Tensor mean = meanOver(b, square(b, wide), axes);
  Tensor size = map(b, mean, [&](const Scalars &s, Value v) {
    return s.sqrt(s.add(v, s.number(v, epsilon)));
  });
  Tensor y = zip(b, wide, size, [](const Scalars &s, Value v, Value d) {
    return s.div(v, d);
  });
  y = b.cast(y, scale.elementType());
  return n.result(zip(b, y, scale, [](const Scalars &s, Value v, Value f) {
    return s.mul(v, f);
  }));
}

LogicalResult importMeanVarianceNormalization(Node &n) {
  Tensor x = n.floatInput(0, "X");
  Shape axes = n.getInts("axes").value_or(Shape{0, 2, 3});
  if (!n.ok())
    return failure();
  axes = n.axes(axes, x.rank());
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  Tensor centered =
      zip(b, x, meanOver(b, x, axes),
          [](const Scalars &s, Value v, Value mean) { return s.sub(v, mean); });
  Tensor deviation = map(b, meanOver(b, square(b, centered), axes),
                         [](const Scalars &s, Value v) {
                           return s.add(s.sqrt(v), s.number(v, 1e-9));
                         });
  return n.result(
      zip(b, centered, deviation,
          [](const Scalars &s, Value v, Value d) { return s.div(v, d); }));
}

/// A row of norm 0 stays 0.
LogicalResult importLpNormalization(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 1);
  int64_t axis = n.axis(n.getInt("axis", -1), std::max<int64_t>(x.rank(), 1)),
          p = n.getInt("p", 2);
  if (!n.ok())
    return failure();
  if (p != 1 && p != 2)
    return n.emitError() << "attribute 'p' is " << p << ", but must be 1 or 2";
  GraphBuilder &b = n.b;
  Tensor powers =
      p == 1 ? map(b, x, [](const Scalars &s, Value v) { return s.abs(v); })
             : square(b, x);
  Tensor norm = sumOver(b, powers, {axis});
  if (p == 2)
    norm = map(b, norm, [](const Scalars &s, Value v) { return s.sqrt(v); });
  return n.result(zip(b, x, norm, [](const Scalars &s, Value v, Value size) {
    Value isZero = s.eq(size, s.number(size, 0));
    return s.select(isZero, s.number(v, 0), s.div(v, size));
  }));
}

/// x - max along `axis`, of which no exponential overflows.
Tensor subtractMax(GraphBuilder &b, const Tensor &x, int64_t axis) {
  Shape kept(x.shape());
  kept[axis] = 1;
  Tensor largest = b.reduce(x, {axis}, -std::numeric_limits<double>::infinity(),
                            [](OpBuilder &nested, Location at, ValueRange v) {
                              return Scalars{nested, at}.max(v[1], v[0]);
                            });
  return zip(b, x, b.reshape(largest, kept),
             [](const Scalars &s, Value v, Value w) { return s.sub(v, w); });
}

Tensor exponential(GraphBuilder &b, const Tensor &x) {
  return map(b, x, [](const Scalars &s, Value v) { return s.exp(v); });
}

/// x - max - log(sum(exp(x - max))).
LogicalResult importLogSoftmax(Node &n) {
  Tensor x = n.floatInput(0, "input");
  n.requireRank(x, "input", 1);
  int64_t axis = n.axis(n.getInt("axis", n.opset() < 13 ? 1 : -1),
                        std::max<int64_t>(x.rank(), 1));
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  // Before opset 13 everything from the axis on is one row.
  Shape rows{b.sizes.product(x.shape().take_front(axis)),
             b.sizes.product(x.shape().drop_front(axis))};
  Tensor seen = n.opset() < 13 ? b.reshape(x, rows) : x;
  axis = n.opset() < 13 ? 1 : axis;
  Tensor shifted = subtractMax(b, seen, axis);
  Tensor log = map(b, sumOver(b, exponential(b, shifted), {axis}),
                   [](const Scalars &s, Value v) { return s.log(v); });
  Tensor y = zip(b, shifted, log, [](const Scalars &s, Value v, Value w) {
    return s.sub(v, w);
  });
  return n.result(b.reshape(y, x.shape()));
}

} // namespace

Tensor softmaxByParts(GraphBuilder &b, const Tensor &x, int64_t axis) {
  Tensor powers = exponential(b, subtractMax(b, x, axis));
  return zip(b, powers, sumOver(b, powers, {axis}),
             [](const Scalars &s, Value v, Value w) { return s.div(v, w); });
}

void registerInstanceNormalizationOps(OpRegistry &r) {
  r.onOp("InstanceNormalization", 6, importInstanceNormalization).symbolic();
  r.onOp("GroupNormalization", 18, importGroupNormalization).symbolic();
  r.onOp("RMSNormalization", 23, importRMSNormalization).symbolic();
  // ONNX Runtime's optimizer writes it into ONNX's own domain.
  for (StringRef domain : {StringRef(), StringRef(microsoftDomain)})
    r.onOp(domain, "SimplifiedLayerNormalization", 1, importRMSNormalization)
        .symbolic();
  r.onOp("MeanVarianceNormalization", 9, importMeanVarianceNormalization)
      .symbolic();
  r.onOp("LpNormalization", 1, importLpNormalization).symbolic();
  r.onOp("LogSoftmax", 1, importLogSoftmax).symbolic();
}

} // namespace qdialect::onnx_import

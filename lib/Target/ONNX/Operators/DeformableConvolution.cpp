// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// DeformConv: each element that a window reads is moved by an offset and read
// between pixels. What the windows read becomes a tensor, over which the
// operator is a convolution of one pixel:
//
//   columns[n, (c, ky, kx), y, x] = X[n, c, y * s + ky * d - pad + offset, ...]
//   Y = Conv(columns, W as (O, C / group * kH * kW, 1, 1), B)

#include "ElementTypes.h"
#include "Indexing.h"
#include "Node.h"
#include "Registry.h"
#include "Window.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// A position along one dimension: the pixels around it, their weights, and
/// whether there are such.
struct Between {
  Value index[2], weight[2], exists[2];
};

Between between(const Scalars &s, Value position, int64_t size) {
  auto number = [&](double value) { return s.number(position, value); };
  // What no image reaches (NaN too) is a pixel that does not exist.
  Value isNear = s.lt(s.abs(position), number(0x1p22));
  position = s.select(isNear, position, number(-0x1p22));
  Value floor = s.floor(position);
  Between b;
  b.weight[1] = s.sub(position, floor);
  b.weight[0] = s.sub(number(1), b.weight[1]);
  for (int i = 0; i < 2; ++i) {
    Value index = s.cast(s.add(floor, number(i)), s.b.getI64Type());
    b.index[i] = s.clampIndex(index, size);
    b.exists[i] = s.eq(index, b.index[i]);
  }
  return b;
}

struct Deformation {
  GraphBuilder &b;
  Tensor x, offset;
  std::optional<Tensor> mask;
  Window window;
  int64_t groups; ///< of channels with offsets of their own

  Tensor columns();

private:
  /// The number of the offset that belongs to a channel and a window element.
  Value element(const Scalars &s, ArrayRef<Value> places) {
    Value channels = s.i64(x.dim(1) / groups);
    Value group = s.divTotal(places[1], channels);
    Value inWindow =
        s.add(s.mul(places[2], s.i64(window.kernel[1])), places[3]);
    return s.add(s.mul(group, s.i64(window.kernel[0] * window.kernel[1])),
                 inWindow);
  }
};

/// (N, C, kH, kW, H, W) as (N, C * kH * kW, H, W).
Tensor Deformation::columns() {
  Type type = x.elementType();
  Shape shape{x.dim(0),         x.dim(1),         window.kernel[0],
              window.kernel[1], window.output[0], window.output[1]};
  Value image = b.value(x), moves = b.value(offset),
        factors = mask ? b.value(*mask) : Value();
  Tensor read = generate(
      b, shape, type, {},
      [&](const Scalars &s, ValueRange, ArrayRef<Value> places) {
        Value number = element(s, places);
        Between at[2];
        for (int axis = 0; axis < 2; ++axis) {
          Value move = s.read(
              moves, {places[0], s.add(s.mul(number, s.i64(2)), s.i64(axis)),
                      places[4], places[5]});
          Value start = s.add(
              s.mul(places[4 + axis], s.i64(window.strides[axis])),
              s.sub(s.mul(places[2 + axis], s.i64(window.dilations[axis])),
                    s.i64(window.low[axis])));
          at[axis] =
              between(s, s.add(s.cast(start, type), move), x.dim(2 + axis));
        }
        Value sum, zero = s.number(type, 0);
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 2; ++j) {
            Value pixel = s.read(
                image, {places[0], places[1], at[0].index[i], at[1].index[j]});
            pixel =
                s.select(s.both(at[0].exists[i], at[1].exists[j]), pixel, zero);
            Value part = s.mul(s.mul(at[0].weight[i], at[1].weight[j]), pixel);
            sum = sum ? s.add(sum, part) : part;
          }
        if (factors)
          sum = s.mul(
              sum, s.read(factors, {places[0], number, places[4], places[5]}));
        return sum;
      });
  return b.reshape(
      read, {shape[0], shape[1] * shape[2] * shape[3], shape[4], shape[5]});
}

LogicalResult importDeformConv(Node &n) {
  Tensor x = n.floatInput(0, "X"), w = n.floatInput(1, "W"),
         offset = n.floatInput(2, "offset");
  std::optional<Tensor> bias = n.optionalInput(3), mask = n.optionalInput(4);
  int64_t groups = n.getInt("offset_group", 1), group = n.getInt("group", 1);
  n.ignore({"kernel_shape"}); // W says it too
  n.requireSameType(x, offset);
  if (mask)
    n.requireSameType(x, *mask);
  if (!n.ok())
    return failure();
  if (x.rank() != 4 || w.rank() != 4 || offset.rank() != 4 || groups < 1 ||
      group < 1 || x.dim(1) % groups != 0 || x.dim(1) != w.dim(1) * group ||
      llvm::is_contained(x.shape(), 0))
    return n.emitError() << "X " << describeType(x.type) << ", W "
                         << describeType(w.type) << " and offset "
                         << describeType(offset.type) << " do not fit";
  Deformation d{n.b,
                x,
                offset,
                mask,
                bindWindow(n, x.shape().drop_front(2), w.shape().drop_front(2)),
                groups};
  if (!n.ok())
    return failure();
  int64_t elements = groups * w.dim(2) * w.dim(3);
  Shape places{x.dim(0), elements, d.window.output[0], d.window.output[1]};
  Shape moves(places);
  moves[1] *= 2;
  if (offset.shape() != ArrayRef(moves) ||
      (mask && mask->shape() != ArrayRef(places)))
    return n.emitError() << "offset " << describeType(offset.type)
                         << " (and mask) are not " << describeShape(moves)
                         << " (and " << describeShape(places) << ")";
  Tensor columns = d.columns();
  Tensor weight =
      n.b.reshape(w, {w.dim(0), w.dim(1) * w.dim(2) * w.dim(3), 1, 1});
  FailureOr<Tensor> y =
      n.delegate("Conv", n.opset(), {columns, weight, bias}, {"group"});
  return failed(y) ? failure() : n.result(*y);
}

} // namespace

void registerDeformableConvolutionOps(OpRegistry &r) {
  r.onOp("DeformConv", 19, importDeformConv, "2-D; known sizes");
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conv. The forms, by groups (G), spatial rank and channels a group:
//
//   G = 1, 1-D / 2-D             conv_1d_ncw_fcw, conv_2d_nchw_fchw
//   G = C, one filter a channel  depthwise_conv_1d_ncw_cw, ..._2d_nchw_chw
//   else                         linalg.generic; input (n, g, c, ...),
//                                weights (g, f, c, ...), output (n, g, f, ...)

#include "Contraction.h"
#include "Node.h"
#include "Registry.h"
#include "Window.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

template <typename Op>
Tensor named(GraphBuilder &b, const Tensor &x, const Tensor &w, Value init,
             ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations) {
  auto op = Op::create(b.builder, b.loc, TypeRange{init.getType()},
                       ValueRange{b.value(x), b.value(w)}, ValueRange{init},
                       b.builder.getI64TensorAttr(strides),
                       b.builder.getI64TensorAttr(dilations));
  return b.tensor(op->getResult(0));
}

/// The linalg.generic. With groups, dimension 1 of x and output and dimension 0
/// of w is the group.
Tensor generic(GraphBuilder &b, const Tensor &x, const Tensor &w, Value init,
               bool grouped, ArrayRef<int64_t> strides,
               ArrayRef<int64_t> dilations) {
  // Loops: n, [g], f, output..., c, kernel...
  unsigned spatial = strides.size();
  unsigned loops = 0;
  auto next = [&] { return b.builder.getAffineDimExpr(loops++); };
  SmallVector<AffineExpr> input{next()}, weights, output{input[0]};
  if (grouped) {
    AffineExpr group = next();
    input.push_back(group);
    weights.push_back(group);
    output.push_back(group);
  }
  AffineExpr filter = next();
  weights.push_back(filter);
  output.push_back(filter);
  SmallVector<AffineExpr> positions;
  for (unsigned axis = 0; axis < spatial; ++axis)
    positions.push_back(next());
  output.append(positions);
  unsigned parallelLoops = loops;
  AffineExpr channel = next();
  input.push_back(channel);
  weights.push_back(channel);
  for (unsigned axis = 0; axis < spatial; ++axis) {
    AffineExpr tap = next();
    input.push_back(positions[axis] * strides[axis] + tap * dilations[axis]);
    weights.push_back(tap);
  }
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  std::fill(iterators.begin() + parallelLoops, iterators.end(),
            utils::IteratorType::reduction);
  AffineMap maps[] = {AffineMap::get(loops, 0, input, b.context()),
                      AffineMap::get(loops, 0, weights, b.context()),
                      AffineMap::get(loops, 0, output, b.context())};
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()},
      ValueRange{b.value(x), b.value(w)}, ValueRange{init}, maps, iterators,
      [](OpBuilder &nested, Location at, ValueRange v) {
        linalg::YieldOp::create(nested, at,
                                multiplyAdd(nested, at, v[0], v[1], v[2]));
      });
  return b.tensor(op.getResult(0));
}

} // namespace

Tensor emitConvolution(GraphBuilder &b, const Tensor &x, const Tensor &w,
                       int64_t groups, ArrayRef<int64_t> strides,
                       ArrayRef<int64_t> dilations, ArrayRef<int64_t> output,
                       Type sum) {
  size_t spatial = strides.size();
  int64_t filters = w.dim(0), channels = x.dim(1);
  Shape shape{x.dim(0), filters};
  shape.append(output.begin(), output.end());
  if (groups == 1) {
    Value init = b.filled(shape, sum, 0);
    if (spatial == 1)
      return named<linalg::Conv1DNcwFcwOp>(b, x, w, init, strides, dilations);
    if (spatial == 2)
      return named<linalg::Conv2DNchwFchwOp>(b, x, w, init, strides, dilations);
    return generic(b, x, w, init, /*grouped=*/false, strides, dilations);
  }
  ArrayRef<int64_t> kernel = w.shape().drop_front(2);
  if (groups == channels && filters == channels && spatial <= 2) {
    Shape perChannel{channels};
    perChannel.append(kernel.begin(), kernel.end());
    Tensor taps = b.reshape(w, perChannel);
    Value init = b.filled(shape, sum, 0);
    if (spatial == 1)
      return named<linalg::DepthwiseConv1DNcwCwOp>(b, x, taps, init, strides,
                                                   dilations);
    return named<linalg::DepthwiseConv2DNchwChwOp>(b, x, taps, init, strides,
                                                   dilations);
  }
  Shape grouped{x.dim(0), groups, channels / groups};
  grouped.append(x.shape().begin() + 2, x.shape().end());
  Shape groupedWeights{groups, filters / groups};
  groupedWeights.append(w.shape().begin() + 1, w.shape().end());
  Shape groupedOutput{x.dim(0), groups, filters / groups};
  groupedOutput.append(output.begin(), output.end());
  Tensor input = b.reshape(x, grouped), weights = b.reshape(w, groupedWeights);
  Value init = b.filled(groupedOutput, sum, 0);
  Tensor y =
      generic(b, input, weights, init, /*grouped=*/true, strides, dilations);
  return b.reshape(y, shape);
}

Tensor addBias(GraphBuilder &b, const Tensor &x, const Tensor &bias) {
  return b.channelwise(
      x, {bias}, 1, [](OpBuilder &nested, Location at, ValueRange v) {
        return arith::AddFOp::create(nested, at, v[0], v[1]).getResult();
      });
}

FailureOr<Tensor>
bindConvolution(Node &n, const Tensor &x, const Tensor &w, Type sum,
                llvm::function_ref<Tensor(const Window &)> pad) {
  n.requireRank(x, "X", 3);
  int64_t group = n.getInt("group", 1);
  if (!n.ok())
    return failure();
  if (SymbolicSizes::anySymbolic(w.shape()) ||
      SymbolicSizes::isSymbolic(x.dim(1)))
    return n.emitError() << "weights " << n.b.describe(w) << " and channels of "
                         << n.b.describe(x) << " must not be symbolic";
  if (w.rank() != x.rank())
    return n.emitError() << "weights " << describeType(w.type) << " and input "
                         << describeType(x.type) << " have different ranks",
           failure();
  ArrayRef<int64_t> image = x.shape().drop_front(2),
                    kernel = w.shape().drop_front(2);
  if (group < 1 || x.dim(1) % group != 0)
    return n.emitError() << "attribute 'group' is " << group
                         << ", but input channels " << x.dim(1)
                         << " are not divisible by it",
           failure();
  if (w.dim(0) % group != 0)
    return n.emitError() << "attribute 'group' is " << group
                         << ", but output channels " << w.dim(0)
                         << " are not divisible by it",
           failure();
  if (w.dim(1) != x.dim(1) / group)
    return n.emitError() << "weights " << describeType(w.type) << " have "
                         << w.dim(1)
                         << " channels, but input channels / group is "
                         << x.dim(1) / group,
           failure();
  std::optional<Shape> stated = n.getInts("kernel_shape");
  if (n.ok() && stated && ArrayRef(*stated) != kernel)
    return n.emitError() << "attribute 'kernel_shape' contradicts the weights "
                         << describeType(w.type),
           failure();
  n.requireRange("kernel size", kernel, 1, maxWindowNumber);
  Window window = bindWindow(n, image, kernel);
  if (!n.ok())
    return failure();
  return emitConvolution(n.b, pad(window), w, group, window.strides,
                         window.dilations, window.output, sum);
}

static LogicalResult importConv(Node &n) {
  Tensor x = n.floatInput(0, "X"), w = n.floatInput(1, "W");
  n.requireSameType(x, w);
  if (!n.ok())
    return failure();
  FailureOr<Tensor> y =
      bindConvolution(n, x, w, x.elementType(), [&](const Window &window) {
        return padSpatial(n.b, x, window, 0);
      });
  if (failed(y))
    return failure();
  if (n.hasInput(2)) {
    Tensor bias = n.floatInput(2, "B");
    n.requireSameType(x, bias);
    if (!n.ok())
      return failure();
    if (bias.shape() != ArrayRef(w.dim(0)))
      return n.emitError() << "bias " << describeType(bias.type)
                           << " does not have the " << w.dim(0)
                           << " output channels";
    y = addBias(n.b, *y, bias);
  }
  return n.result(*y);
}

void registerConvolutionOps(OpRegistry &r) {
  r.onOp("Conv", 1, importConv, "1-D, 2-D, 3-D; any groups and dilations")
      .symbolic();
}

} // namespace qdialect::onnx_import

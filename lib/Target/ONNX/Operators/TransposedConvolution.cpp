// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ConvTranspose as an ordinary convolution. Each spatial dimension of the input
// is spread by the stride (s - 1 zeros after each element, made by padding a
// unit dimension and collapsing it), padded by what the kernel reaches beyond,
// and convolved with the kernel turned around and its channel dimensions
// exchanged:
//
//   x = [a b], stride 2, k = [p q r], no pads
//   spread and padded  0 0 a 0 b 0 0,  turned kernel  r q p
//   y = ap aq ar+bp bq br

#include "Contraction.h"
#include "Node.h"
#include "Registry.h"
#include "Window.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// The output size wanted, and the pads (of the output) that give it.
struct Geometry {
  Shape strides, dilations, low, high, outputPadding, output;
};

Geometry bindGeometry(Node &n, ArrayRef<int64_t> image,
                      ArrayRef<int64_t> kernel) {
  size_t rank = image.size();
  Geometry g;
  g.strides = bindPositive(n, "strides", rank);
  g.dilations = bindPositive(n, "dilations", rank);
  bindPads(n, rank, g.low, g.high);
  std::string autoPad = n.getString("auto_pad", "NOTSET");
  g.outputPadding = n.getInts("output_padding").value_or(Shape(rank, 0));
  std::optional<Shape> stated = n.getInts("output_shape");
  if (stated && stated->size() == rank + 2)
    stated->erase(stated->begin(), stated->begin() + 2);
  n.requireRange("output_padding", g.outputPadding, 0, maxWindowNumber);
  if (stated)
    n.requireRange("output_shape", *stated, 1, maxWindowNumber);
  if (!n.ok())
    return g;
  if (g.outputPadding.size() != rank || (stated && stated->size() != rank)) {
    n.emitError() << "attributes 'output_padding' and 'output_shape' must have "
                  << rank << " numbers";
    return g;
  }
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!same && autoPad != "NOTSET" && autoPad != "VALID") {
    n.emitError() << "attribute 'auto_pad' is '" << autoPad
                  << "', but must be NOTSET, VALID, SAME_UPPER or SAME_LOWER";
    return g;
  }
  SymbolicSizes &sizes = n.b.sizes;
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t stride = g.strides[axis];
    int64_t extent = (kernel[axis] - 1) * g.dilations[axis] + 1;
    int64_t full = sizes.add(sizes.mul(sizes.sub(image[axis], 1), stride),
                             g.outputPadding[axis] + extent);
    if (same || stated) {
      int64_t size = stated ? (*stated)[axis] : sizes.mul(image[axis], stride);
      int64_t rest = sizes.sub(full, size);
      if (SymbolicSizes::isSymbolic(rest)) {
        n.emitError() << "output_shape fixes spatial dimension " << axis
                      << ", whose input size " << sizes.print(image[axis])
                      << " is symbolic";
        return g;
      }
      int64_t total = std::max<int64_t>(rest, 0);
      // The specification gives the odd one to the end for SAME_UPPER only.
      bool upper = autoPad == "SAME_UPPER";
      g.low[axis] = upper ? total / 2 : total - total / 2;
      g.high[axis] = rest - g.low[axis];
    } else if (autoPad == "VALID") {
      g.low[axis] = g.high[axis] = 0;
    }
    g.output.push_back(sizes.sub(full, g.low[axis] + g.high[axis]));
    if (sizes.bounds(g.output.back()).low < 1) {
      n.emitError() << "pads " << g.low[axis] << " and " << g.high[axis]
                    << " leave nothing of size "
                    << sizes.print(sizes.bounds(full).low)
                    << " of spatial dimension " << axis;
      return g;
    }
  }
  return g;
}

/// (n, c, h, w) -> (n, c, h * s, w * s) with zeros between the elements.
Tensor spread(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> strides) {
  if (llvm::all_of(strides, [](int64_t stride) { return stride == 1; }))
    return x;
  Shape expanded{x.dim(0), x.dim(1)}, spreadShape = expanded;
  Shape low(2, 0), high(2, 0);
  for (auto [axis, stride] : llvm::enumerate(strides)) {
    int64_t size = x.dim(axis + 2);
    expanded.append({size, 1});
    spreadShape.push_back(b.sizes.mul(size, stride));
    low.append({0, 0});
    high.append({0, stride - 1});
  }
  return b.reshape(b.pad(b.reshape(x, expanded), low, high, 0), spreadShape);
}

/// Adds or, for negative numbers, removes elements at the edges.
Tensor adjust(GraphBuilder &b, const Tensor &x, ArrayRef<int64_t> low,
              ArrayRef<int64_t> high) {
  Shape padLow(2, 0), padHigh(2, 0), offsets(2, 0), sizes(x.shape());
  for (size_t axis = 0; axis < low.size(); ++axis) {
    offsets.push_back(std::max<int64_t>(-low[axis], 0));
    sizes[axis + 2] = b.sizes.sub(
        sizes[axis + 2], offsets.back() + std::max<int64_t>(-high[axis], 0));
    padLow.push_back(std::max<int64_t>(low[axis], 0));
    padHigh.push_back(std::max<int64_t>(high[axis], 0));
  }
  Tensor cropped = b.slice(x, offsets, sizes, Shape(x.rank(), 1));
  return b.pad(cropped, padLow, padHigh, 0);
}

/// Weights (C, F / g, k...) to (F, C / g, turned k...). Constants on the host.
Tensor turnWeights(GraphBuilder &b, const Tensor &w, int64_t groups) {
  int64_t channels = w.dim(0) / groups, filters = w.dim(1);
  ArrayRef<int64_t> kernel = w.shape().drop_front(2);
  Shape split{groups, channels, filters}, merged{groups * filters, channels};
  split.append(kernel.begin(), kernel.end());
  merged.append(kernel.begin(), kernel.end());
  if (!w.isConstant()) {
    Shape permutation;
    for (size_t axis = 0; axis < split.size(); ++axis)
      permutation.push_back(axis);
    std::swap(permutation[1], permutation[2]);
    Tensor turned =
        b.reshape(b.transpose(b.reshape(w, split), permutation), merged);
    for (size_t axis = 0; axis < kernel.size(); ++axis) {
      Shape reversed;
      for (int64_t tap = kernel[axis]; tap-- > 0;)
        reversed.push_back(tap);
      turned = b.select(turned, axis + 2, reversed);
    }
    return turned;
  }
  int64_t taps = 1;
  for (int64_t size : kernel)
    taps *= size;
  HostTensor out(w.data->type(),
                 std::vector<int64_t>(merged.begin(), merged.end()));
  size_t width = byteWidth(w.data->type());
  const char *from = w.data->bytes();
  char *to = out.mutableBytes();
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t f = 0; f < filters; ++f)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t tap = 0; tap < taps; ++tap, to += width) {
          // Turning every axis of a row-major block turns the block.
          int64_t at = ((g * channels + c) * filters + f) * taps;
          std::memcpy(to, from + (at + taps - 1 - tap) * width, width);
        }
  return Tensor(w.elementType(), out, w.name);
}

LogicalResult importConvTranspose(Node &n) {
  Tensor x = n.floatInput(0, "X"), w = n.floatInput(1, "W");
  n.requireRank(x, "X", 3);
  n.requireSameType(x, w);
  int64_t group = n.getInt("group", 1);
  if (!n.ok())
    return failure();
  if (SymbolicSizes::anySymbolic(w.shape()) ||
      SymbolicSizes::isSymbolic(x.dim(1)))
    return n.emitError() << "weights " << n.b.describe(w) << " and channels of "
                         << n.b.describe(x) << " must not be symbolic";
  if (w.rank() != x.rank() || w.dim(0) != x.dim(1))
    return n.emitError() << "weights " << describeType(w.type)
                         << " do not fit input " << describeType(x.type);
  if (group < 1 || x.dim(1) % group != 0)
    return n.emitError() << "attribute 'group' is " << group
                         << ", but input channels " << x.dim(1)
                         << " are not divisible by it";
  ArrayRef<int64_t> image = x.shape().drop_front(2),
                    kernel = w.shape().drop_front(2);
  std::optional<Shape> stated = n.getInts("kernel_shape");
  if (n.ok() && stated && ArrayRef(*stated) != kernel)
    return n.emitError() << "attribute 'kernel_shape' contradicts the weights "
                         << describeType(w.type);
  // Weights that are no constant are turned around slice by slice.
  n.requireRange("kernel size", kernel, 1,
                 w.isConstant() ? maxWindowNumber : 512);
  for (int64_t size : image)
    if (n.b.sizes.bounds(size).low < 1)
      return n.emitError() << "spatial dimension " << n.b.sizes.print(size)
                           << " can be less than 1";
  Geometry g = bindGeometry(n, image, kernel);
  if (!n.ok())
    return failure();

  Shape low, high;
  for (size_t axis = 0; axis < image.size(); ++axis) {
    int64_t reach = (kernel[axis] - 1) * g.dilations[axis];
    low.push_back(reach - g.low[axis]);
    // The spread input ends in stride - 1 zeros already.
    high.push_back(reach - g.high[axis] + g.outputPadding[axis] -
                   (g.strides[axis] - 1));
    int64_t left = n.b.sizes.add(n.b.sizes.mul(image[axis], g.strides[axis]),
                                 std::min<int64_t>(low.back(), 0) +
                                     std::min<int64_t>(high.back(), 0));
    if (n.b.sizes.bounds(left).low < 1)
      return n.emitError() << "pads " << g.low[axis] << " and " << g.high[axis]
                           << " cut away all of spatial dimension " << axis;
  }
  Tensor input = adjust(n.b, spread(n.b, x, g.strides), low, high);
  Shape ones(image.size(), 1);
  Tensor y = emitConvolution(n.b, input, turnWeights(n.b, w, group), group,
                             ones, g.dilations, g.output, x.elementType());
  if (n.hasInput(2)) {
    Tensor bias = n.floatInput(2, "B");
    n.requireSameType(x, bias);
    if (!n.ok())
      return failure();
    if (bias.shape() != ArrayRef(y.dim(1)))
      return n.emitError() << "bias " << describeType(bias.type)
                           << " does not have the " << y.dim(1)
                           << " output channels";
    y = addBias(n.b, y, bias);
  }
  return n.result(y);
}

} // namespace

void registerTransposedConvolutionOps(OpRegistry &r) {
  r.onOp("ConvTranspose", 1, importConvTranspose, "1-D, 2-D, 3-D; any groups")
      .symbolic();
}

} // namespace qdialect::onnx_import

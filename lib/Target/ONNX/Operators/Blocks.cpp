// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators that move blocks of pixels: DepthToSpace, SpaceToDepth and
// CenterCropPad.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

LogicalResult importDepthToSpace(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t block = n.getInt("blocksize", 0);
  std::string mode = n.getString("mode", "DCR");
  n.requireRange("blocksize", {block}, 1, int64_t(1) << 15);
  if (!n.ok())
    return failure();
  if (x.rank() != 4 || SymbolicSizes::isSymbolic(x.dim(1)) ||
      x.dim(1) % (block * block) != 0 || (mode != "DCR" && mode != "CRD"))
    return n.emitError() << "input " << n.b.describe(x)
                         << " cannot be cut into blocks of " << block
                         << " in mode '" << mode << "'";
  int64_t depth = x.dim(1) / (block * block), height = x.dim(2),
          width = x.dim(3);
  bool blocksFirst = mode == "DCR";
  Shape split = blocksFirst
                    ? Shape{x.dim(0), block, block, depth, height, width}
                    : Shape{x.dim(0), depth, block, block, height, width};
  Shape order = blocksFirst ? Shape{0, 3, 4, 1, 5, 2} : Shape{0, 1, 4, 2, 5, 3};
  Tensor moved = n.b.transpose(n.b.reshape(x, split), order);
  return n.result(
      n.b.reshape(moved, {x.dim(0), depth, n.b.sizes.mul(height, block),
                          n.b.sizes.mul(width, block)}));
}

LogicalResult importSpaceToDepth(Node &n) {
  Tensor x = n.input(0, "input");
  int64_t block = n.getInt("blocksize", 0);
  std::string mode = n.getString("mode", "DCR"); // since opset 27
  n.requireRange("blocksize", {block}, 1, int64_t(1) << 15);
  if (!n.ok())
    return failure();
  std::optional<int64_t> height, width;
  if (x.rank() == 4 && !SymbolicSizes::isSymbolic(x.dim(1))) {
    height = n.b.sizes.divide(x.dim(2), block);
    width = n.b.sizes.divide(x.dim(3), block);
  }
  if (!height || !width || mode != "DCR")
    return n.emitError() << "input " << n.b.describe(x)
                         << " cannot be cut into blocks of " << block
                         << " in mode '" << mode << "'";
  Tensor split =
      n.b.reshape(x, {x.dim(0), x.dim(1), *height, block, *width, block});
  Tensor moved = n.b.transpose(split, {0, 3, 5, 1, 2, 4});
  return n.result(n.b.reshape(
      moved, {x.dim(0), x.dim(1) * block * block, *height, *width}));
}

/// Cut or padded with zeros around the centre to the wanted sizes.
LogicalResult importCenterCropPad(Node &n) {
  Tensor x = n.input(0, "input_data");
  Shape wanted = n.constantIntegers(1, "shape");
  Shape all = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  Shape axes = n.axes(n.getInts("axes").value_or(all), x.rank());
  n.requireRange("shape", wanted, 0, maxElements);
  if (!n.ok())
    return failure();
  if (axes.size() != wanted.size() ||
      !(isFloat(x.elementType()) || isSignlessInteger(x.elementType())))
    return n.emitError() << "shape has " << wanted.size() << " numbers for the "
                         << axes.size() << " axes of " << describeType(x.type);
  Tensor y = x;
  Shape low(x.rank(), 0), high(x.rank(), 0);
  for (auto [axis, size] : llvm::zip_equal(axes, wanted)) {
    int64_t have = x.dim(axis);
    if (size < have)
      y = n.b.sliceAxis(y, axis, (have - size) / 2, size);
    low[axis] = std::max<int64_t>(size - have, 0) / 2;
    high[axis] = std::max<int64_t>(size - have, 0) - low[axis];
  }
  return n.result(n.b.pad(y, low, high, 0));
}

} // namespace

void registerBlockOps(OpRegistry &r) {
  r.onOp("DepthToSpace", 1, importDepthToSpace).symbolic();
  r.onOp("SpaceToDepth", 1, importSpaceToDepth).symbolic();
  r.onOp("CenterCropPad", 18, importCenterCropPad, "constant shape");
}

} // namespace qdialect::onnx_import

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantizeLinear and DequantizeLinear as qd.quantize and qd.dequantize:
//
//   per tensor   scale tensor<f32>
//   per axis     scale of the input's rank, size 1 elsewhere; block sizes are
//                0 (the whole dimension) and 1 on the axis
//   blocked      scale ceil(D / block) along the axis and D elsewhere; block
//                sizes are `block` there and 1 elsewhere
//
// Zero points are i32 whatever their type in the file, and left out where they
// are all zero.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

struct Grid {
  Tensor scale;
  std::optional<Tensor> zeroPoint; ///< i32, shaped like the scale
  Type zeroPointType;              ///< as in the file; null if absent
  Shape blockSizes;
};

bool isCodeType(Type type) {
  return isa<qd::UIntType>(type) ||
         (isSignlessInteger(type) && !type.isInteger(1));
}

/// How the scale lies over `x`: its shape there and the block sizes.
LogicalResult bindBlocks(Node &n, const Tensor &x, const Tensor &scale,
                         Shape &shape, Shape &blocks) {
  int64_t blockSize = n.getInt("block_size", 0);
  int64_t axis = n.getInt("axis", 1);
  if (!n.ok())
    return failure();
  if (scale.rank() == 0 ||
      (scale.rank() == 1 && scale.size() == 1 && blockSize == 0)) {
    shape.clear();
    return success();
  }
  // A vector has one axis, whatever the default of the attribute says.
  axis = x.rank() == 1 && axis == 1 ? 0 : n.axis(axis, x.rank());
  if (!n.ok())
    return failure();
#if QDIALECT_MUTATE == 13 // per-axis parameters along the wrong axis
  axis = x.rank() - 1 - axis;
#endif
  if (blockSize == 0) {
    if (scale.rank() != 1 || scale.dim(0) != x.dim(axis))
      return n.emitError() << "scale " << describeType(scale.type)
                           << " does not match size " << x.dim(axis)
                           << " of axis " << axis << " of "
                           << describeType(x.type);
    shape.assign(x.rank(), 1);
    shape[axis] = x.dim(axis);
    blocks.assign(x.rank(), 0);
    blocks[axis] = 1;
    return success();
  }
  if (!n.requireRange("block_size", {blockSize}, 1, int64_t(1) << 31))
    return failure();
  if (SymbolicSizes::anySymbolic(x.shape()))
    return n.emitError() << "blocks over " << n.b.describe(x)
                         << " are not supported";
  shape.assign(x.shape().begin(), x.shape().end());
  shape[axis] = (x.dim(axis) + blockSize - 1) / blockSize;
  if (scale.shape() != ArrayRef(shape))
    return n.emitError() << "scale " << describeType(scale.type)
                         << " does not have the shape " << describeShape(shape)
                         << " of blocks of " << blockSize << " along axis "
                         << axis << " of " << describeType(x.type);
  blocks.assign(x.rank(), 1);
  blocks[axis] = blockSize;
  return success();
}

/// Scale and zero point, inputs 1 and 2.
std::optional<Grid> bindGrid(Node &n, const Tensor &x) {
  Grid grid;
  grid.scale = n.floatInput(1, "scale");
  if (!n.ok())
    return std::nullopt;
  Shape shape;
  if (failed(bindBlocks(n, x, grid.scale, shape, grid.blockSizes)))
    return std::nullopt;
  if (std::optional<Tensor> zero = n.optionalInput(2)) {
    grid.zeroPointType = zero->elementType();
    // Float8 codes have a zero point too, which must be zero.
    bool perTensor = shape.empty() && zero->size() == 1;
    if (!perTensor && zero->shape() != grid.scale.shape()) {
      n.emitError() << "zero point " << describeType(zero->type)
                    << " and scale " << describeType(grid.scale.type)
                    << " have different shapes";
      return std::nullopt;
    }
    if (!zero->isConstant()) {
      n.emitError() << "the zero point ('" << n.inputName(2)
                    << "') must be a constant known at compile time";
      return std::nullopt;
    }
    bool allZero = true;
    for (int64_t i = 0; i < zero->size() && allZero; ++i)
      allZero = zero->data->asInteger(i) == 0;
    if (!allZero && !isCodeType(zero->elementType())) {
      n.emitError() << "zero point " << describeType(zero->type)
                    << " of float codes must be zero";
      return std::nullopt;
    }
    if (!allZero)
      grid.zeroPoint = Tensor(n.b.builder.getI32Type(),
                              zero->data->converted(DType::I32)
                                  .reshaped({shape.begin(), shape.end()}),
                              zero->name);
  }
  grid.scale = n.b.reshape(grid.scale, shape);
  return grid;
}

LogicalResult importQuantizeLinear(Node &n) {
  Tensor x = n.input(0, "x");
  std::optional<Grid> grid = n.ok() ? bindGrid(n, x) : std::nullopt;
  int64_t stated = n.getInt("output_dtype", 0);
  int64_t precision = n.getInt("precision", 0);
  bool saturate = n.getInt("saturate", 1) != 0;
  if (!n.ok() || !grid)
    return failure();
  if (precision != 0 && precision != 1)
    return n.emitError() << "attribute 'precision' must be float32";
  Type type = grid->zeroPointType;
  if (!type && stated == 0)
    type = qd::UIntType::get(n.b.context(), 8);
  else if (!type && stated > 0 && stated <= INT32_MAX)
    type = getElementType(static_cast<int>(stated), n.b.context());
  if (!type || (!isCodeType(type) &&
                !(isFloat(type) && type.getIntOrFloatBitWidth() <= 8)))
    return n.emitError() << "cannot quantize to data type " << stated;
  if (!saturate && isFloat(type))
    return n.emitError() << "attribute 'saturate' 0 is not supported";
  if (x.elementType().isInteger(32))
    x = n.b.cast(x, n.b.builder.getF32Type());
  if (!isFloat(x.elementType()))
    return n.emitError() << "input x is " << describeType(x.type)
                         << ", but must be float or int32";
  n.requireSameType(x, grid->scale);
  if (!n.ok())
    return failure();
  RankedTensorType result = n.b.typeOf(x.shape(), type);
  Value zero = grid->zeroPoint ? n.b.value(*grid->zeroPoint) : Value();
  return n.result(Tensor(
      qd::QuantizeOp::create(n.b.builder, n.b.loc, result, n.b.value(x),
                             n.b.value(grid->scale), zero, grid->blockSizes)
          .getResult()));
}

LogicalResult importDequantizeLinear(Node &n) {
  Tensor x = n.input(0, "x");
  std::optional<Grid> grid = n.ok() ? bindGrid(n, x) : std::nullopt;
  int64_t stated = n.getInt("output_dtype", 0);
  if (!n.ok() || !grid)
    return failure();
  if (!isCodeType(x.elementType()) &&
      !(isFloat(x.elementType()) &&
        x.elementType().getIntOrFloatBitWidth() <= 8))
    return n.emitError() << "input x is " << describeType(x.type)
                         << ", which holds no codes";
  if (grid->zeroPointType && grid->zeroPointType != x.elementType())
    return n.emitError() << "zero point and x " << describeType(x.type)
                         << " have different element types";
  if (stated != 0 && (stated > INT32_MAX || stated < 0 ||
                      getElementType(static_cast<int>(stated), n.b.context()) !=
                          grid->scale.elementType()))
    return n.emitError() << "attribute 'output_dtype' other than the scale's "
                            "type is not supported";
  RankedTensorType result = n.b.typeOf(x.shape(), grid->scale.elementType());
  Value zero = grid->zeroPoint ? n.b.value(*grid->zeroPoint) : Value();
  return n.result(Tensor(
      qd::DequantizeOp::create(n.b.builder, n.b.loc, result, n.b.value(x),
                               n.b.value(grid->scale), zero, grid->blockSizes)
          .getResult()));
}

} // namespace

void registerQuantizeOps(OpRegistry &r) {
  r.onOp("QuantizeLinear", 10, importQuantizeLinear,
         "per tensor, axis, block; constant zero point")
      .symbolic();
  r.onOp("DequantizeLinear", 10, importDequantizeLinear,
         "per tensor, axis, block; constant zero point")
      .symbolic();
}

} // namespace qdialect::onnx_import

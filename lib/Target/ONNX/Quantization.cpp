// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding and application of grids.

#include "Quantization.h"
#include "ElementTypes.h"
#include "QDialect/IR/QDDialect.h"

using namespace mlir;

namespace qdialect::onnx_import {

bool isCodeType(Type type) {
  if (auto codes = dyn_cast<qd::UIntType>(type))
    return codes.getWidth() <= 16;
  return isSignlessInteger(type) && !type.isInteger(1) &&
         type.getIntOrFloatBitWidth() <= 32;
}

/// How the scale lies over `x`: its shape there and the block sizes.
static LogicalResult bindBlocks(Node &n, const Tensor &x, const Tensor &scale,
                                GridInputs inputs, Shape &shape,
                                Shape &blocks) {
  if (scale.rank() == 0 ||
      (scale.rank() == 1 && scale.size() == 1 && inputs.blockSize == 0)) {
    shape.clear();
    return success();
  }
  if (inputs.blockSize == 0 && scale.rank() == x.rank() && scale.rank() > 1) {
    // A scale for each index of some dimensions, one for all of the others.
    shape.assign(scale.shape().begin(), scale.shape().end());
    for (auto [size, dim] : llvm::zip_equal(shape, x.shape())) {
      if (size != 1 && size != dim)
        return n.emitError()
               << "scale " << describeType(scale.type)
               << " does not broadcast to " << describeType(x.type);
      blocks.push_back(size == 1 ? 0 : 1);
    }
    return success();
  }
  // A vector has one axis, whatever the default of the attribute says.
  int64_t axis =
      x.rank() == 1 && inputs.axis == 1 ? 0 : n.axis(inputs.axis, x.rank());
  if (!n.ok())
    return failure();
#if QDIALECT_MUTATE == 13 // per-axis parameters along the wrong axis
  axis = x.rank() - 1 - axis;
#endif
  if (inputs.blockSize == 0) {
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
  int64_t block = inputs.blockSize;
  if (!n.requireRange("block_size", {block}, 1, int64_t(1) << 31))
    return failure();
  if (SymbolicSizes::anySymbolic(x.shape()))
    return n.emitError() << "blocks over " << n.b.describe(x)
                         << " are not supported";
  shape.assign(x.shape().begin(), x.shape().end());
  shape[axis] = (x.dim(axis) + block - 1) / block;
  if (scale.shape() != ArrayRef(shape))
    return n.emitError() << "scale " << describeType(scale.type)
                         << " does not have the shape " << describeShape(shape)
                         << " of blocks of " << block << " along axis " << axis
                         << " of " << describeType(x.type);
  blocks.assign(x.rank(), 1);
  blocks[axis] = block;
  return success();
}

/// The zero point as i32 of the scale's `shape`, unless it is known to be 0.
static LogicalResult bindZeroPoint(Node &n, const Tensor &zero,
                                   const Shape &shape, Grid &grid) {
  grid.zeroPointType = zero.elementType();
  bool perTensor = shape.empty() && zero.size() == 1;
  if (!perTensor && zero.shape() != grid.scale.shape())
    return n.emitError() << "zero point " << describeType(zero.type)
                         << " and scale " << describeType(grid.scale.type)
                         << " have different shapes";
  bool isInteger = isCodeType(zero.elementType());
  if (!zero.isConstant()) {
    // The zero point of small floats says the type of the codes and is 0.
    if (isInteger)
      grid.zeroPoint =
          n.b.reshape(n.b.cast(zero, n.b.builder.getI32Type()), shape);
    return success();
  }
  bool allZero = true;
  for (int64_t i = 0; i < zero.size() && allZero; ++i)
    allZero = zero.data->asInteger(i) == 0;
  if (!allZero && !isInteger)
    return n.emitError() << "zero point " << describeType(zero.type)
                         << " of float codes must be zero";
  if (!allZero)
    grid.zeroPoint = Tensor(
        n.b.builder.getI32Type(),
        zero.data->converted(DType::I32).reshaped({shape.begin(), shape.end()}),
        zero.name);
  return success();
}

std::optional<Grid> bindGrid(Node &n, const Tensor &x, GridInputs inputs) {
  Grid grid;
  grid.scale = n.input(inputs.scale, "scale");
  if (!n.ok())
    return std::nullopt;
  Type element = grid.scale.elementType();
  if (!isFloat(element) || (element.getIntOrFloatBitWidth() < 16 &&
                            !isa<Float8E8M0FNUType>(element))) {
    n.emitError() << "input scale ('" << n.inputName(inputs.scale) << "') is "
                  << describeType(grid.scale.type) << ", but must be float";
    return std::nullopt;
  }
  Shape shape;
  if (failed(bindBlocks(n, x, grid.scale, inputs, shape, grid.blockSizes)))
    return std::nullopt;
  if (std::optional<Tensor> zero = n.optionalInput(inputs.zeroPoint))
    if (failed(bindZeroPoint(n, *zero, shape, grid)))
      return std::nullopt;
  // Powers of two have no arithmetic outside of f32.
  if (isSmallFloat(element))
    grid.scale = n.b.cast(grid.scale, n.b.builder.getF32Type());
  grid.scale = n.b.reshape(grid.scale, shape);
  return grid;
}

Tensor dequantize(GraphBuilder &b, const Tensor &codes, const Grid &grid,
                  Type real) {
  RankedTensorType result =
      b.typeOf(codes.shape(), real ? real : grid.scale.elementType());
  Value zero = grid.zeroPoint ? b.value(*grid.zeroPoint) : Value();
  return b.tensor(qd::DequantizeOp::create(b.builder, b.loc, result,
                                           b.value(codes), b.value(grid.scale),
                                           zero, grid.blockSizes)
                      .getResult(),
                  codes.shape());
}

Tensor quantize(GraphBuilder &b, const Tensor &x, const Grid &grid, Type codes,
                qd::Overflow overflow) {
  RankedTensorType result = b.typeOf(x.shape(), codes);
  Value zero = grid.zeroPoint ? b.value(*grid.zeroPoint) : Value();
  auto made =
      qd::QuantizeOp::create(b.builder, b.loc, result, b.value(x),
                             b.value(grid.scale), zero, grid.blockSizes);
  made.setOverflow(overflow);
  return b.tensor(made.getResult(), x.shape());
}

Grid chooseGrid(GraphBuilder &b, const Tensor &x, Type codes) {
  auto params = qd::ChooseParamsOp::create(
      b.builder, b.loc, RankedTensorType::get({}, b.builder.getF32Type()),
      RankedTensorType::get({}, b.builder.getI32Type()), b.value(x),
      TypeAttr::get(codes), /*symmetric=*/UnitAttr(),
      b.builder.getDenseI64ArrayAttr({}));
  Grid grid;
  grid.scale = Tensor(params.getScale());
  grid.zeroPoint = Tensor(params.getZeroPoint());
  grid.zeroPointType = codes;
  return grid;
}

Tensor roundByBlocks(GraphBuilder &b, const Tensor &x, int64_t block) {
  Grid grid;
  grid.blockSizes.assign(x.rank(), 1);
  grid.blockSizes.back() = block;
  Shape shape(x.shape());
  shape.back() = llvm::divideCeilSigned(shape.back(), block);
  Type codes = b.builder.getI8Type();
  auto params = qd::ChooseParamsOp::create(
      b.builder, b.loc, b.typeOf(shape, b.builder.getF32Type()),
      b.typeOf(shape, b.builder.getI32Type()), b.value(x), TypeAttr::get(codes),
      /*symmetric=*/b.builder.getUnitAttr(),
      b.builder.getDenseI64ArrayAttr(grid.blockSizes));
  grid.scale = b.tensor(params.getScale(), shape);
  return dequantize(b, quantize(b, x, grid, codes), grid);
}

std::optional<Tensor> dequantizedInput(Node &n, size_t index, StringRef label,
                                       GridInputs inputs) {
  Tensor x = n.input(index, label);
  if (!n.ok())
    return std::nullopt;
  if (!isCodeType(x.elementType())) {
    n.emitError() << "input " << label << " is " << describeType(x.type)
                  << ", which holds no codes";
    return std::nullopt;
  }
  std::optional<Grid> grid = bindGrid(n, x, inputs);
  if (!grid)
    return std::nullopt;
  if (grid->zeroPointType && grid->zeroPointType != x.elementType()) {
    n.emitError() << "zero point and input " << label << " "
                  << describeType(x.type) << " have different element types";
    return std::nullopt;
  }
  grid->scale = n.b.cast(grid->scale, n.b.builder.getF32Type());
  return dequantize(n.b, x, *grid);
}

LogicalResult quantizedResult(Node &n, const Tensor &x, GridInputs inputs,
                              Type otherwise) {
  std::optional<Grid> grid = bindGrid(n, x, inputs);
  if (!grid)
    return failure();
  Type codes = grid->zeroPointType ? grid->zeroPointType : otherwise;
  if (!isCodeType(codes) || codes.isInteger(32))
    return n.emitError() << "cannot quantize to " << codes;
  grid->scale = n.b.cast(grid->scale, n.b.builder.getF32Type());
  return n.result(quantize(n.b, x, *grid, codes));
}

} // namespace qdialect::onnx_import

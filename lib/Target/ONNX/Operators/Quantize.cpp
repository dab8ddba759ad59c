// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantizeLinear and DequantizeLinear as qd.quantize and qd.dequantize;
// DynamicQuantizeLinear as qd.choose_params and qd.quantize.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "Quantization.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Inputs 1 and 2, the attributes axis and block_size.
std::optional<Grid> bindLinearGrid(Node &n, const Tensor &x) {
  int64_t blockSize = n.getInt("block_size", 0), axis = n.getInt("axis", 1);
  if (!n.ok())
    return std::nullopt;
  return bindGrid(n, x, {1, 2, axis, blockSize});
}

LogicalResult importQuantizeLinear(Node &n) {
  Tensor x = n.input(0, "x");
  std::optional<Grid> grid = n.ok() ? bindLinearGrid(n, x) : std::nullopt;
  int64_t stated = n.getInt("output_dtype", 0);
  int64_t precision = n.getInt("precision", 0);
  bool saturate = n.getInt("saturate", 1) != 0;
  if (!n.ok() || !grid)
    return failure();
  if (precision != 0 && precision != 1)
    return n.emitError() << "attribute 'precision' must be float32";
  if (stated < 0 || stated > INT32_MAX)
    return n.emitError() << "attribute 'output_dtype' is " << stated
                         << ", which is no data type";
  Type type = grid->zeroPointType;
  if (!type && stated == 0)
    type = qd::UIntType::get(n.b.context(), 8);
  else if (!type)
    type = getElementType(static_cast<int>(stated), n.b.context());
  if (!type || type.isInteger(32) ||
      (!isCodeType(type) && !isSmallFloat(type))) {
    if (grid->zeroPointType)
      return n.emitError() << "cannot quantize to the zero point's type "
                           << grid->zeroPointType;
    return n.emitError() << "cannot quantize to "
                         << describeDataType(static_cast<int>(stated));
  }
  if (x.elementType().isInteger(32))
    x = n.b.cast(x, n.b.builder.getF32Type());
  if (!isFloat(x.elementType()))
    return n.emitError() << "input x is " << describeType(x.type)
                         << ", but must be float or int32";
  // Integers saturate whatever the attribute says.
  auto overflow =
      saturate || !isFloat(type) ? qd::Overflow::Saturate : qd::Overflow::Wrap;
  return n.result(quantize(n.b, x, *grid, type, overflow));
}

LogicalResult importDequantizeLinear(Node &n) {
  Tensor x = n.input(0, "x");
  std::optional<Grid> grid = n.ok() ? bindLinearGrid(n, x) : std::nullopt;
  int64_t stated = n.getInt("output_dtype", 0);
  if (!n.ok() || !grid)
    return failure();
  if (!isCodeType(x.elementType()) && !isSmallFloat(x.elementType()))
    return n.emitError() << "input x is " << describeType(x.type)
                         << ", which holds no codes";
  if (grid->zeroPointType && grid->zeroPointType != x.elementType())
    return n.emitError() << "zero point and x " << describeType(x.type)
                         << " have different element types";
  Type real = grid->scale.elementType();
  if (stated != 0)
    real = stated > 0 && stated <= INT32_MAX
               ? getElementType(static_cast<int>(stated), n.b.context())
               : Type();
  if (!real || !(real.isF32() || real.isF16() || real.isBF16()))
    return n.emitError() << "cannot dequantize to "
                         << (stated ? describeDataType(static_cast<int>(stated))
                                    : describeType(grid->scale.type));
  return n.result(dequantize(n.b, x, *grid, real));
}

LogicalResult importDynamicQuantizeLinear(Node &n) {
  Tensor x = n.floatInput(0, "x");
  if (!n.ok())
    return failure();
  if (!x.elementType().isF32())
    return n.emitError() << "input x is " << describeType(x.type)
                         << ", but must be float32";
  Type codes = qd::UIntType::get(n.b.context(), 8);
  Grid grid = chooseGrid(n.b, x, codes);
  if (failed(n.result(0, quantize(n.b, x, grid, codes))) ||
      failed(n.result(1, grid.scale)))
    return failure();
  return n.wantsOutput(2) ? n.result(2, n.b.cast(*grid.zeroPoint, codes))
                          : success();
}

} // namespace

void registerQuantizeOps(OpRegistry &r) {
  r.onOp("QuantizeLinear", 10, importQuantizeLinear,
         "per tensor, axis, block; to at most 16 bits")
      .symbolic();
  r.onOp("DequantizeLinear", 10, importDequantizeLinear,
         "per tensor, axis, block")
      .symbolic();
  r.onOp("DynamicQuantizeLinear", 11, importDynamicQuantizeLinear).symbolic();
}

} // namespace qdialect::onnx_import

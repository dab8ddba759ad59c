// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of results from those of operands, for passes that resolve tensor.dim
// (ReifyRankedShapedTypeOpInterface). An op on scalars or vectors has none.

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qdialect::qd;

/// The one result has the sizes of the first operand; those that its type knows
/// are numbers.
static LogicalResult reifyInputShape(Operation *op, OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &shapes) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type)
    return failure();
  SmallVector<OpFoldResult> sizes;
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    sizes.push_back(ShapedType::isDynamic(size)
                        ? tensor::getMixedSize(builder, op->getLoc(),
                                               op->getOperand(0),
                                               static_cast<int64_t>(axis))
                        : OpFoldResult(builder.getIndexAttr(size)));
  shapes.push_back(std::move(sizes));
  return success();
}

#define QDIALECT_SHAPED_AS_INPUT(OP)                                           \
  LogicalResult OP::reifyResultShapes(OpBuilder &builder,                      \
                                      ReifiedRankedShapedTypeDims &shapes) {   \
    return reifyInputShape(*this, builder, shapes);                            \
  }
QDIALECT_SHAPED_AS_INPUT(QuantizeOp)
QDIALECT_SHAPED_AS_INPUT(DequantizeOp)
QDIALECT_SHAPED_AS_INPUT(RequantizeOp)
QDIALECT_SHAPED_AS_INPUT(RescaleOp)
QDIALECT_SHAPED_AS_INPUT(StorageCastOp)
QDIALECT_SHAPED_AS_INPUT(LookupOp)
QDIALECT_SHAPED_AS_INPUT(ObserveOp)
QDIALECT_SHAPED_AS_INPUT(SoftmaxOp)
QDIALECT_SHAPED_AS_INPUT(LayerNormOp)
QDIALECT_SHAPED_AS_INPUT(RmsNormOp)
QDIALECT_SHAPED_AS_INPUT(GeluOp)
QDIALECT_SHAPED_AS_INPUT(SiluOp)
QDIALECT_SHAPED_AS_INPUT(IntSoftmaxOp)
QDIALECT_SHAPED_AS_INPUT(IntLayerNormOp)
QDIALECT_SHAPED_AS_INPUT(IntRmsNormOp)
QDIALECT_SHAPED_AS_INPUT(IntGeluOp)
QDIALECT_SHAPED_AS_INPUT(IntSiluOp)
#undef QDIALECT_SHAPED_AS_INPUT

/// qd.sized states its sizes.
LogicalResult SizedOp::reifyResultShapes(OpBuilder &,
                                         ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedSizes());
  return success();
}

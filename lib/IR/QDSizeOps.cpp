// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes that depend on data.

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDSizeOps.cpp.inc"

LogicalResult AnySizeOp::verify() {
  // any_size_c1
  auto from = cast<RankedTensorType>(getInput().getType()),
       to = cast<RankedTensorType>(getType());
  bool fits = from.getElementType() == to.getElementType() &&
              from.getRank() == to.getRank();
  for (int64_t axis = 0; fits && axis < from.getRank(); ++axis)
    fits =
        to.isDynamicDim(axis) || to.getDimSize(axis) == from.getDimSize(axis);
  if (!fits)
    return emitOpError("leaves no more than sizes open: the input is ")
           << from << ", the result " << to;
  return success();
}

LogicalResult SizedOp::verify() {
  // sized_c1
  auto type = cast<RankedTensorType>(getType());
  auto stated = static_cast<int64_t>(getSizes().size());
  if (stated != type.getNumDynamicDims())
    return emitOpError("states ") << stated << " sizes, but " << type << " has "
                                  << type.getNumDynamicDims() << " to state";
  return success();
}

SmallVector<OpFoldResult> SizedOp::getMixedSizes() {
  auto type = cast<RankedTensorType>(getType());
  return getMixedValues(type.getShape(), getSizes(), getContext());
}

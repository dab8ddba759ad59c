// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/Analysis/Padding.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

uint64_t Padding::bits(int64_t index) const {
  if (values)
    return static_cast<uint64_t>(values->integer(index));
  if (auto real = dyn_cast<FloatAttr>(value))
    return real.getValue().bitcastToAPInt().getZExtValue();
  return cast<IntegerAttr>(value).getValue().getSExtValue();
}

std::optional<Padding> getPadding(Operation *op) {
  Padding padding;
  if ((padding.value = getConstantPadding(op)))
    return padding;
  auto pad = dyn_cast_or_null<tensor::PadOp>(op);
  if (!pad)
    return std::nullopt;
  Block &body = pad.getRegion().front();
  auto read =
      body.getTerminator()->getOperand(0).getDefiningOp<tensor::ExtractOp>();
  if (!read || read.getIndices().size() != 1 ||
      !isa<IntegerType>(read.getType()))
    return std::nullopt;
  auto index = dyn_cast<BlockArgument>(read.getIndices()[0]);
  if (!index || index.getOwner() != &body)
    return std::nullopt;
  padding.dim = index.getArgNumber();
  padding.values = constantView(read.getTensor());
  if (!padding.values || padding.values->numElements() !=
                             pad.getResultType().getDimSize(padding.dim))
    return std::nullopt;
  return padding;
}

} // namespace qdialect

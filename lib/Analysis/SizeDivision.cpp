// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divisions by sizes; see the header.

#include "QDialect/Analysis/SizeDivision.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect {

/// The index outside of `generic` that a float of its payload is.
static Value sizeOfScalar(Value scalar, linalg::GenericOp generic) {
  auto real = scalar.getDefiningOp<arith::SIToFPOp>();
  auto cast = real ? real.getIn().getDefiningOp<arith::IndexCastOp>()
                   : arith::IndexCastOp();
  Value size = cast ? cast.getIn() : Value();
  if (!size || !size.getType().isIndex() ||
      generic.getRegion().isAncestor(size.getParentRegion()))
    return {};
  return size;
}

/// The index that the one element of a tensor is.
static Value sizeOfTensor(Value tensor) {
  auto generic = tensor.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 0 ||
      !cast<RankedTensorType>(tensor.getType()).hasStaticShape() ||
      cast<RankedTensorType>(tensor.getType()).getNumElements() != 1)
    return {};
  return sizeOfScalar(generic.getBlock()->getTerminator()->getOperand(0),
                      generic);
}

std::optional<SizeDivision> getSizeDivision(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || !isElementwiseGeneric(op))
    return std::nullopt;
  auto division = generic.getBlock()
                      ->getTerminator()
                      ->getOperand(0)
                      .getDefiningOp<arith::DivFOp>();
  auto dividend =
      division ? dyn_cast<BlockArgument>(division.getLhs()) : BlockArgument();
  if (!dividend || dividend.getOwner() != generic.getBlock())
    return std::nullopt;
  Value size = sizeOfScalar(division.getRhs(), generic);
  if (auto argument = dyn_cast<BlockArgument>(division.getRhs());
      argument && argument.getOwner() == generic.getBlock())
    size = sizeOfTensor(generic.getMatchingOpOperand(argument)->get());
  if (!size)
    return std::nullopt;
  return SizeDivision{generic.getMatchingOpOperand(dividend), size};
}

} // namespace qdialect

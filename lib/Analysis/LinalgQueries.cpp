// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Questions about linalg and tensor ops; see the header.

#include "QDialect/Analysis/LinalgQueries.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect {

bool isElementwiseGeneric(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInits() != 1 ||
      generic.getNumLoops() != generic.getNumParallelLoops() ||
      !generic.hasPureTensorSemantics())
    return false;
  if (!generic.getMatchingIndexingMap(generic.getDpsInitOperand(0))
           .isIdentity() ||
      generic.payloadUsesValueFromOperand(generic.getDpsInitOperand(0)))
    return false;
  return llvm::all_of(generic.getDpsInputOperands(), [&](OpOperand *operand) {
    return generic.getMatchingIndexingMap(operand).isProjectedPermutation();
  });
}

bool isCopy(Operation *op) {
  if (!isElementwiseGeneric(op))
    return false;
  auto generic = cast<linalg::GenericOp>(op);
  return generic.getNumDpsInputs() == 1 &&
         generic.getBlock()->getTerminator()->getOperand(0) ==
             generic.getBlock()->getArgument(0);
}

std::optional<NegativeSlope> matchNegativeSlope(Value scalar) {
  using Predicate = arith::CmpFPredicate;
  auto select = scalar.getDefiningOp<arith::SelectOp>();
  auto compare = select ? select.getCondition().getDefiningOp<arith::CmpFOp>()
                        : arith::CmpFOp();
  if (!compare || !matchPattern(compare.getRhs(), m_AnyZeroFloat()))
    return std::nullopt;
  Value x = compare.getLhs(), kept = select.getTrueValue(),
        scaled = select.getFalseValue();
  switch (compare.getPredicate()) {
  case Predicate::OGE:
  case Predicate::OGT:
  case Predicate::UGE:
  case Predicate::UGT:
    break;
  case Predicate::OLT:
  case Predicate::OLE:
  case Predicate::ULT:
  case Predicate::ULE:
    std::swap(kept, scaled);
    break;
  default:
    return std::nullopt;
  }
  auto product = scaled.getDefiningOp<arith::MulFOp>();
  if (kept != x || !product)
    return std::nullopt;
  if (product.getLhs() == x)
    return NegativeSlope{x, product.getRhs()};
  if (product.getRhs() == x)
    return NegativeSlope{x, product.getLhs()};
  return std::nullopt;
}

bool isFloatConversion(Operation *op) {
  if (!isElementwiseGeneric(op))
    return false;
  auto generic = cast<linalg::GenericOp>(op);
  Operation *last =
      generic.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  return generic.getNumDpsInputs() == 1 &&
         isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(last) &&
         isa<BlockArgument>(last->getOperand(0));
}

std::optional<ReductionKind> getReductionKind(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInits() != 1 ||
      linalgOp.getNumReductionLoops() == 0 || linalgOp->getNumRegions() != 1)
    return std::nullopt;
  Block &body = *linalgOp.getBlock();
  // A pool's second input is the shape of its window and is never read.
  for (unsigned i = 1, e = linalgOp.getNumDpsInputs(); i < e; ++i)
    if (!body.getArgument(i).use_empty())
      return std::nullopt;
  BlockArgument element = body.getArgument(0);
  BlockArgument accumulator = body.getArgument(body.getNumArguments() - 1);
  Operation *combiner = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!combiner || combiner->getNumOperands() != 2)
    return std::nullopt;
  for (unsigned side : {0u, 1u}) {
    if (combiner->getOperand(side) != accumulator)
      continue;
    Value other = combiner->getOperand(1 - side);
    if (auto extend = other.getDefiningOp<arith::ExtSIOp>())
      other = extend.getIn();
    if (other != element)
      continue;
    if (isa<arith::AddFOp, arith::AddIOp>(combiner))
      return ReductionKind::Sum;
    if (isa<arith::MaximumFOp, arith::MaxNumFOp, arith::MaxSIOp>(combiner))
      return ReductionKind::Max;
    if (isa<arith::MinimumFOp, arith::MinNumFOp, arith::MinSIOp>(combiner))
      return ReductionKind::Min;
  }
  return std::nullopt;
}

std::optional<Attribute> getSplatValue(Value tensor) {
  Attribute value;
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>()) {
    if (matchPattern(fill.getInputs()[0], m_Constant(&value)))
      return value;
    return std::nullopt;
  }
  if (Operation *op = tensor.getDefiningOp();
      isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return getSplatValue(op->getOperand(0));
  SplatElementsAttr splat;
  if (matchPattern(tensor, m_Constant(&splat)))
    return splat.getSplatValue<Attribute>();
  return std::nullopt;
}

bool startsFromZero(linalg::LinalgOp op) {
  std::optional<Attribute> value = getSplatValue(op.getDpsInits()[0]);
  auto number = value ? dyn_cast<FloatAttr>(*value) : FloatAttr();
  return number && number.getValue().isZero();
}

Attribute getConstantPadding(Operation *op) {
  auto pad = dyn_cast_or_null<tensor::PadOp>(op);
  if (!pad)
    return {};
  Attribute value;
  if (Value yielded = pad.getConstantPaddingValue())
    matchPattern(yielded, m_Constant(&value));
  return value;
}

std::optional<AffineMap> throughUnitReshape(Operation *reshape, AffineMap map) {
  auto from = cast<RankedTensorType>(reshape->getOperand(0).getType());
  auto to = cast<RankedTensorType>(reshape->getResult(0).getType());
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> sizes;
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (to.getDimSize(dim) != 1) {
      kept.push_back(expr);
      sizes.push_back(to.getDimSize(dim));
    }
  SmallVector<AffineExpr> results;
  unsigned next = 0;
  for (int64_t size : from.getShape()) {
    if (size == 1) {
      results.push_back(getAffineConstantExpr(0, map.getContext()));
      continue;
    }
    if (next >= kept.size() || sizes[next] != size)
      return std::nullopt;
    results.push_back(kept[next++]);
  }
  if (next != kept.size())
    return std::nullopt;
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

} // namespace qdialect

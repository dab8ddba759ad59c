// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A matmul over a flattened image that was transposed for the flattening only:
//
//   matmul(collapse(transpose(x)), W)  ->  matmul(collapse(x), W')
//
// with the rows of the constant W in the order of x. Between the two may stand
// ops that treat all elements alike (per-tensor casts, activations).

#include "LayoutOps.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/NormalizePatterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {

/// Does `op` treat every element of its first operand alike?
static bool isUniform(Operation *op) {
  if (isa<qd::QuantizeOp, qd::DequantizeOp>(op))
    return isa<RankedTensorType>(op->getResult(0).getType()) &&
           llvm::all_of(op->getOperands().drop_front(), [](Value value) {
             return cast<RankedTensorType>(value.getType()).getRank() == 0;
           });
  if (isa<qd::ObserveOp, qd::GeluOp, qd::SiluOp, qd::LookupOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && isElementwiseGeneric(op) && !generic.hasIndexSemantics() &&
         layoutOperands(op).size() == 1 &&
         llvm::all_of(generic.getDpsInputs(), [&](Value value) {
           return value == layoutOperands(op)[0] ||
                  cast<RankedTensorType>(value.getType()).getRank() == 0;
         });
}

/// The collapse of a transpose at the top of `value`'s chain of uniform ops,
/// each with one reader.
static tensor::CollapseShapeOp findFlatten(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!value.hasOneUse())
      return {};
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
      return collapse;
    if (!isUniform(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

/// Constant `weight` with dimension `dim` read as `shape`, permuted, and
/// flattened again. Codes behind a dequantize are permuted where the scale does
/// not depend on `dim`. Null if `weight` is not such a constant.
static Value permuteWithin(PatternRewriter &rewriter, Value weight,
                           unsigned dim, ArrayRef<int64_t> shape,
                           ArrayRef<int64_t> permutation) {
  if (auto dequantize = weight.getDefiningOp<qd::DequantizeOp>()) {
    for (Value parameter : dequantize->getOperands().drop_front()) {
      auto type = cast<RankedTensorType>(parameter.getType());
      if (type.getRank() != 0 && type.getDimSize(dim) != 1)
        return {};
    }
    if (dequantize.getGroupIndex())
      return {};
    Value codes =
        permuteWithin(rewriter, dequantize.getInput(), dim, shape, permutation);
    if (!codes)
      return {};
    IRMapping mapping;
    mapping.map(dequantize.getInput(), codes);
    return rewriter.clone(*dequantize.getOperation(), mapping)->getResult(0);
  }
  if (!weight.getDefiningOp<arith::ConstantOp>() ||
      !isPermutableConstant(weight))
    return {};
  auto type = cast<RankedTensorType>(weight.getType());
  SmallVector<int64_t> longShape(type.getShape());
  longShape.erase(longShape.begin() + dim);
  longShape.insert(longShape.begin() + dim, shape.begin(), shape.end());
  Permutation longPermutation;
  for (int64_t d = 0, e = longShape.size(); d < e; ++d) {
    bool inside = d >= dim && d < static_cast<int64_t>(dim + shape.size());
    longPermutation.push_back(inside ? dim + permutation[d - dim] : d);
  }
  Value value =
      reshapeConstant(rewriter, weight,
                      RankedTensorType::get(longShape, type.getElementType()));
  value = permuteConstant(rewriter, value, longPermutation);
  return reshapeConstant(rewriter, value, type);
}

namespace {
struct PermuteFlattenedWeights : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ContractionStructure> s = getContractionStructure(op);
    if (!s || s->kind != ContractionStructure::Kind::Matmul ||
        s->inputChannel.size() != 1 || !s->weightIsConstant)
      return failure();
    unsigned loop = s->inputChannel[0];
    std::optional<unsigned> column = s->activationDim(loop);
    std::optional<unsigned> row = s->weightDim(loop);
    Value activation = op.getDpsInputs()[s->activationOperand];
    tensor::CollapseShapeOp collapse = findFlatten(activation);
    if (!collapse || !column || !row)
      return rewriter.notifyMatchFailure(op, "no flattened activation");
    auto transpose = collapse.getSrc().getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "flattened as it lies");
    // Only the dimensions inside the matmul's reduction may have moved.
    ReassociationIndices group = collapse.getReassociationIndices()[*column];
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    int64_t begin = group.front(), size = group.size();
    Permutation within;
    for (int64_t i = 0, e = permutation.size(); i < e; ++i) {
      bool inside = i >= begin && i < begin + size;
      if (!inside && permutation[i] != i)
        return rewriter.notifyMatchFailure(op, "moves other dimensions");
      if (inside)
        within.push_back(permutation[i] - begin);
    }
    auto shape = cast<RankedTensorType>(collapse.getSrc().getType()).getShape();
    Value weight = op.getDpsInputs()[s->weightOperand];
    rewriter.setInsertionPoint(op);
    Value permutedWeight =
        permuteWithin(rewriter, weight, *row, shape.slice(begin, size),
                      invertPermutation(within));
    if (!permutedWeight)
      return rewriter.notifyMatchFailure(op, "weights cannot be permuted");
    // The collapsed type is the same: only the order inside the group differs.
    rewriter.modifyOpInPlace(collapse, [&] {
      collapse.getSrcMutable().assign(transpose.getInput());
    });
    rewriter.modifyOpInPlace(op, [&] {
      op.getDpsInputOperand(s->weightOperand)->set(permutedWeight);
    });
    return success();
  }
};
} // namespace

void populatePermuteFlattenedWeightsPatterns(RewritePatternSet &patterns) {
  patterns.add<PermuteFlattenedWeights>(patterns.getContext());
}

} // namespace qdialect

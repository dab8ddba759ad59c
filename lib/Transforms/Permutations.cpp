// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Permuting values, constants in memory (Permutations.h).

#include "Permutations.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/PermuteTensor.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect {

Permutation invertPermutation(ArrayRef<int64_t> permutation) {
  Permutation inverse(permutation.size());
  for (auto [index, source] : llvm::enumerate(permutation))
    inverse[source] = index;
#if QDIALECT_MUTATE == 26
  inverse.assign(permutation.begin(), permutation.end());
#endif
  return inverse;
}

Permutation composePermutations(ArrayRef<int64_t> first,
                                ArrayRef<int64_t> second) {
  Permutation result;
  for (int64_t source : second)
    result.push_back(first[source]);
  return result;
}

RankedTensorType permuteType(RankedTensorType type,
                             ArrayRef<int64_t> permutation) {
  return RankedTensorType::get(permuted(type.getShape(), permutation),
                               type.getElementType());
}

/// A name for the blob that a constant of `value` was made from.
static StringRef blobName(Value value) {
  DenseResourceElementsAttr resource;
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
  return resource ? resource.getRawHandle().getKey() : StringRef("constant");
}

static Value permuteArithConstant(OpBuilder &builder, Value value,
                                  ArrayRef<int64_t> permutation) {
  std::optional<ConstantView> view = constantView(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!view || !type || !value.getDefiningOp<arith::ConstantOp>())
    return {};
  RankedTensorType newType = permuteType(type, permutation);
  if (view->splat)
    if (auto dense = dyn_cast<DenseElementsAttr>(
            value.getDefiningOp<arith::ConstantOp>().getValue()))
      return arith::ConstantOp::create(builder, value.getLoc(), newType,
                                       dense.resizeSplat(newType));
  HostTensor tensor = permuteTensor(view->toHostTensor(), permutation);
  return makeConstant(builder, value.getLoc(), newType, blobName(value),
                      std::move(tensor));
}

bool isPermutableConstant(Value value) {
  if (value.getDefiningOp<arith::ConstantOp>())
    return constantView(value).has_value();
  auto dequantize = value.getDefiningOp<qd::DequantizeOp>();
  return dequantize && !dequantize.getGroupIndex() &&
         llvm::all_of(dequantize->getOperands(), [](Value operand) {
           return operand.getDefiningOp<arith::ConstantOp>() &&
                  constantView(operand);
         });
}

Value permuteConstant(OpBuilder &builder, Value value,
                      ArrayRef<int64_t> permutation) {
  auto dequantize = value.getDefiningOp<qd::DequantizeOp>();
  if (!dequantize)
    return permuteArithConstant(builder, value, permutation);
  if (!isPermutableConstant(value))
    return {};
  IRMapping mapping;
  for (Value operand : dequantize->getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (type.getRank() != 0) // rank 0: one scale for all, nothing to permute
      mapping.map(operand, permuteArithConstant(builder, operand, permutation));
  }
  auto copy = cast<qd::DequantizeOp>(
      builder.clone(*dequantize.getOperation(), mapping));
  copy.getResult().setType(
      permuteType(cast<RankedTensorType>(value.getType()), permutation));
  if (!dequantize.getBlockSizes().empty())
    copy.setBlockSizes(permuted(dequantize.getBlockSizes(), permutation));
  return copy.getResult();
}

Value permuteValue(OpBuilder &builder, Location loc, Value value,
                   ArrayRef<int64_t> permutation) {
  if (isIdentityPermutation(permutation))
    return value;
  if (auto transpose = value.getDefiningOp<linalg::TransposeOp>())
    return permuteValue(
        builder, loc, transpose.getInput(),
        composePermutations(transpose.getPermutation(), permutation));
  if (Value constant = permuteConstant(builder, value, permutation))
    return constant;
  auto empty = [&]() -> Value {
    return makePermutedEmpty(builder, loc, value, permutation);
  };
  if (value.getDefiningOp<tensor::EmptyOp>())
    return empty();
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return linalg::FillOp::create(builder, loc, fill.getInputs(), empty())
        .getResult(0);
  return linalg::TransposeOp::create(builder, loc, value, empty(), permutation)
      ->getResult(0);
}

void copyAnnotations(Operation *from, Operation *to) {
  NamedAttrList attributes(from->getDiscardableAttrDictionary());
  attributes.erase(linalg::LinalgDialect::kMemoizedIndexingMapsAttrName);
  to->setDiscardableAttrs(attributes.getDictionary(to->getContext()));
}

Value reshapeConstant(OpBuilder &builder, Value value, RankedTensorType type) {
  std::optional<ConstantView> view = constantView(value);
  if (!view || !value.getDefiningOp<arith::ConstantOp>())
    return {};
  return makeConstant(builder, value.getLoc(), type, blobName(value),
                      view->toHostTensor().reshaped(std::vector<int64_t>(
                          type.getShape().begin(), type.getShape().end())));
}

} // namespace qdialect

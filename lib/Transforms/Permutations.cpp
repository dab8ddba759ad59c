// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Permuting values, constants in memory (Permutations.h).

#include "Permutations.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Support/ConstantView.h"
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

/// Copies element by element of `Word`, innermost result dimension last.
template <class Word>
static void copyPermuted(const char *source, char *target,
                         ArrayRef<int64_t> shape, ArrayRef<int64_t> strides) {
  const Word *from = reinterpret_cast<const Word *>(source);
  Word *to = reinterpret_cast<Word *>(target);
  int64_t inner = shape.empty() ? 1 : shape.back();
  int64_t step = shape.empty() ? 0 : strides.back();
  SmallVector<int64_t, 6> index(shape.size(), 0);
  int64_t rows = 1;
  for (int64_t size : shape.drop_back(shape.empty() ? 0 : 1))
    rows *= size;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t base = 0;
    for (size_t d = 0; d + 1 < shape.size(); ++d)
      base += index[d] * strides[d];
    for (int64_t i = 0; i < inner; ++i)
      *to++ = from[base + i * step];
    for (int64_t d = static_cast<int64_t>(shape.size()) - 2; d >= 0; --d) {
      if (++index[d] < shape[d])
        break;
      index[d] = 0;
    }
  }
}

/// The bytes of `view` in the order of the permuted tensor.
static HostTensor permuteBytes(const ConstantView &view,
                               ArrayRef<int64_t> permutation) {
  ArrayRef<int64_t> shape = view.type.getShape();
  SmallVector<int64_t, 6> strides(shape.size(), 1);
  for (int64_t d = static_cast<int64_t>(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  SmallVector<int64_t> newShape = permuted(shape, permutation);
  SmallVector<int64_t> newStrides =
      permuted(ArrayRef<int64_t>(strides), permutation);
  HostTensor result(view.dtype,
                    std::vector<int64_t>(newShape.begin(), newShape.end()));
  if (result.size() == 0)
    return result;
  switch (byteWidth(view.dtype)) {
  case 1:
    copyPermuted<uint8_t>(view.raw.data(), result.mutableBytes(), newShape,
                          newStrides);
    break;
  case 2:
    copyPermuted<uint16_t>(view.raw.data(), result.mutableBytes(), newShape,
                           newStrides);
    break;
  case 4:
    copyPermuted<uint32_t>(view.raw.data(), result.mutableBytes(), newShape,
                           newStrides);
    break;
  default:
    copyPermuted<uint64_t>(view.raw.data(), result.mutableBytes(), newShape,
                           newStrides);
  }
  return result;
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
  HostTensor tensor =
      view->splat ? view->toHostTensor().reshaped(std::vector<int64_t>(
                        newType.getShape().begin(), newType.getShape().end()))
                  : permuteBytes(*view, permutation);
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

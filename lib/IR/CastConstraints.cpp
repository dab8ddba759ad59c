// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks shared by the casts' verifiers; the messages are an interface, each
// with one negative test in test/IR.

#include "CastConstraints.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::qd;

namespace {
enum class Container { Scalar, Vector, Tensor, Other };
} // namespace

static Container containerOf(Type type) {
  if (isa<VectorType>(type))
    return Container::Vector;
  if (isa<RankedTensorType>(type))
    return Container::Tensor;
  return isa<ShapedType>(type) ? Container::Other : Container::Scalar;
}

LogicalResult qd::verifyContainers(Operation *op, Value input, Type result,
                                   ArrayRef<CastParameter> parameters) {
  Container container = containerOf(input.getType());
  if (container == Container::Other || containerOf(result) != container)
    return op->emitOpError("input type ")
           << input.getType() << " and result type " << result
           << " are not both scalars, vectors or ranked tensors";
  for (const CastParameter &parameter : parameters) {
    Container own = containerOf(parameter.value.getType());
    if (own == container ||
        (container == Container::Vector && own == Container::Scalar))
      continue;
    return op->emitOpError()
           << parameter.name << " type " << parameter.value.getType()
           << " does not go with input type " << input.getType();
  }
  return success();
}

LogicalResult qd::verifySameShape(Operation *op, Value input, Type result,
                                  ArrayRef<CastParameter> parameters) {
  auto shaped = dyn_cast<ShapedType>(input.getType());
  if (!shaped)
    return success();
  if (failed(verifyCompatibleShape(shaped, cast<ShapedType>(result))))
    return op->emitOpError("result type ")
           << result << " differs in shape from input type " << input.getType();
  if (!isa<VectorType>(shaped))
    return success();
  for (const CastParameter &parameter : parameters) {
    auto own = dyn_cast<VectorType>(parameter.value.getType());
    if (own && own.getShape() != shaped.getShape())
      return op->emitOpError()
             << parameter.name << " type " << own
             << " differs in shape from input type " << input.getType();
  }
  return success();
}

LogicalResult qd::verifyElementType(Operation *op, StringRef name, Type type,
                                    llvm::function_ref<bool(Type)> isLegal,
                                    StringRef expected) {
  Type element = getElementTypeOrSelf(type);
  if (isLegal(element))
    return success();
  return op->emitOpError() << name << " element type " << element << " is not "
                           << expected;
}

LogicalResult qd::verifyBlockCount(Operation *op, Type input,
                                   ArrayRef<int64_t> blockSizes) {
  if (blockSizes.empty())
    return success();
  auto tensor = dyn_cast<RankedTensorType>(input);
  if (!tensor)
    return op->emitOpError("block_sizes stand on an input of type ")
           << input << ", which is no tensor";
  if (tensor.getRank() != static_cast<int64_t>(blockSizes.size()))
    return op->emitOpError("block_sizes has ")
           << blockSizes.size() << " entries for an input of rank "
           << tensor.getRank();
  return success();
}

LogicalResult qd::verifyBlockSigns(Operation *op,
                                   ArrayRef<int64_t> blockSizes) {
  for (auto [dimension, size] : llvm::enumerate(blockSizes))
    if (size < 0)
      return op->emitOpError("block size ")
             << size << " of dimension " << dimension << " is negative";
  return success();
}

LogicalResult qd::verifyBlocks(Operation *op, Type input,
                               ArrayRef<int64_t> blockSizes,
                               ArrayRef<CastParameter> parameters) {
  auto tensor = dyn_cast<RankedTensorType>(input);
  if (!tensor)
    return success();
  for (const CastParameter &parameter : parameters) {
    auto own = cast<RankedTensorType>(parameter.value.getType());
    if (own.getRank() == 0)
      continue;
    if (own.getRank() != tensor.getRank())
      return op->emitOpError()
             << parameter.name << " has rank " << own.getRank()
             << ", expected 0 or the input's " << tensor.getRank();
    for (int64_t d = 0; d < tensor.getRank(); ++d) {
      int64_t block = blockSizes.empty() ? 0 : blockSizes[d];
      int64_t size = tensor.getDimSize(d);
      if (own.getDimSize(d) == 1)
        continue;
      if (block > 0 && (own.isDynamicDim(d) || ShapedType::isDynamic(size)))
        continue;
      int64_t blocks = block == 0 ? 1 : llvm::divideCeil(size, block);
      if (own.getDimSize(d) != blocks)
        return op->emitOpError()
               << parameter.name << " has " << own.getDimSize(d)
               << " elements in dimension " << d << ", where there are "
               << blocks << " blocks";
    }
  }
  return success();
}

bool qd::isRealElement(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

bool qd::isScaleElement(Type type) {
  return isRealElement(type) ||
         isa<Float8E8M0FNUType, Float8E4M3FNType>(type) ||
         type.isSignlessInteger();
}

bool qd::isAccumulatorElement(Type type) {
  return type.isSignlessInteger(32) || type.isSignlessInteger(64);
}

bool qd::isCodeElement(Type type, unsigned bits) {
  return isIntegerAlphabet(type) && detail::codeBits(type) <= bits;
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builders and folders of the casts.

#include "OpSyntax.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDCastOps.cpp.inc"

void QuantizeOp::build(OpBuilder &builder, OperationState &state, Type result,
                       Value input, Value scale, Value zeroPoint,
                       ArrayRef<int64_t> blockSizes) {
  build(builder, state, result, input, scale, zeroPoint, /*group_index=*/Value(),
        Rounding::HalfEven, Overflow::Saturate, blockSizes,
        ZeroPointDomain::Code, /*seed=*/IntegerAttr());
}

void DequantizeOp::build(OpBuilder &builder, OperationState &state, Type result,
                         Value input, Value scale, Value zeroPoint,
                         ArrayRef<int64_t> blockSizes) {
  build(builder, state, result, input, scale, zeroPoint, /*group_index=*/Value(),
        blockSizes, ZeroPointDomain::Code);
}

OpFoldResult QuantizeOp::fold(FoldAdaptor) { return {}; }

static bool isStorageCompatible(Type from, Type to) {
  auto fromAlphabet = dyn_cast<AlphabetTypeInterface>(getElementTypeOrSelf(from));
  auto toAlphabet = dyn_cast<AlphabetTypeInterface>(getElementTypeOrSelf(to));
  if (!fromAlphabet || !toAlphabet ||
      fromAlphabet.getCodeBits() != toAlphabet.getCodeBits())
    return false;
  auto fromShaped = dyn_cast<ShapedType>(from);
  auto toShaped = dyn_cast<ShapedType>(to);
  if (!fromShaped != !toShaped)
    return false;
  return !fromShaped || (fromShaped.getTypeID() == toShaped.getTypeID() &&
                         succeeded(verifyCompatibleShape(from, to)));
}

bool StorageCastOp::areCastCompatible(TypeRange inputs, TypeRange outputs) {
  return inputs.size() == 1 && outputs.size() == 1 &&
         isStorageCompatible(inputs[0], outputs[0]);
}

OpFoldResult StorageCastOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto producer = getInput().getDefiningOp<StorageCastOp>();
  if (!producer)
    return {};
  if (producer.getInput().getType() == getType())
    return producer.getInput();
  getInputMutable().assign(producer.getInput());
  return getResult();
}

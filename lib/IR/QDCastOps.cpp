// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builders and folders of the casts.

#include "CastConstraints.h"
#include "OpSyntax.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDCastOps.cpp.inc"

void QuantizeOp::build(OpBuilder &builder, OperationState &state, Type result,
                       Value input, Value scale, Value zeroPoint,
                       ArrayRef<int64_t> blockSizes) {
  build(builder, state, result, input, scale, zeroPoint,
        /*group_index=*/Value(), Rounding::HalfEven, Overflow::Saturate,
        blockSizes, ZeroPointDomain::Code, /*seed=*/IntegerAttr());
}

void DequantizeOp::build(OpBuilder &builder, OperationState &state, Type result,
                         Value input, Value scale, Value zeroPoint,
                         ArrayRef<int64_t> blockSizes) {
  build(builder, state, result, input, scale, zeroPoint,
        /*group_index=*/Value(), blockSizes, ZeroPointDomain::Code);
}

/// quantize(dequantize(q)) = q, for the same parameters: f32(q - z) * s / s has
/// a relative error of 2^-23, far from the next rounding boundary while |q - z|
/// is below 2^21. It needs a scale for which the product neither overflows nor
/// is 0 / 0, hence constants. The other way round, dequantize(quantize(x)), is
/// never folded: that would erase the error which the program is about.
OpFoldResult QuantizeOp::fold(FoldAdaptor adaptor) {
  auto producer = getInput().getDefiningOp<DequantizeOp>();
  Type alphabet = getElementTypeOrSelf(getType());
  if (!producer || producer.getInput().getType() != getType() ||
      !getElementTypeOrSelf(getInput().getType()).isF32() ||
      !isIntegerAlphabet(alphabet))
    return {};
  bool roundsToNearest = getRounding() == Rounding::HalfEven ||
                         getRounding() == Rounding::HalfAway ||
                         getRounding() == Rounding::HalfUp;
  bool sameParameters = producer.getScales() == getScales() &&
                        producer.getZeroPoint() == getZeroPoint() &&
                        producer.getGroupIndex() == getGroupIndex() &&
                        producer.getBlockSizes() == getBlockSizes() &&
                        producer.getZeroPointDomain() == getZeroPointDomain();
  if (!roundsToNearest || !sameParameters || getScales().size() != 1 ||
      getZeroPointDomain() != ZeroPointDomain::Code ||
      !getElementTypeOrSelf(getScales()[0].getType()).isF32())
    return {};
  bool isSafeScale = allElements<float>(adaptor.getScales()[0], [](float s) {
    return s > 0x1p-100f && s < 0x1p100f;
  });
  bool isSafeZero = !getZeroPoint() ||
                    allElements<int32_t>(adaptor.getZeroPoint(), [](int32_t z) {
                      return z >= -(1 << 20) && z <= 1 << 20;
                    });
  return isSafeScale && isSafeZero ? producer.getInput() : OpFoldResult();
}

static bool isStorageCompatible(Type from, Type to) {
  auto fromAlphabet =
      dyn_cast<AlphabetTypeInterface>(getElementTypeOrSelf(from));
  auto toAlphabet = dyn_cast<AlphabetTypeInterface>(getElementTypeOrSelf(to));
  if (!fromAlphabet || !toAlphabet ||
      fromAlphabet.getCodeBits() != toAlphabet.getCodeBits())
    return false;
  // Nothing but the element type may change: neither what is known of sizes nor
  // how or where the elements lie.
  auto fromShaped = dyn_cast<ShapedType>(from);
  if (!fromShaped)
    return !isa<ShapedType>(to);
  return fromShaped.clone(toAlphabet) == to;
}

bool StorageCastOp::areCastCompatible(TypeRange inputs, TypeRange outputs) {
  return inputs.size() == 1 && outputs.size() == 1 &&
         isStorageCompatible(inputs[0], outputs[0]);
}

/// Identity, a chain of casts, and constants, whose bytes are kept as they are.
OpFoldResult StorageCastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto resource =
          dyn_cast_or_null<DenseResourceElementsAttr>(adaptor.getInput()))
    return DenseResourceElementsAttr::get(cast<ShapedType>(getType()),
                                          resource.getRawHandle());
  auto producer = getInput().getDefiningOp<StorageCastOp>();
  if (!producer)
    return {};
  if (producer.getInput().getType() == getType())
    return producer.getInput();
  getInputMutable().assign(producer.getInput());
  return getResult();
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants, shapes and conversions of elements.

#include "ElementBuilder.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace qdialect;

Type ElementBuilder::typeOf(Type element) const {
  return shape ? Type(ShapedType(shape).clone(element)) : element;
}

static Value makeConstant(ElementBuilder &b, Type type, TypedAttr scalar) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return b.make<arith::ConstantOp>(
        DenseElementsAttr::get(shaped, Attribute(scalar)));
  return b.make<arith::ConstantOp>(scalar);
}

Value ElementBuilder::constant(Type element, double value) {
  return makeConstant(*this, typeOf(element), FloatAttr::get(element, value));
}

Value ElementBuilder::constant(Type element, int64_t value) {
  return makeConstant(*this, typeOf(element), IntegerAttr::get(element, value));
}

Value ElementBuilder::inShape(Value value) {
  if (!shape || isa<ShapedType>(value.getType()))
    return value;
  Type type = typeOf(value.getType());
  if (isa<VectorType>(type))
    return make<vector::BroadcastOp>(type, value);
  return make<tensor::SplatOp>(value, type);
}

Value ElementBuilder::resize(Value value, unsigned width, bool isSigned) {
  unsigned from = getElementTypeOrSelf(value).getIntOrFloatBitWidth();
  Type type = typeOf(builder.getIntegerType(width));
  if (from == width)
    return value;
  if (from > width)
    return make<arith::TruncIOp>(type, value);
  if (isSigned)
    return make<arith::ExtSIOp>(type, value);
  return make<arith::ExtUIOp>(type, value);
}

Value ElementBuilder::toF32(Value value) {
  unsigned from = getElementTypeOrSelf(value).getIntOrFloatBitWidth();
  if (getElementTypeOrSelf(value).isF32())
    return value;
  if (from < 32)
    return make<arith::ExtFOp>(typeOf(f32()), value);
  return make<arith::TruncFOp>(typeOf(f32()), value);
}

Value ElementBuilder::fromF32(Value value, Type element) {
  if (element.isF32())
    return value;
  if (element.getIntOrFloatBitWidth() < 32)
    return make<arith::TruncFOp>(typeOf(element), value);
  return make<arith::ExtFOp>(typeOf(element), value);
}

Value ElementBuilder::toStorage(Value codes) {
  Type alphabet = getElementTypeOrSelf(codes);
  Type storage = qd::getStorageType(alphabet);
  if (alphabet == storage)
    return codes;
  return make<qd::StorageCastOp>(typeOf(storage), codes);
}

Value ElementBuilder::fromStorage(Value bits, Type alphabet) {
  if (alphabet == qd::getStorageType(alphabet))
    return bits;
  return make<qd::StorageCastOp>(typeOf(alphabet), bits);
}

Value qdialect::emitScaleProduct(ElementBuilder &b, ValueRange scales) {
  Value product;
  for (Value scale : scales) {
    Value factor = b.inShape(scale);
    if (isa<IntegerType>(getElementTypeOrSelf(factor)))
      factor = b.make<arith::SIToFPOp>(b.typeOf(b.f32()), factor);
    factor = b.toF32(factor);
    product = product ? b.make<arith::MulFOp>(product, factor) : factor;
  }
  return product;
}

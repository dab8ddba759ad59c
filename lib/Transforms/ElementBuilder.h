// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits arith and math ops on "elements": scalars, or vectors (tensors) that
// all have one shape. The formulas of the expansions are written once and mean
// the scalar and the vector form; constants are splatted to the shape.

#ifndef QDIALECT_LIB_TRANSFORMS_ELEMENTBUILDER_H
#define QDIALECT_LIB_TRANSFORMS_ELEMENTBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qdialect {

class ElementBuilder {
public:
  /// `like` gives the shape of everything that is built.
  ElementBuilder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type like)
      : builder(loc, builder), shape(mlir::dyn_cast<mlir::ShapedType>(like)) {}

  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type i32() { return builder.getI32Type(); }
  mlir::Type i64() { return builder.getI64Type(); }
  /// `element` in the shape.
  mlir::Type typeOf(mlir::Type element) const;

  mlir::Value constant(mlir::Type element, double value);
  mlir::Value constant(mlir::Type element, int64_t value);
  mlir::Value constantF32(double value) { return constant(f32(), value); }

  /// The value in the shape: a scalar operand of a vector op is broadcast.
  mlir::Value inShape(mlir::Value value);

  template <typename Op, typename... Args>
  mlir::Value make(Args &&...args) {
    return Op::create(builder, builder.getLoc(), std::forward<Args>(args)...)
        ->getResult(0);
  }

  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    return make<mlir::arith::SelectOp>(condition, a, b);
  }
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a,
                      mlir::Value b) {
    return make<mlir::arith::CmpFOp>(predicate, a, b);
  }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                      mlir::Value b) {
    return make<mlir::arith::CmpIOp>(predicate, a, b);
  }

  /// Integer to integer of `width` bits: extension or truncation.
  mlir::Value resize(mlir::Value value, unsigned width, bool isSigned);
  /// Any float to f32 (exact for narrower ones).
  mlir::Value toF32(mlir::Value value);
  /// f32 to a float type, rounded to nearest even if it is narrower.
  mlir::Value fromF32(mlir::Value value, mlir::Type element);
  /// The bits of codes of any alphabet as signless integers, and back.
  mlir::Value toStorage(mlir::Value codes);
  mlir::Value fromStorage(mlir::Value bits, mlir::Type alphabet);

private:
  mlir::ImplicitLocOpBuilder builder;
  mlir::ShapedType shape;
};

/// The product of the scales of a cast in f32, from left to right.
mlir::Value emitScaleProduct(ElementBuilder &b, mlir::ValueRange scales);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_ELEMENTBUILDER_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operation set of Numerics/FloatFunctions.h that emits: one arith or math
// op for each step of a sequence, in the shape of an ElementBuilder. Whoever
// runs the emitted ops gets the bits that ScalarOps computes.

#ifndef QDIALECT_LIB_TRANSFORMS_MATHEMITTER_H
#define QDIALECT_LIB_TRANSFORMS_MATHEMITTER_H

#include "ElementBuilder.h"
#include "QDialect/Numerics/FloatFunctions.h"

namespace qdialect {

struct MathEmitter {
  using F = mlir::Value;
  using I = mlir::Value;
  using B = mlir::Value;

  ElementBuilder &b;

  F f(float c) { return b.constantF32(c); }
  I i(int32_t c) { return b.constant(b.i32(), int64_t(c)); }
  F add(F x, F y) { return b.make<mlir::arith::AddFOp>(x, y); }
  F sub(F x, F y) { return b.make<mlir::arith::SubFOp>(x, y); }
  F mul(F x, F y) { return b.make<mlir::arith::MulFOp>(x, y); }
  F div(F x, F y) { return b.make<mlir::arith::DivFOp>(x, y); }
  F sqrt(F x) { return b.make<mlir::math::SqrtOp>(x); }
  F fma(F x, F y, F z) { return b.make<mlir::math::FmaOp>(x, y, z); }
  B lt(F x, F y) { return b.compare(mlir::arith::CmpFPredicate::OLT, x, y); }
  F select(B c, F x, F y) { return b.select(c, x, y); }
  I bits(F x) { return b.make<mlir::arith::BitcastOp>(b.typeOf(b.i32()), x); }
  F fromBits(I x) {
    return b.make<mlir::arith::BitcastOp>(b.typeOf(b.f32()), x);
  }
  I iadd(I x, I y) { return b.make<mlir::arith::AddIOp>(x, y); }
  I isub(I x, I y) { return b.make<mlir::arith::SubIOp>(x, y); }
  I iand(I x, I y) { return b.make<mlir::arith::AndIOp>(x, y); }
  I ior(I x, I y) { return b.make<mlir::arith::OrIOp>(x, y); }
  I ishl(I x, int n) { return b.make<mlir::arith::ShLIOp>(x, i(n)); }
  I isar(I x, int n) { return b.make<mlir::arith::ShRSIOp>(x, i(n)); }
  F toFloat(I x) { return b.make<mlir::arith::SIToFPOp>(b.typeOf(b.f32()), x); }
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_MATHEMITTER_H

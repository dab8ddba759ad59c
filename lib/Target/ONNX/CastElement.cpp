// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "CastElement.h"
#include "GraphBuilder.h"
#include "QDialect/IR/QDDialect.h"
#include "Scalars.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qdialect::onnx_import {

bool isSmallFloat(Type type) {
  return isFloat(type) && type.getIntOrFloatBitWidth() <= 8;
}

/// The power of two that stands for an f32, which is not negative, as its
/// code: the exponent, raised by one if the fraction rounds up.
static Value encodePower(const Scalars &s, Value x, const CastRules &rules) {
  Type i32 = s.b.getI32Type();
  auto number = [&](int64_t value) {
    return s.number(i32, static_cast<double>(value));
  };
  Value bits = arith::BitcastOp::create(s.b, s.loc, i32,
                                        math::AbsFOp::create(s.b, s.loc, x));
  Value exponent = arith::ShRUIOp::create(s.b, s.loc, bits, number(23));
  Value fraction = arith::AndIOp::create(s.b, s.loc, bits, number(0x7FFFFF));
  // Code 0 is 2^-127, half of the smallest normal number.
  Value isSmall = s.eq(exponent, number(0));
  Value beyond = s.sub(fraction, number(0x400000));
  Value isBelow = s.both(isSmall, s.lt(beyond, number(0)));
  fraction =
      s.select(isSmall, s.max(s.add(beyond, beyond), number(0)), fraction);
  Value code = exponent;
  if (rules.rounding != CastRules::PowerRounding::Down) {
    bool up = rules.rounding == CastRules::PowerRounding::Up;
    Value rises = s.le(number(up ? 1 : 0x400000), fraction);
    code = s.add(code, arith::ExtUIOp::create(s.b, s.loc, i32, rises));
  }
  // 255 is NaN.
  code = s.min(code, number(rules.saturate ? 254 : 255));
  if (!rules.saturate)
    code = s.select(isBelow, number(255), code);
  code = s.select(s.isNaN(x), number(255), code);
  return arith::TruncIOp::create(s.b, s.loc, s.b.getI8Type(), code);
}

static Value toSmallFloat(const Scalars &s, Value x, Type to,
                          const CastRules &rules) {
  if (isa<Float8E8M0FNUType>(to))
    return s.fromStorage(encodePower(s, x, rules), to);
  auto overflow = rules.saturate ? qd::Overflow::Saturate : qd::Overflow::Wrap;
  return qd::QuantizeOp::create(
      s.b, s.loc, to, x, ValueRange{s.number(x, 1)}, /*zero_point=*/Value(),
      /*group_index=*/Value(), qd::Rounding::HalfEven, overflow,
      /*block_sizes=*/ArrayRef<int64_t>(), qd::ZeroPointDomain::Code,
      /*seed=*/IntegerAttr());
}

static Value toFloat(const Scalars &s, Value x, bool isUnsigned, Type to) {
  Type from = x.getType();
  if (!isFloat(from)) {
    if (isUnsigned)
      return arith::UIToFPOp::create(s.b, s.loc, to, x);
    return arith::SIToFPOp::create(s.b, s.loc, to, x);
  }
  unsigned fromBits = from.getIntOrFloatBitWidth(),
           toBits = to.getIntOrFloatBitWidth();
  if (fromBits < toBits)
    return arith::ExtFOp::create(s.b, s.loc, to, x);
  if (fromBits > toBits)
    return arith::TruncFOp::create(s.b, s.loc, to, x);
  if (from == to)
    return x;
  // f16 <-> bf16
  x = arith::ExtFOp::create(s.b, s.loc, s.b.getF32Type(), x);
  return arith::TruncFOp::create(s.b, s.loc, to, x);
}

static Value toInteger(const Scalars &s, Value x, bool isUnsigned, Type to,
                       bool toUnsigned) {
  if (isFloat(x.getType())) {
    if (to.getIntOrFloatBitWidth() < 8) {
      x = arith::FPToSIOp::create(s.b, s.loc, s.b.getI32Type(), x);
      return arith::TruncIOp::create(s.b, s.loc, to, x);
    }
    if (toUnsigned)
      return arith::FPToUIOp::create(s.b, s.loc, to, x);
    return arith::FPToSIOp::create(s.b, s.loc, to, x);
  }
  unsigned fromBits = x.getType().getIntOrFloatBitWidth(),
           toBits = to.getIntOrFloatBitWidth();
  if (fromBits > toBits)
    return arith::TruncIOp::create(s.b, s.loc, to, x);
  if (fromBits == toBits)
    return x;
  if (isUnsigned)
    return arith::ExtUIOp::create(s.b, s.loc, to, x);
  return arith::ExtSIOp::create(s.b, s.loc, to, x);
}

Value castElement(OpBuilder &b, Location loc, Value x, Type to,
                  const CastRules &rules) {
  Scalars s{b, loc};
  Type from = x.getType();
  if (from == to)
    return x;
  if (isSmallFloat(from)) {
    x = qd::DequantizeOp::create(b, loc, b.getF32Type(), x,
                                 s.number(b.getF32Type(), 1), Value());
    return castElement(b, loc, x, to, rules);
  }
  if (isSmallFloat(to))
    return toSmallFloat(s, castElement(b, loc, x, b.getF32Type()), to, rules);
  bool isUnsigned = isUnsignedType(from) || from.isInteger(1);
  x = s.toStorage(x);
  if (to.isInteger(1))
    return s.ne(x, s.number(x, 0));
  if (isFloat(to))
    return toFloat(s, x, isUnsigned, to);
  Value code = toInteger(s, x, isUnsigned, storageType(to), isUnsignedType(to));
  return s.fromStorage(code, to);
}

} // namespace qdialect::onnx_import

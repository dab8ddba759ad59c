// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Scalars.h"
#include "GraphBuilder.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

template <typename Float, typename Integer>
Value either(const Scalars &s, Value x, Value y) {
  if (isFloat(x.getType()))
    return Float::create(s.b, s.loc, x, y);
  return Integer::create(s.b, s.loc, x, y);
}

template <typename Op>
Value unary(const Scalars &s, Value x) {
  return Op::create(s.b, s.loc, x);
}

Value compare(const Scalars &s, arith::CmpFPredicate floats,
              arith::CmpIPredicate integers, Value x, Value y) {
  if (isFloat(x.getType()))
    return arith::CmpFOp::create(s.b, s.loc, floats, x, y);
  return arith::CmpIOp::create(s.b, s.loc, integers, x, y);
}

} // namespace

Value Scalars::number(Type type, double value) const {
  return GraphBuilder::scalar(b, loc, type, value);
}
Value Scalars::i64(int64_t value) const {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
}
Value Scalars::add(Value x, Value y) const {
  return onnx_import::either<arith::AddFOp, arith::AddIOp>(*this, x, y);
}
Value Scalars::sub(Value x, Value y) const {
  return onnx_import::either<arith::SubFOp, arith::SubIOp>(*this, x, y);
}
Value Scalars::mul(Value x, Value y) const {
  return onnx_import::either<arith::MulFOp, arith::MulIOp>(*this, x, y);
}
Value Scalars::div(Value x, Value y) const {
  return arith::DivFOp::create(b, loc, x, y);
}
Value Scalars::max(Value x, Value y) const {
  return onnx_import::either<arith::MaximumFOp, arith::MaxSIOp>(*this, x, y);
}
Value Scalars::min(Value x, Value y) const {
  return onnx_import::either<arith::MinimumFOp, arith::MinSIOp>(*this, x, y);
}
Value Scalars::neg(Value x) const {
  if (isFloat(x.getType()))
    return arith::NegFOp::create(b, loc, x);
  return sub(number(x, 0), x);
}
Value Scalars::abs(Value x) const {
  return isFloat(x.getType()) ? unary<math::AbsFOp>(*this, x)
                              : unary<math::AbsIOp>(*this, x);
}
Value Scalars::sqrt(Value x) const { return unary<math::SqrtOp>(*this, x); }
Value Scalars::floor(Value x) const { return unary<math::FloorOp>(*this, x); }
Value Scalars::exp(Value x) const { return unary<math::ExpOp>(*this, x); }
Value Scalars::log(Value x) const { return unary<math::LogOp>(*this, x); }

Value Scalars::eq(Value x, Value y) const {
  return compare(*this, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq, x,
                 y);
}
Value Scalars::ne(Value x, Value y) const {
  return compare(*this, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne, x,
                 y);
}
Value Scalars::lt(Value x, Value y) const {
  return compare(*this, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt, x,
                 y);
}
Value Scalars::le(Value x, Value y) const {
  return compare(*this, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle, x,
                 y);
}
Value Scalars::isNaN(Value x) const {
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
}
Value Scalars::both(Value x, Value y) const {
  return arith::AndIOp::create(b, loc, x, y);
}
Value Scalars::either(Value x, Value y) const {
  return arith::OrIOp::create(b, loc, x, y);
}
Value Scalars::select(Value test, Value yes, Value no) const {
  return arith::SelectOp::create(b, loc, test, yes, no);
}

namespace {

/// The divisor where it divides without a trap, else 1.
struct SafeDivisor {
  Value isZero, isMinusOne, divisor;

  SafeDivisor(const Scalars &s, Value y, bool isUnsigned) {
    Value one = s.number(y, 1);
    isZero = s.eq(y, s.number(y, 0));
    divisor = s.select(isZero, one, y);
    if (isUnsigned)
      return;
    isMinusOne = s.eq(y, s.number(y, -1));
    divisor = s.select(isMinusOne, one, divisor);
  }
};

} // namespace

Value Scalars::divTotal(Value x, Value y, bool isUnsigned) const {
  SafeDivisor safe(*this, y, isUnsigned);
  Value zero = number(x, 0);
  if (isUnsigned)
    return select(safe.isZero, zero,
                  arith::DivUIOp::create(b, loc, x, safe.divisor));
  Value quotient = arith::DivSIOp::create(b, loc, x, safe.divisor);
  quotient = select(safe.isMinusOne, sub(zero, x), quotient);
  return select(safe.isZero, zero, quotient);
}

Value Scalars::remTotal(Value x, Value y, bool isUnsigned) const {
  // The remainder of 1, which stands in for 0 and -1, is 0 too.
  SafeDivisor safe(*this, y, isUnsigned);
  if (isUnsigned)
    return arith::RemUIOp::create(b, loc, x, safe.divisor);
  return arith::RemSIOp::create(b, loc, x, safe.divisor);
}

bool isUnsignedType(Type type) { return isa<qd::UIntType>(type); }

Type storageType(Type type) {
  if (auto code = dyn_cast<qd::UIntType>(type))
    return IntegerType::get(type.getContext(), code.getWidth());
  return type;
}

Value Scalars::toStorage(Value x) const {
  Type storage = storageType(x.getType());
  if (storage == x.getType())
    return x;
  return qd::StorageCastOp::create(b, loc, storage, x);
}

Value Scalars::fromStorage(Value x, Type type) const {
  if (x.getType() == type)
    return x;
  return qd::StorageCastOp::create(b, loc, type, x);
}

Value Scalars::cast(Value x, Type to) const {
  Type from = x.getType();
  if (from == to)
    return x;
  if (from.isIndex() || to.isIndex())
    return arith::IndexCastOp::create(b, loc, to, x);
  if (isFloat(from) && isFloat(to)) {
    if (from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, loc, to, x);
    return arith::TruncFOp::create(b, loc, to, x);
  }
  if (isFloat(from))
    return arith::FPToSIOp::create(b, loc, to, x);
  if (isFloat(to))
    return from.isInteger(1)
               ? arith::UIToFPOp::create(b, loc, to, x).getResult()
               : arith::SIToFPOp::create(b, loc, to, x).getResult();
  if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, loc, to, x);
  return from.isInteger(1) ? arith::ExtUIOp::create(b, loc, to, x).getResult()
                           : arith::ExtSIOp::create(b, loc, to, x).getResult();
}

Value Scalars::clampIndex(Value index, int64_t size) const {
  return min(max(index, i64(0)), i64(std::max<int64_t>(size - 1, 0)));
}

Value Scalars::wrapIndex(Value index, int64_t size) const {
  index = cast(index, b.getI64Type());
  Value wrapped = add(index, i64(size));
  return clampIndex(select(lt(index, i64(0)), wrapped, index), size);
}

Value Scalars::read(Value tensor, ArrayRef<Value> places) const {
  SmallVector<Value> indices;
  for (Value place : places)
    indices.push_back(cast(place, b.getIndexType()));
  return tensor::ExtractOp::create(b, loc, tensor, indices);
}

} // namespace qdialect::onnx_import

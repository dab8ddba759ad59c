// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd.quantize and qd.dequantize of minifloats as integer arithmetic on the bits
// of f32. With M mantissa bits, for a magnitude a inside the range:
//
//   e = max(exponent of a, 1 - bias);  n = rne(a / 2^(e - M))
//   code = ((e + bias - 1) << M) + n
//
// which is right for subnormals (n < 2^M), and carries into the next binade by
// itself. The division is by a power of two and exact.

#include "ElementBuilder.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Format.h"
#include "QDialect/Transforms/Expand.h"
#include "mlir/IR/PatternMatch.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

namespace {

/// A minifloat all of whose values, and their spacings, are normal f32 numbers;
/// or e8m0, which is only decoded.
std::optional<Format> minifloatOf(Type alphabet) {
  std::optional<Format> format = qd::getFormat(alphabet);
  if (format && format->kind() == Format::Kind::E8M0)
    return format;
  if (!format || format->kind() != Format::Kind::MiniFloat ||
      format->mantissaBits() == 0 || format->bits() > 8 ||
      std::abs(format->bias()) > 64)
    return std::nullopt;
  return format;
}

class MinifloatBuilder {
public:
  MinifloatBuilder(ElementBuilder &b, const Format &format)
      : b(b), format(format), m(format.mantissaBits()),
        signAt(format.exponentBits() + m), bias(format.bias()) {}

  /// The value of codes (i32, zero-extended).
  Value decode(Value code);
  /// The nearest codes in i32.
  Value encode(Value x, qd::Overflow overflow);

private:
  Value number(int64_t value) { return b.constant(b.i32(), value); }
  Value shifted(Value value, int64_t by) {
    return b.make<arith::ShLIOp>(value, number(by));
  }
  Value masked(Value value, int64_t bits) {
    return b.make<arith::AndIOp>(value, number((int64_t(1) << bits) - 1));
  }
  Value isEqual(Value value, int64_t to) {
    return b.compare(CmpIPredicate::eq, value, number(to));
  }
  Value asFloat(Value bits) {
    return b.make<arith::BitcastOp>(b.typeOf(b.f32()), bits);
  }
  Value asBits(Value real) {
    return b.make<arith::BitcastOp>(b.typeOf(b.i32()), real);
  }

  ElementBuilder &b;
  const Format &format;
  int64_t m, signAt, bias;
};

Value MinifloatBuilder::decode(Value code) {
  if (format.kind() == Format::Kind::E8M0) {
    // Code 0 is a subnormal f32, 2^-127; 255 is NaN.
    Value bits =
        b.select(isEqual(code, 0), number(0x400000), shifted(code, 23));
    return asFloat(b.select(isEqual(code, 255), number(0x7FC00000), bits));
  }
  Value sign = shifted(b.make<arith::ShRUIOp>(code, number(signAt)), 31);
  Value magnitude = masked(code, signAt);
  Value exponent = b.make<arith::ShRUIOp>(magnitude, number(m));
  Value normal = b.make<arith::AddIOp>(shifted(magnitude, 23 - m),
                                       number((127 - bias) << 23));
  Value small = b.make<arith::MulFOp>(
      b.make<arith::SIToFPOp>(b.typeOf(b.f32()), magnitude),
      b.constantF32(std::ldexp(1.0, static_cast<int>(1 - bias - m))));
  Value bits = b.select(isEqual(exponent, 0), asBits(small), normal);
  int64_t top = (int64_t(1) << format.exponentBits()) - 1;
  auto setSpecial = [&](Value is, Value special) {
    bits = b.select(is, special, bits);
  };
  constexpr int64_t kInfinity = 0x7F800000, kNaN = 0x7FC00000;
  switch (format.specials()) {
  case Specials::None:
    break;
  case Specials::OCP:
    setSpecial(isEqual(magnitude, (int64_t(1) << signAt) - 1), number(kNaN));
    break;
  case Specials::IEEE: {
    Value isInfinity = isEqual(masked(magnitude, m), 0);
    setSpecial(isEqual(exponent, top),
               b.select(isInfinity, number(kInfinity), number(kNaN)));
    break;
  }
  case Specials::FNUZ:
    setSpecial(isEqual(code, int64_t(1) << signAt), number(kNaN));
    break;
  }
  return asFloat(b.make<arith::OrIOp>(bits, sign));
}

Value MinifloatBuilder::encode(Value x, qd::Overflow overflow) {
  Value bits = asBits(x);
  Value sign = b.make<arith::ShRUIOp>(bits, number(31));
  Value a = b.make<math::AbsFOp>(x);
  // Twice the largest value is as far beyond it as infinity.
  bool wraps = overflow == qd::Overflow::Wrap;
  Value largest = b.constantF32(format.maxFinite() * (wraps ? 2 : 1));
  a = b.select(b.compare(CmpFPredicate::OGT, a, largest), largest, a);
  Value exponent = b.make<arith::SubIOp>(
      b.make<arith::ShRUIOp>(asBits(a), number(23)), number(127));
  exponent = b.make<arith::MaxSIOp>(exponent, number(1 - bias));
  Value step =
      asFloat(shifted(b.make<arith::AddIOp>(exponent, number(127 - m)), 23));
  Value steps = b.make<math::RoundEvenOp>(b.make<arith::DivFOp>(a, step));
  // NaN is replaced below; any integer may stand for it until then.
  Value isNaN = b.compare(CmpFPredicate::UNO, x, x);
  steps = b.select(isNaN, b.constantF32(0), steps);
  Value n = b.make<arith::FPToSIOp>(b.typeOf(b.i32()), steps);
  Value code = b.make<arith::AddIOp>(
      shifted(b.make<arith::AddIOp>(exponent, number(bias - 1)), m), n);
  Value top = shifted(sign, signAt);
  if (format.specials() == Specials::FNUZ) // it has no -0
    top = b.select(isEqual(code, 0), number(0), top);
  code = b.make<arith::OrIOp>(code, top);
  if (wraps) {
    uint32_t special = format.encode(std::numeric_limits<double>::infinity(),
                                     Rounding::HalfEven, Overflow::Wrap);
    Value instead = number(special);
    if (format.hasInf())
      instead = b.make<arith::OrIOp>(instead, top);
    Value beyond =
        b.compare(CmpFPredicate::OGT, b.make<arith::MulFOp>(steps, step),
                  b.constantF32(format.maxFinite()));
    code = b.select(beyond, instead, code);
  }
  return b.select(isNaN, number(format.encode(std::nan(""))), code);
}

template <typename Op>
LogicalResult matchPlain(Op op, PatternRewriter &rewriter) {
  if (isa<TensorType>(op.getType()))
    return rewriter.notifyMatchFailure(op, "on tensors");
  if (op.getZeroPoint())
    return rewriter.notifyMatchFailure(op, "a zero point of float codes");
  return success();
}

struct ExpandQuantizeMinifloat : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Type alphabet = getElementTypeOrSelf(op.getType());
    std::optional<Format> format = minifloatOf(alphabet);
    if (!format)
      return rewriter.notifyMatchFailure(op, "alphabet is no small minifloat");
    if (format->kind() == Format::Kind::E8M0 ||
        op.getRounding() != qd::Rounding::HalfEven)
      return rewriter.notifyMatchFailure(
          op, "only minifloats, rounded half to even, are encoded");
    if (failed(matchPlain(op, rewriter)))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    Value quotient = b.make<arith::DivFOp>(b.toF32(op.getInput()),
                                           emitScaleProduct(b, op.getScales()));
    Value code =
        MinifloatBuilder(b, *format).encode(quotient, op.getOverflow());
    code = b.resize(code, format->bits(), /*isSigned=*/false);
    rewriter.replaceOp(op, b.fromStorage(code, alphabet));
    return success();
  }
};

struct ExpandDequantizeMinifloat : OpRewritePattern<qd::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Format> format =
        minifloatOf(getElementTypeOrSelf(op.getInput().getType()));
    if (!format)
      return rewriter.notifyMatchFailure(op, "alphabet is no small minifloat");
    if (failed(matchPlain(op, rewriter)))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    Value code = b.resize(b.toStorage(op.getInput()), 32, /*isSigned=*/false);
    Value real =
        b.make<arith::MulFOp>(MinifloatBuilder(b, *format).decode(code),
                              emitScaleProduct(b, op.getScales()));
    rewriter.replaceOp(op, b.fromF32(real, getElementTypeOrSelf(op.getType())));
    return success();
  }
};

} // namespace

void qdialect::populateExpandMinifloatPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandQuantizeMinifloat, ExpandDequantizeMinifloat>(
      patterns.getContext());
}

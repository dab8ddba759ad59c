// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of two codes times constants of up to 23 bits, as residual sums are:
//
//   a * m + b * n + rest
//
// One instruction multiplies two pairs of words and adds them. Constants that
// are no words take two, m = 256 * high + low. Codes take part as they lie in
// registers, in offset binary; what that is too much, 128 * (m + n), does not
// depend on the place and is subtracted from the rest. All is modulo 2^32, and
// the sum fits.

#include "Payload.h"
#include "PayloadFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

namespace {

struct CodeProduct {
  Value code, multiplier;
  bool isWord; ///< the multiplier
};

/// extsi(code) * multiplier, one whose upper half is a word.
std::optional<CodeProduct> matchProduct(const Epilogue &epilogue, Value value) {
  auto product = value.getDefiningOp<arith::MulIOp>();
  if (!product)
    return std::nullopt;
  auto code = product.getLhs().getDefiningOp<arith::ExtSIOp>();
  std::optional<Interval> range = epilogue.rangeOf(product.getRhs());
  if (!code || !code.getIn().getType().isInteger(8) || !range ||
      range->magnitude() > 0x1p22)
    return std::nullopt;
  return CodeProduct{code.getIn(), product.getRhs(),
                     range->low >= INT16_MIN && range->high <= INT16_MAX};
}

/// The summands of sums of sums.
void collectSummands(Value value, SmallVectorImpl<Value> &summands) {
  if (auto sum = value.getDefiningOp<arith::AddIOp>()) {
    collectSummands(sum.getLhs(), summands);
    collectSummands(sum.getRhs(), summands);
  } else {
    summands.push_back(value);
  }
}

} // namespace

std::optional<Lanes> PayloadEmitter::dotOp(Frame &frame, arith::AddIOp op) {
  if (!e.target.hasAvx512() || !op.getType().isInteger(32))
    return std::nullopt;
  SmallVector<Value> summands;
  collectSummands(op, summands);
  SmallVector<CodeProduct, 2> products;
  auto type = Emitter::vector(e.i32());
  auto number = [&](int64_t n) { return e.constantInt(type, n); };
  Value rest = number(0);
  for (Value summand : summands) {
    if (std::optional<CodeProduct> product = matchProduct(epilogue, summand)) {
      products.push_back(*product);
      continue;
    }
    Value lanes = words(frame.scalar(*this, summand));
    if (!lanes)
      return std::nullopt;
    rest = arith::AddIOp::create(e, rest, lanes);
  }
  if (products.size() != 2)
    return std::nullopt;
  auto pair = [&](Value low, Value high) -> Value {
    Value shifted = arith::ShLIOp::create(e, high, number(16));
    return e.bitcast(arith::OrIOp::create(e, low, shifted),
                     Emitter::vector(e.getI16Type(), 2 * Emitter::kLanes));
  };
  Value m = words(frame.scalar(*this, products[0].multiplier)),
        n = words(frame.scalar(*this, products[1].multiplier));
  Value both = arith::AddIOp::create(e, m, n);
  rest =
      arith::SubIOp::create(e, rest, arith::ShLIOp::create(e, both, number(7)));
  Value codes = pair(offset(frame.scalar(*this, products[0].code)),
                     offset(frame.scalar(*this, products[1].code)));
  auto dot = [&](Value sums, Value first, Value second) -> Value {
    Value multipliers =
        pair(arith::AndIOp::create(e, first, number(0xFFFF)), second);
    if (e.target.hasDotProduct())
      return e.intrinsic("llvm.x86.avx512.vpdpwssd.512", type,
                         {sums, codes, multipliers});
    Value products =
        e.intrinsic("llvm.x86.avx512.pmaddw.d.512", type, {codes, multipliers});
    return arith::AddIOp::create(e, products, sums);
  };
  if (products[0].isWord && products[1].isWord)
    return Lanes::of(dot(rest, m, n));
  auto high = [&](Value v) -> Value {
    return arith::ShRSIOp::create(e, v, number(8));
  };
  auto low = [&](Value v) -> Value {
    return arith::AndIOp::create(e, v, number(255));
  };
  Value above =
      arith::ShLIOp::create(e, dot(number(0), high(m), high(n)), number(8));
  return Lanes::of(dot(arith::AddIOp::create(e, above, rest), low(m), low(n)));
}

} // namespace qdialect::cpu

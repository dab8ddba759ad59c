// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exponent and mantissa move to their places in an f32, whose bias is added.
// Where the exponent is 0 that counts a one too many in front of the mantissa:
// such a code is its mantissa, converted, times the smallest value. (A product
// of a subnormal f32 and a power of two would be right for all codes, and takes
// hundreds of cycles.)

#include "MinifloatLanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace qdialect::cpu {

Value decodeMinifloats(Emitter &e, const Format &format, Value codes) {
  auto ints = cast<VectorType>(codes.getType());
  auto floats = Emitter::vector(e.f32(), ints.getNumElements());
  int64_t m = format.mantissaBits(), bits = format.bits(), bias = format.bias();
  auto number = [&](int64_t value) { return e.constantInt(ints, value); };
  Value magnitude =
      arith::AndIOp::create(e, codes, number((int64_t(1) << (bits - 1)) - 1));
  Value sign = arith::AndIOp::create(
      e, arith::ShLIOp::create(e, codes, number(32 - bits)), number(INT32_MIN));
  Value normal = arith::AddIOp::create(
      e, arith::ShLIOp::create(e, magnitude, number(23 - m)),
      number((127 - bias) << 23));
  // Seeded fault 201: the smallest codes are read as if they had an exponent.
  int64_t firstNormal = QDIALECT_MUTATE == 201 ? 1 : int64_t(1) << m;
  Value isSmall = arith::CmpIOp::create(e, arith::CmpIPredicate::slt, magnitude,
                                        number(firstNormal));
  Value small = arith::MulFOp::create(
      e, arith::SIToFPOp::create(e, floats, magnitude),
      e.constant(floats, std::ldexp(1.0, static_cast<int>(1 - bias - m))));
  Value value =
      arith::SelectOp::create(e, isSmall, e.bitcast(small, ints), normal);
  return e.bitcast(arith::OrIOp::create(e, value, sign), floats);
}

} // namespace qdialect::cpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The products of mma and wmma; see the header.

#include "MatrixProduct.h"
#include "FloatFormats.h"
#include "QDialect/Numerics/Format.h"

#include <vector>

using namespace qdialect;
using namespace qdialect::ptx;

MatrixShape ptx::parseShape(std::string_view text) {
  MatrixShape shape;
  unsigned *part = nullptr;
  for (char c : text) {
    if (c == 'm' || c == 'n' || c == 'k')
      part = c == 'm' ? &shape.m : c == 'n' ? &shape.n : &shape.k;
    else if (part && c >= '0' && c <= '9' && *part < 1000)
      *part = *part * 10 + static_cast<unsigned>(c - '0');
    else
      return {};
  }
  return shape;
}

unsigned ptx::elementBits(Type type) {
  return type == Type::B1                       ? 1
         : type == Type::S4 || type == Type::U4 ? 4
                                                : bitWidth(type);
}

/// Eight bits and less fit 16, whose products the host adds in pairs.
static int16_t integerOf(uint64_t code, Type t) {
  switch (t) {
  case Type::S8:
    return static_cast<int8_t>(code);
  case Type::S4:
    return static_cast<int16_t>(static_cast<int8_t>(code << 4) >> 4);
  default:
    return static_cast<int16_t>(code);
  }
}

static double floatOf(uint64_t code, Type t) {
  static const std::vector<double> e4m3 =
      Format::minifloat(4, 3, Specials::OCP).decodeTable();
  static const std::vector<double> e5m2 =
      Format::minifloat(5, 2, Specials::IEEE).decodeTable();
  switch (t) {
  case Type::F16:
    return fromHalf(static_cast<uint16_t>(code));
  case Type::BF16:
    return fromBfloat(static_cast<uint16_t>(code));
  case Type::TF32: // the low 13 bits do not count
    return bitCast<float>(static_cast<uint32_t>(code) & 0xffffe000);
  case Type::E4M3:
    return e4m3[code & 0xff];
  case Type::E5M2:
    return e5m2[code & 0xff];
  case Type::F32:
    return bitCast<float>(static_cast<uint32_t>(code));
  default:
    return bitCast<double>(code);
  }
}

static uint64_t floatCode(double x, Type t) {
  if (t == Type::F16)
    return toHalf(x);
  if (t == Type::F32)
    return bitCast<uint32_t>(canonical(static_cast<float>(x)));
  return bitCast<uint64_t>(x);
}

static void multiplyIntegers(MatrixOperands &o) {
  const MatrixShape s = o.shape;
  static thread_local int16_t a[kMaxM * kMaxK], b[kMaxN * kMaxK];
  for (unsigned i = 0; i < s.m * s.k; ++i)
    a[i] = integerOf(o.codesA[i], o.a);
  for (unsigned i = 0; i < s.n * s.k; ++i)
    b[i] = integerOf(o.codesB[i], o.b);
  for (unsigned m = 0; m < s.m; ++m)
    for (unsigned n = 0; n < s.n; ++n) {
      const int16_t *x = a + m * s.k, *y = b + n * s.k;
      int32_t sum = 0; // at most 256 * 255 * 255
      if (o.a == Type::B1)
        for (unsigned k = 0; k < s.k; ++k)
          sum += o.useAnd ? x[k] & y[k] : x[k] ^ y[k];
      else
        for (unsigned k = 0; k < s.k; ++k)
          sum += x[k] * y[k];
      int64_t exact = static_cast<int32_t>(o.codesC[m * s.n + n]);
      exact += sum;
      if (o.saturate)
        exact = exact > INT32_MAX   ? INT32_MAX
                : exact < INT32_MIN ? INT32_MIN
                                    : exact;
      o.codesD[m * s.n + n] = static_cast<uint32_t>(exact);
    }
}

static void multiplyFloats(MatrixOperands &o) {
  const MatrixShape s = o.shape;
  static thread_local double a[kMaxM * kMaxK], b[kMaxN * kMaxK];
  for (unsigned i = 0; i < s.m * s.k; ++i)
    a[i] = floatOf(o.codesA[i], o.a);
  for (unsigned i = 0; i < s.n * s.k; ++i)
    b[i] = floatOf(o.codesB[i], o.b);
  for (unsigned m = 0; m < s.m; ++m)
    for (unsigned n = 0; n < s.n; ++n) {
      double sum = floatOf(o.codesC[m * s.n + n], o.c);
      for (unsigned k = 0; k < s.k; ++k) {
        double x = a[m * s.k + k], y = b[n * s.k + k];
        // f64 fuses; the products of the others are exact.
        sum = o.a == Type::F64 ? std::fma(x, y, sum) : sum + x * y;
      }
      if (o.saturate && std::isfinite(sum)) { // .satfinite of f16
        double max = o.d == Type::F16 ? 65504 : 0x1.fffffep127;
        sum = std::fabs(sum) > max ? std::copysign(max, sum) : sum;
      }
      o.codesD[m * s.n + n] = floatCode(sum, o.d);
    }
}

void ptx::multiply(MatrixOperands &operands) {
  if (operands.d == Type::S32)
    multiplyIntegers(operands);
  else
    multiplyFloats(operands);
}

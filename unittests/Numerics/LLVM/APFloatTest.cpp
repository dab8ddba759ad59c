// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Formats against LLVM's APFloat: every code of every builtin float type up to
// 19 bits, and conversions of values, ties, their neighbours and random numbers
// in the four rounding modes both sides know, overflow included.
#include "QDialect/Numerics/Format.h"

#include "../Random.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <vector>

using namespace qdialect;
using llvm::APFloat;
using llvm::RoundingMode;
using qdialect::test::Random;

namespace {
struct Pair {
  const llvm::fltSemantics &semantics;
  Format format;
};
} // namespace

static std::vector<Pair> builtinTypes() {
  auto f = [](unsigned e, unsigned m, int bias, Specials specials) {
    return Format::minifloat(e, m, bias, specials);
  };
  return {{APFloat::Float8E4M3FN(), f(4, 3, 7, Specials::OCP)},
          {APFloat::Float8E5M2(), f(5, 2, 15, Specials::IEEE)},
          {APFloat::Float8E4M3(), f(4, 3, 7, Specials::IEEE)},
          {APFloat::Float8E3M4(), f(3, 4, 3, Specials::IEEE)},
          {APFloat::Float8E4M3FNUZ(), f(4, 3, 8, Specials::FNUZ)},
          {APFloat::Float8E5M2FNUZ(), f(5, 2, 16, Specials::FNUZ)},
          {APFloat::Float8E4M3B11FNUZ(), f(4, 3, 11, Specials::FNUZ)},
          {APFloat::Float6E2M3FN(), f(2, 3, 1, Specials::None)},
          {APFloat::Float6E3M2FN(), f(3, 2, 3, Specials::None)},
          {APFloat::Float4E2M1FN(), f(2, 1, 1, Specials::None)},
          {APFloat::IEEEhalf(), f(5, 10, 15, Specials::IEEE)},
          {APFloat::BFloat(), f(8, 7, 127, Specials::IEEE)},
          {APFloat::FloatTF32(), f(8, 10, 127, Specials::IEEE)},
          {APFloat::Float8E8M0FNU(), Format::e8m0()}};
}

static double decode(const Pair &pair, uint32_t code) {
  APFloat value(pair.semantics, llvm::APInt(pair.format.bits(), code));
  if (value.isNaN())
    return std::nan("");
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), RoundingMode::NearestTiesToEven,
                &losesInfo);
  return value.convertToDouble();
}

static uint32_t encode(const Pair &pair, double x, RoundingMode mode) {
  APFloat value(x);
  bool losesInfo;
  value.convert(pair.semantics, mode, &losesInfo);
  return static_cast<uint32_t>(value.bitcastToAPInt().getZExtValue());
}

TEST(APFloat, DecodesEveryCodeAlike) {
  for (const Pair &pair : builtinTypes())
    for (uint32_t code = 0; code < pair.format.numCodes(); ++code) {
      double want = decode(pair, code), got = pair.format.decode(code);
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got)) << pair.format.name() << " " << code;
        continue;
      }
      ASSERT_EQ(got, want) << pair.format.name() << " " << code;
      ASSERT_EQ(std::signbit(got), std::signbit(want)) << pair.format.name();
    }
}

static std::vector<double> arguments(const Format &format) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Random random;
  std::vector<double> xs;
  std::vector<double> table = format.decodeTable();
  for (size_t i = 0; i + 1 < table.size(); ++i) {
    double middle = (table[i] + table[i + 1]) / 2;
    if (!std::isfinite(middle))
      continue;
    xs.insert(xs.end(), {table[i], middle, std::nextafter(middle, -infinity),
                         std::nextafter(middle, infinity)});
  }
  for (int i = 0; i < 5000; ++i)
    xs.push_back(random.real(-1, 1) * std::exp2(random.real(-160, 160)));
  for (double factor : {1.0, 1.01, 1.03, 1.07, 1.2, 2.0, 1e10}) {
    xs.push_back(format.maxFinite() * factor);
    xs.push_back(-format.maxFinite() * factor);
  }
  return xs;
}

TEST(APFloatProperty, EncodesAlike) {
  SCOPED_TRACE(test::trace());
  struct Mode {
    Rounding ours;
    RoundingMode theirs;
  };
  for (const Pair &pair : builtinTypes())
    for (Mode mode : {Mode{Rounding::HalfEven, RoundingMode::NearestTiesToEven},
                      {Rounding::HalfAway, RoundingMode::NearestTiesToAway},
                      {Rounding::Floor, RoundingMode::TowardNegative},
                      {Rounding::Trunc, RoundingMode::TowardZero}})
      for (double x : arguments(pair.format)) {
        // e8m0 has no zero and no sign: what lies below is each one's own.
        if (pair.format.kind() == Format::Kind::E8M0 && x < 0x1.01p-127)
          continue;
        uint32_t want = encode(pair, x, mode.theirs);
        uint32_t got = pair.format.encode(x, mode.ours, Overflow::Wrap);
        if (std::isnan(decode(pair, want)))
          ASSERT_TRUE(std::isnan(pair.format.decode(got)))
              << pair.format.name() << " " << x;
        else
          ASSERT_EQ(got, want) << pair.format.name() << " " << x;
      }
}

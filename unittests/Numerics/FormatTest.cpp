// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Formats: every code of every format up to ten bits, each against a naive
// search over the decode table, and the literal values that papers and
// standards print.
#include "QDialect/Numerics/Format.h"

#include "QDialect/Numerics/Packing.h"
#include "Random.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace qdialect;
using qdialect::test::Random;

static constexpr double kInf = std::numeric_limits<double>::infinity();
static constexpr Specials kSpecials[] = {Specials::None, Specials::OCP,
                                         Specials::IEEE, Specials::FNUZ};
static constexpr Rounding kDeterministic[] = {
    Rounding::HalfEven, Rounding::HalfAway, Rounding::HalfUp, Rounding::Floor,
    Rounding::Trunc};

/// Every format whose codes have at most `bits` bits, codebooks aside.
static std::vector<Format> allFormats(unsigned bits) {
  std::vector<Format> result = {Format::ternary(), Format::binary(),
                                Format::e8m0()};
  for (unsigned n = 1; n <= std::min(bits, 16u); ++n) {
    result.push_back(Format::signedInt(n));
    result.push_back(Format::unsignedInt(n));
  }
  for (unsigned e = 1; e <= 8; ++e)
    for (unsigned m = 0; m <= 10 && 1 + e + m <= bits; ++m)
      for (Specials specials : kSpecials)
        for (int shift : {0, 3}) {
          int bias = Format::defaultBias(e, specials) + shift;
          if (Format::isValidMinifloat(e, m, bias, specials))
            result.push_back(Format::minifloat(e, m, bias, specials));
        }
  return result;
}

/// The finite values in ascending order, once each (+0 stands for -0).
static std::vector<double> finiteValues(const Format &format) {
  std::vector<double> values;
  for (double value : format.decodeTable())
    if (std::isfinite(value))
      values.push_back(value == 0 ? 0.0 : value);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// The definition, by search: the neighbours of x, then the mode.
static double naiveRound(const std::vector<double> &values, double x,
                         Rounding mode, bool isBinary) {
  if (x <= values.front())
    return values.front();
  if (x >= values.back())
    return values.back();
  auto above = std::lower_bound(values.begin(), values.end(), x);
  if (*above == x)
    return x;
  double lo = *(above - 1), hi = *above;
  if (mode == Rounding::Floor)
    return lo;
  if (mode == Rounding::Trunc && !isBinary)
    return x > 0 ? lo : hi;
  double middle = lo + (hi - lo) / 2; // exact for neighbours
  if (x != middle)
    return x < middle ? lo : hi;
  if (mode == Rounding::HalfUp || isBinary)
    return hi;
  if (mode == Rounding::HalfAway)
    return x > 0 ? hi : lo;
  return std::fmod(lo / (hi - lo), 2.0) == 0 ? lo : hi;
}

/// x at, between and beside the values of a format.
static std::vector<double> probes(const std::vector<double> &values) {
  std::vector<double> result;
  auto around = [&](double x) {
    result.push_back(x);
    result.push_back(std::nextafter(x, -kInf));
    result.push_back(std::nextafter(x, kInf));
  };
  for (size_t i = 0; i < values.size(); ++i) {
    around(values[i]);
    if (i + 1 < values.size()) {
      double gap = values[i + 1] - values[i];
      around(values[i] + gap / 2);
      result.push_back(values[i] + gap / 4);
    }
  }
  return result;
}

TEST(Format, EveryCodeDecodesAndEncodesBack) {
  for (const Format &format : allFormats(10))
    for (uint32_t code = 0; code < format.numCodes(); ++code) {
      double value = format.decode(code);
      if (!format.isValidCode(code)) {
        ASSERT_TRUE(std::isnan(value));
        continue;
      }
      for (Rounding mode : kDeterministic)
        for (Overflow overflow : {Overflow::Saturate, Overflow::Wrap}) {
          uint32_t back = format.encode(value, mode, overflow);
          if (std::isnan(value)) {
            ASSERT_TRUE(std::isnan(format.decode(back))) << format.name();
          } else if (std::isinf(value) && overflow == Overflow::Saturate) {
            ASSERT_EQ(format.decode(back),
                      value > 0 ? format.maxFinite() : format.minFinite());
          } else {
            ASSERT_EQ(back, code) << format.name() << " " << value;
          }
        }
    }
}

TEST(Format, EncodeIsTheNaiveSearch) {
  for (const Format &format : allFormats(10)) {
    std::vector<double> values = finiteValues(format);
    bool isBinary = format.kind() == Format::Kind::Binary;
    for (double x : probes(values))
      for (Rounding mode : kDeterministic) {
        double want = naiveRound(values, x, mode, isBinary);
        ASSERT_EQ(format.decode(format.encode(x, mode)), want)
            << format.name() << " x " << x << " mode " << int(mode);
      }
  }
}

TEST(Format, EncodeIsMonotone) {
  for (const Format &format : allFormats(8)) {
    std::vector<double> xs = probes(finiteValues(format));
    xs.push_back(-kInf);
    xs.push_back(kInf);
    std::sort(xs.begin(), xs.end());
    for (Rounding mode : kDeterministic) {
      double last = -kInf;
      for (double x : xs) {
        double value = format.decode(format.encode(x, mode));
        ASSERT_GE(value, last) << format.name() << " " << x;
        last = value;
      }
    }
  }
}

TEST(Format, StochasticTakesANeighbourInProportion) {
  Format format = Format::minifloat(2, 1);
  int ups = 0;
  for (uint64_t index = 0; index < 20000; ++index) {
    // 4 and 6 are neighbours; 4.5 goes up one time in four.
    double value = format.decode(format.encode(4.5, Rounding::Stochastic,
                                               Overflow::Saturate, {1, index}));
    ASSERT_TRUE(value == 4 || value == 6);
    ups += value == 6;
  }
  EXPECT_NEAR(ups, 5000, 5 * std::sqrt(20000 * 0.25 * 0.75));
  EXPECT_EQ(format.decode(format.encode(3, Rounding::Stochastic)), 3);
}

TEST(Format, SignedZeros) {
  for (const Format &format : allFormats(10)) {
    if (format.kind() == Format::Kind::E8M0 ||
        format.kind() == Format::Kind::Binary)
      continue;
    double value = format.decode(format.encode(-0.0));
    EXPECT_EQ(value, 0.0);
    EXPECT_EQ(std::signbit(value), format.hasNegativeZero()) << format.name();
  }
}

TEST(Format, MaximaOfThePapers) {
  struct Row {
    unsigned e, m;
    double max;
  };
  // "Shedding the Bits" and the FP8-versus-INT8 study: all codes numeric.
  for (Row row : {Row{1, 1, 3},
                  {2, 0, 4},
                  {1, 2, 3.5},
                  {2, 1, 6},
                  {3, 0, 16},
                  {2, 2, 7},
                  {3, 1, 24},
                  {2, 3, 7.5},
                  {3, 2, 28},
                  {4, 1, 384},
                  {2, 4, 7.75},
                  {3, 3, 30},
                  {4, 2, 448},
                  {2, 5, 7.875},
                  {3, 4, 31},
                  {4, 3, 480},
                  {5, 2, 114688}})
    EXPECT_EQ(Format::minifloat(row.e, row.m).maxFinite(), row.max)
        << "E" << row.e << "M" << row.m;
  EXPECT_EQ(Format::minifloat(4, 3, Specials::OCP).maxFinite(), 448);
  EXPECT_EQ(Format::minifloat(5, 2, Specials::IEEE).maxFinite(), 57344);
  EXPECT_EQ(Format::minifloat(4, 3, Specials::IEEE).maxFinite(), 240);
  EXPECT_EQ(Format::minifloat(4, 3, Specials::FNUZ).maxFinite(), 240);
  EXPECT_EQ(Format::minifloat(5, 2, Specials::FNUZ).maxFinite(), 57344);
  EXPECT_EQ(Format::minifloat(5, 10, Specials::IEEE).maxFinite(), 65504);
  EXPECT_EQ(Format::minifloat(8, 7, Specials::IEEE).maxFinite(), 0x1.FEp127);
}

TEST(Format, LiteralTables) {
  const std::vector<double> e2m1 = {0,   .5,  1,  1.5,  2,  3,  4,  6,
                                    -0., -.5, -1, -1.5, -2, -3, -4, -6};
  EXPECT_EQ(Format::minifloat(2, 1).decodeTable(), e2m1);
  const std::vector<double> e3m0 = {0,   .25,  .5,  1,  2,  4,  8,  16,
                                    -0., -.25, -.5, -1, -2, -4, -8, -16};
  EXPECT_EQ(Format::minifloat(3, 0).decodeTable(), e3m0);
  EXPECT_EQ(Format::minifloat(3, 0).decode(Format::minifloat(3, 0).encode(3)),
            4);
  Format fp8 = Format::minifloat(4, 3, Specials::OCP);
  EXPECT_EQ(fp8.decode(1), 0x1p-9); // smallest subnormal
  EXPECT_EQ(fp8.decode(8), 0x1p-6); // smallest normal
  EXPECT_EQ(fp8.encode(448), 0x7Eu);
  EXPECT_EQ(fp8.encode(464), 0x7Eu);   // tie with the NaN code goes to even
  EXPECT_EQ(fp8.encode(464.1), 0x7Eu); // saturates
  EXPECT_EQ(fp8.encode(464.1, Rounding::HalfEven, Overflow::Wrap), 0x7Fu);
  EXPECT_EQ(fp8.encodeNaN(), 0x7Fu);
  EXPECT_EQ(Format::minifloat(4, 3, Specials::FNUZ).encodeNaN(), 0x80u);
  EXPECT_EQ(Format::minifloat(5, 2, Specials::IEEE).encodeNaN(), 0x7Eu);
}

TEST(Format, OverflowOfHalfPrecision) {
  Format half = Format::minifloat(5, 10, Specials::IEEE);
  auto wrap = [&](double x, Rounding mode) {
    return half.decode(half.encode(x, mode, Overflow::Wrap));
  };
  EXPECT_EQ(wrap(65519.9, Rounding::HalfEven), 65504);
  EXPECT_EQ(wrap(65520, Rounding::HalfEven), kInf);
  EXPECT_EQ(wrap(-65520, Rounding::HalfEven), -kInf);
  EXPECT_EQ(wrap(1e9, Rounding::Trunc), 65504);
  EXPECT_EQ(wrap(1e9, Rounding::Floor), 65504);
  EXPECT_EQ(wrap(-1e9, Rounding::Floor), -kInf);
  EXPECT_EQ(wrap(kInf, Rounding::Trunc), kInf);
  EXPECT_EQ(half.decode(half.encode(kInf)), 65504);
  EXPECT_EQ(half.decode(half.encode(5e-324)), 0);
  EXPECT_EQ(half.decode(half.encode(-5e-324, Rounding::Floor)), -0x1p-24);
}

TEST(Format, IntegersWrap) {
  Format int8 = Format::signedInt(8), uint4 = Format::unsignedInt(4);
  auto wrap = [](const Format &format, double x) {
    return format.decode(format.encode(x, Rounding::HalfEven, Overflow::Wrap));
  };
  EXPECT_EQ(wrap(int8, 128), -128);
  EXPECT_EQ(wrap(int8, -129), 127);
  EXPECT_EQ(wrap(int8, 1e9), std::fmod(1e9, 256)); // 1e9 mod 256 = 0
  EXPECT_EQ(wrap(uint4, 17), 1);
  EXPECT_EQ(wrap(uint4, -1), 15);
  EXPECT_EQ(wrap(int8, kInf), 0);
  EXPECT_EQ(int8.encode(std::nan("")), 0u);
  EXPECT_EQ(int8.decode(int8.encode(kInf)), 127);
}

TEST(Format, ScalesOfE8M0) {
  Format scale = Format::e8m0();
  EXPECT_EQ(scale.decode(127), 1);
  EXPECT_EQ(scale.decode(scale.encode(1.49)), 1);
  EXPECT_EQ(scale.decode(scale.encode(1.5)), 2);
  EXPECT_EQ(scale.decode(scale.encode(1.99, Rounding::Trunc)), 1);
  EXPECT_EQ(scale.encode(0), 0u);
  EXPECT_EQ(scale.encode(-1), 0u);
  EXPECT_EQ(scale.encode(kInf), 254u);
  EXPECT_EQ(scale.encode(kInf, Rounding::HalfEven, Overflow::Wrap), 255u);
  EXPECT_EQ(scale.encode(0, Rounding::HalfEven, Overflow::Wrap), 255u);
  EXPECT_EQ(scale.encode(0x1.8p-128), 0u);
}

TEST(Format, CodebooksOfAnyOrder) {
  // Repeated and unordered values; NF4's neighbours around zero.
  Format book = Format::codebook({0.5, -1.0, 0.0, 2.0, 0.5});
  EXPECT_EQ(book.bits(), 3u);
  EXPECT_FALSE(book.isValidCode(5));
  EXPECT_TRUE(std::isnan(book.decode(6)));
  EXPECT_EQ(book.encode(0.5), 0u); // the first of the equal codes
  EXPECT_EQ(book.encode(-9), 1u);
  EXPECT_EQ(book.encode(9), 3u);
  EXPECT_EQ(book.encode(0.24), 2u);
  EXPECT_EQ(book.encode(0.26), 0u);
  // Ranks: -1 0, 0 1, 0.5 2, 2 3. Ties go to the even rank.
  EXPECT_EQ(book.encode(0.25), 0u);
  EXPECT_EQ(book.encode(-0.5), 1u);
  EXPECT_EQ(book.encode(-0.5, Rounding::HalfUp), 2u);
  EXPECT_EQ(book.encode(-0.1, Rounding::Floor), 1u);
  EXPECT_EQ(book.encode(-0.9, Rounding::Trunc), 2u);
  EXPECT_EQ(book.encode(1.9, Rounding::Trunc), 0u);
  EXPECT_EQ(book.encodeNaN(), 2u);
  EXPECT_EQ(book.integerShift(), 1);
  EXPECT_EQ(book.maxFinite(), 2);
  EXPECT_EQ(book.minFinite(), -1);
}

TEST(Format, NamesAndEquality) {
  EXPECT_EQ(Format::signedInt(4).name(), "int4");
  EXPECT_EQ(Format::minifloat(4, 3, Specials::OCP).name(), "e4m3_ocp_b7");
  EXPECT_EQ(Format::codebook({1, 2, 3}).name(), "codebook3");
  EXPECT_EQ(Format::codebook({1, 2}), Format::codebook({1, 2}));
  EXPECT_NE(Format::codebook({1, 2}), Format::codebook({2, 1}));
  // All different, so that a name or an equality never confuses two formats.
  std::vector<Format> all = allFormats(8);
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < all.size(); ++j) {
      EXPECT_EQ(all[i] == all[j], i == j);
      EXPECT_EQ(all[i].name() == all[j].name(), i == j);
    }
}

TEST(Format, WhatIsAllowed) {
  EXPECT_TRUE(Format::isValidMinifloat(1, 0, 0, Specials::None));
  EXPECT_FALSE(Format::isValidMinifloat(1, 0, 0, Specials::OCP));
  EXPECT_FALSE(Format::isValidMinifloat(1, 0, 0, Specials::IEEE));
  EXPECT_TRUE(Format::isValidMinifloat(8, 10, 127, Specials::IEEE));
  EXPECT_FALSE(Format::isValidMinifloat(0, 3, 0, Specials::None));
  EXPECT_FALSE(Format::isValidMinifloat(9, 3, 0, Specials::None));
  EXPECT_FALSE(Format::isValidMinifloat(4, 11, 0, Specials::None));
  EXPECT_FALSE(Format::isValidMinifloat(4, 3, 513, Specials::None));
}

TEST(Format, IntegerShifts) {
  EXPECT_EQ(Format::signedInt(8).integerShift(), 0);
  EXPECT_EQ(Format::minifloat(2, 1).integerShift(), 1);
  EXPECT_EQ(Format::minifloat(3, 0).integerShift(), 2);
  EXPECT_EQ(Format::minifloat(2, 3).integerShift(), 3);
  EXPECT_EQ(Format::minifloat(5, 2, Specials::IEEE).integerShift(), 16);
  EXPECT_EQ(Format::e8m0().integerShift(), std::nullopt);
  EXPECT_EQ(Format::minifloat(8, 7, Specials::IEEE).integerShift(),
            std::nullopt);
  // The definition on all codes, and no smaller shift does.
  for (const Format &format : allFormats(9)) {
    std::optional<int> shift = format.integerShift();
    if (!shift)
      continue;
    bool isNeeded = *shift == 0;
    for (double value : finiteValues(format)) {
      double scaled = std::ldexp(value, *shift);
      ASSERT_EQ(scaled, std::floor(scaled)) << format.name();
      double half = scaled / 2;
      isNeeded |= half != std::floor(half);
    }
    EXPECT_TRUE(isNeeded) << format.name();
  }
}

TEST(FormatProperty, WideMinifloatsAgreeWithFloat) {
  // IEEE f16, bf16 and tf32 by encoding any f32 and comparing with the
  // definition of rounding on the significand's integer.
  Random random;
  SCOPED_TRACE(test::trace());
  Format bf16 = Format::minifloat(8, 7, Specials::IEEE);
  Format tf32 = Format::minifloat(8, 10, Specials::IEEE);
  for (int i = 0; i < 200000; ++i) {
    float x = random.anyFloat();
    if (!std::isfinite(x))
      continue;
    for (const Format *format : {&bf16, &tf32}) {
      // Round to even on the bit pattern: the well-known truncation trick.
      uint32_t pattern;
      std::memcpy(&pattern, &x, sizeof x);
      unsigned drop = 23 - format->mantissaBits();
      uint32_t odd = (pattern >> drop) & 1;
      uint32_t want = (pattern + (uint32_t{1} << (drop - 1)) - 1 + odd) >> drop;
      ASSERT_EQ(format->encode(x, Rounding::HalfEven, Overflow::Wrap), want)
          << x;
    }
  }
}

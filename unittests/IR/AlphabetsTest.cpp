// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// AlphabetTypeInterface: builtin and qd types give the answers of Numerics, and
// builtin floats those of APFloat.

#include "QDialect/IR/QDDialect.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir;
using namespace qdialect;

namespace {

class AlphabetsTest : public ::testing::Test {
protected:
  AlphabetsTest() { context.loadDialect<qd::QDDialect>(); }

  qd::AlphabetTypeInterface alphabet(Type type) {
    return dyn_cast<qd::AlphabetTypeInterface>(type);
  }

  MLIRContext context;
  Builder builder{&context};
};

TEST_F(AlphabetsTest, SignlessIntegersAreSigned) {
  auto i4 = alphabet(builder.getIntegerType(4));
  ASSERT_TRUE(i4);
  EXPECT_EQ(i4.getCodeBits(), 4u);
  EXPECT_EQ(i4.decode(15), -1.0);
  EXPECT_EQ(i4.getMinFinite(), -8.0);
  EXPECT_EQ(i4.getMaxFinite(), 7.0);
  EXPECT_EQ(i4.getIntegerShift(), 0);
  EXPECT_EQ(i4.encode(-1.5, qd::Rounding::HalfEven, true), 14u);
  EXPECT_EQ(i4.encode(9.0, qd::Rounding::HalfEven, true), 7u);
  EXPECT_EQ(i4.encode(9.0, qd::Rounding::HalfEven, false), 9u);
}

TEST_F(AlphabetsTest, UnsignedIntegers) {
  for (Type type : {Type(qd::UIntType::get(&context, 8)),
                    Type(builder.getIntegerType(8, /*isSigned=*/false))}) {
    auto u8 = alphabet(type);
    EXPECT_EQ(u8.getCodeBits(), 8u);
    EXPECT_EQ(u8.decode(255), 255.0);
    EXPECT_EQ(u8.getMinFinite(), 0.0);
    EXPECT_EQ(u8.encode(-3.0, qd::Rounding::Floor, true), 0u);
    EXPECT_TRUE(qd::isIntegerAlphabet(type));
    EXPECT_EQ(qd::getStorageType(type), builder.getIntegerType(8));
  }
}

TEST_F(AlphabetsTest, WideIntegersHaveNoFormat) {
  Type type = builder.getI32Type();
  EXPECT_FALSE(qd::getFormat(type));
  auto i32 = alphabet(type);
  EXPECT_EQ(i32.getMinFinite(), -0x1p31);
  EXPECT_EQ(i32.getMaxFinite(), 0x1p31 - 1);
  EXPECT_EQ(i32.decode(0xffffffffu), -1.0);
  EXPECT_EQ(i32.encode(-1.0, qd::Rounding::HalfEven, true), 0xffffffffu);
  EXPECT_EQ(i32.encode(1e20, qd::Rounding::HalfEven, true), 0x7fffffffu);
  EXPECT_EQ(i32.encode(2.5, qd::Rounding::HalfUp, true), 3u);
}

TEST_F(AlphabetsTest, Float32RoundsInEveryMode) {
  auto f32 = alphabet(builder.getF32Type());
  double tie = 1.0 + 0x1p-24; // between 1 and 1 + 2^-23
  EXPECT_EQ(f32.encode(tie, qd::Rounding::HalfEven, true), 0x3f800000u);
  EXPECT_EQ(f32.encode(tie, qd::Rounding::HalfAway, true), 0x3f800001u);
  EXPECT_EQ(f32.encode(-tie, qd::Rounding::HalfUp, true), 0xbf800000u);
  EXPECT_EQ(f32.encode(-tie, qd::Rounding::Floor, true), 0xbf800001u);
  EXPECT_EQ(f32.encode(1e300, qd::Rounding::HalfEven, true), 0x7f7fffffu);
  EXPECT_EQ(f32.encode(1e300, qd::Rounding::HalfEven, false), 0x7f800000u);
  EXPECT_FALSE(f32.getIntegerShift());
}

/// Every code of every small builtin float, against LLVM.
TEST_F(AlphabetsTest, BuiltinFloatsAgreeWithAPFloat) {
  for (Type type : {Type(Float4E2M1FNType::get(&context)),
                    Type(Float6E2M3FNType::get(&context)),
                    Type(Float6E3M2FNType::get(&context)),
                    Type(Float8E3M4Type::get(&context)),
                    Type(Float8E4M3Type::get(&context)),
                    Type(Float8E5M2Type::get(&context)),
                    Type(Float8E4M3FNType::get(&context)),
                    Type(Float8E4M3FNUZType::get(&context)),
                    Type(Float8E5M2FNUZType::get(&context)),
                    Type(Float8E4M3B11FNUZType::get(&context)),
                    Type(Float8E8M0FNUType::get(&context)),
                    Type(builder.getF16Type()), Type(builder.getBF16Type())}) {
    const llvm::fltSemantics &semantics =
        cast<FloatType>(type).getFloatSemantics();
    auto codes = alphabet(type);
    std::optional<Format> format = qd::getFormat(type);
    ASSERT_TRUE(format);
    unsigned bits = cast<FloatType>(type).getWidth();
    ASSERT_EQ(codes.getCodeBits(), bits);
    for (uint32_t code = 0; code < (1u << bits); ++code) {
      llvm::APFloat expected(semantics, llvm::APInt(bits, code));
      double value = format->decode(code);
      if (expected.isNaN())
        ASSERT_TRUE(std::isnan(value)) << code;
      else
        ASSERT_EQ(value, expected.convertToDouble()) << code;
    }
    EXPECT_EQ(codes.getMaxFinite(),
              llvm::APFloat::getLargest(semantics).convertToDouble());
  }
}

TEST_F(AlphabetsTest, QdTypes) {
  auto e2m1 =
      alphabet(qd::MinifloatType::get(&context, 2, 1, 1, qd::Specials::None));
  EXPECT_EQ(e2m1.getCodeBits(), 4u);
  EXPECT_EQ(e2m1.decode(7), 6.0);
  EXPECT_EQ(e2m1.getIntegerShift(), 1);
  auto e4m3 =
      alphabet(qd::MinifloatType::get(&context, 4, 3, 7, qd::Specials::Ocp));
  EXPECT_EQ(e4m3.getMaxFinite(), 448.0);
  auto ternary = alphabet(qd::TernaryType::get(&context));
  EXPECT_EQ(ternary.decode(3), -1.0);
  EXPECT_TRUE(std::isnan(ternary.decode(2)));
  auto binary = alphabet(qd::BinaryType::get(&context));
  EXPECT_EQ(binary.decode(0), -1.0);
  EXPECT_EQ(binary.getCodeBits(), 1u);
}

TEST_F(AlphabetsTest, CodebooksHaveBitsButNoValues) {
  Type type = qd::CodebookType::get(&context, 17);
  auto codebook = alphabet(type);
  EXPECT_EQ(codebook.getCodeBits(), 5u);
  EXPECT_FALSE(qd::getFormat(type));
  EXPECT_TRUE(std::isnan(codebook.decode(0)));
  EXPECT_FALSE(codebook.getIntegerShift());
  EXPECT_EQ(qd::getStorageType(type), builder.getIntegerType(5));
}

TEST_F(AlphabetsTest, IndexIsNoAlphabet) {
  EXPECT_FALSE(alphabet(builder.getIndexType()));
  EXPECT_FALSE(qd::getStorageType(builder.getIndexType()));
}

} // namespace

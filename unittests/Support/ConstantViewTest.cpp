// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants of every form through one view, and back into attributes.

#include "QDialect/Support/ConstantView.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/AsmParser/AsmParser.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace qdialect;

namespace {
class ConstantViewTest : public ::testing::Test {
protected:
  ConstantViewTest() { context.loadDialect<qd::QDDialect>(); }

  std::optional<ConstantView> view(StringRef attribute) {
    return constantView(parseAttribute(attribute, &context));
  }
  RankedTensorType tensorType(ArrayRef<int64_t> shape, StringRef element) {
    return RankedTensorType::get(shape, parseType(element, &context));
  }

  MLIRContext context;
};
} // namespace

TEST_F(ConstantViewTest, ReadsDense) {
  auto floats = view("dense<[1.5, -2.0]> : tensor<2xf32>");
  ASSERT_TRUE(floats);
  EXPECT_EQ(floats->number(0), 1.5);
  EXPECT_EQ(floats->get<float>(1), -2.0f);
  auto splat = view("dense<-3> : tensor<1000xi8>");
  ASSERT_TRUE(splat && splat->splat);
  EXPECT_EQ(splat->integer(999), -3);
  HostTensor expanded = splat->toHostTensor();
  EXPECT_EQ(expanded.size(), 1000);
  EXPECT_EQ(expanded.asInteger(999), -3);
}

TEST_F(ConstantViewTest, ReadsOddWidths) {
  auto bits = view("dense<[true, false, true]> : tensor<3xi1>");
  ASSERT_TRUE(bits);
  EXPECT_EQ(bits->dtype, DType::I1);
  EXPECT_EQ(bits->integer(0) * 4 + bits->integer(1) * 2 + bits->integer(2), 5);
  auto nibbles = view("dense<[-8, 7, -1]> : tensor<3xi4>");
  ASSERT_TRUE(nibbles);
  EXPECT_EQ(nibbles->dtype, DType::I8);
  EXPECT_EQ(nibbles->integer(0), -8);
  EXPECT_EQ(nibbles->toHostTensor().asInteger(2), -1);
  auto three = view("dense<[-8388608, 5]> : tensor<2xi24>");
  ASSERT_TRUE(three);
  EXPECT_EQ(three->integer(0), -8388608);
  EXPECT_EQ(three->integer(1), 5);
}

TEST_F(ConstantViewTest, ReadsScalars) {
  EXPECT_EQ(view("-5 : i8")->integer(0), -5);
  EXPECT_EQ(view("true")->integer(0), 1);
  EXPECT_EQ(view("2.5 : f16")->number(0), 2.5);
  EXPECT_EQ(view("2.5 : f32")->type.getRank(), 0);
}

TEST_F(ConstantViewTest, RefusesWhatItCannotRead) {
  EXPECT_FALSE(view("dense<1> : tensor<2xi128>"));
  EXPECT_FALSE(view("dense<(1.0, 2.0)> : tensor<2xcomplex<f32>>"));
  EXPECT_FALSE(view("\"text\""));
  // A blob that was elided, and one of the wrong size.
  EXPECT_FALSE(view("dense_resource<missing> : tensor<2xf32>"));
  const char bytes[4] = {};
  EXPECT_FALSE(constantView(makeResource(tensorType({2}, "f32"), "x", bytes)));
}

TEST_F(ConstantViewTest, ResourcesShareTheTensor) {
  auto tensor = HostTensor::of<int8_t>(DType::I8, {3}, {1, -2, 3});
  const char *bytes = tensor.bytes();
  auto attribute = makeResource(tensorType({3}, "i8"), "w", std::move(tensor));
  auto back = constantView(attribute);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->raw.data(), bytes);
  EXPECT_EQ(back->integer(1), -2);
}

TEST_F(ConstantViewTest, AlphabetCodesAreBytes) {
  const char codes[4] = {3, 0, 1, 3};
  auto ternary =
      constantView(makeResource(tensorType({4}, "!qd.ternary"), "t", codes));
  ASSERT_TRUE(ternary);
  EXPECT_EQ(ternary->dtype, DType::U8);
  EXPECT_EQ(ternary->integer(0), 3);
  const char wide[4] = {1, 2, 3, 4};
  auto uint12 =
      constantView(makeResource(tensorType({2}, "!qd.uint<12>"), "u", wide));
  ASSERT_TRUE(uint12);
  EXPECT_EQ(uint12->integer(1), 0x0403);
}

// Small constants of builtin types are dense, all others resources.
TEST_F(ConstantViewTest, MakesTheFormOfTheContract) {
  auto small =
      makeElements(tensorType({64}, "f32"), "s", HostTensor(DType::F32, {64}));
  EXPECT_TRUE(isa<DenseElementsAttr>(small));
  auto large =
      makeElements(tensorType({65}, "f32"), "l", HostTensor(DType::F32, {65}));
  EXPECT_TRUE(isa<DenseResourceElementsAttr>(large));
  auto codes = makeElements(tensorType({2}, "!qd.uint<8>"), "c",
                            HostTensor(DType::U8, {2}));
  EXPECT_TRUE(isa<DenseResourceElementsAttr>(codes));
}

TEST_F(ConstantViewTest, RoundTripsEveryBuiltinType) {
  for (StringRef text : {"i1", "i4", "i8", "i16", "i24", "i32", "i64", "f16",
                         "bf16", "f32", "f64", "f8E4M3FN", "index"}) {
    RankedTensorType type = tensorType({3}, text);
    DType dtype = *hostType(type.getElementType());
    HostTensor tensor(dtype, {3});
    char *bytes = tensor.mutableBytes();
    for (size_t i = 0; i < 3; ++i)
      bytes[i * byteWidth(dtype)] = char(i % 2);
    auto back = constantView(Attribute(makeElements(type, "x", tensor)));
    ASSERT_TRUE(back) << text.str();
    EXPECT_TRUE(bitEqual(back->toHostTensor(), tensor)) << text.str();
  }
}

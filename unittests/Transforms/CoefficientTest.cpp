// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants that vary along some dimensions: reading them through maps, and
// their arithmetic.

#include "Island.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

namespace {

/// A coefficient of 2 x 3 numbers along dimensions 1 and 3.
Coefficient table() { return {{1, 3}, {2, 3}, {1, 2, 3, 4, 5, 6}}; }

class CoefficientTest : public ::testing::Test {
protected:
  CoefficientTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        tensor::TensorDialect, qd::QDDialect>();
  }

  /// What the value that `body` calls %r is, read through dimensions `dims`.
  std::optional<Coefficient> read(const std::string &body, StringRef type,
                                  ArrayRef<unsigned> dims) {
    std::string text = "func.func @f() -> " + type.str() + " {\n" + body +
                       "\nreturn %r : " + type.str() + "\n}";
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return std::nullopt;
    auto function = *module->getOps<func::FuncOp>().begin();
    Value value = function.getBody().front().getTerminator()->getOperand(0);
    SmallVector<AffineExpr> places;
    for (unsigned dim : dims)
      places.push_back(getAffineDimExpr(dim, &context));
    return Coefficient::read(value, AffineMap::get(4, 0, places, &context));
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(CoefficientTest, ReadsTransposedAndDropsUnitDimensions) {
  auto c = read("%r = arith.constant dense<[[[1.0, 2.0, 3.0]], [[4.0, 5.0, "
                "6.0]]]> : tensor<2x1x3xf32>",
                "tensor<2x1x3xf32>", {3, 0, 1});
  ASSERT_TRUE(c);
  EXPECT_THAT(c->dims, ElementsAre(1, 3));
  EXPECT_THAT(c->sizes, ElementsAre(3, 2));
  EXPECT_THAT(c->values, ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST_F(CoefficientTest, EqualNumbersAreOne) {
  auto c = read("%r = arith.constant dense<2.5> : tensor<4xf32>",
                "tensor<4xf32>", {2});
  ASSERT_TRUE(c);
  EXPECT_TRUE(c->isScalar());
  EXPECT_TRUE(c->isExactly(2.5));
}

TEST_F(CoefficientTest, DequantizesByChannelThroughReshapes) {
  auto c = read(R"(
    %q = arith.constant dense<[10, -20, 7]> : tensor<3xi8>
    %s = arith.constant dense<[0.5, 2.0, 1.0]> : tensor<3xf32>
    %z = arith.constant dense<[2, 0, 7]> : tensor<3xi32>
    %d = qd.dequantize %q scale %s zero_point %z block_sizes = [1]
        : tensor<3xi8>, tensor<3xf32>, tensor<3xi32> -> tensor<3xf32>
    %r = tensor.expand_shape %d [[0, 1]] output_shape [1, 3]
        : tensor<3xf32> into tensor<1x3xf32>)",
                "tensor<1x3xf32>", {0, 3});
  ASSERT_TRUE(c);
  EXPECT_THAT(c->dims, ElementsAre(3));
  EXPECT_THAT(c->values, ElementsAre(4, -40, 0));
}

TEST_F(CoefficientTest, ReadsIntegers) {
  auto c = read("%r = arith.constant dense<[1, -2]> : tensor<2xi32>",
                "tensor<2xi32>", {1});
  ASSERT_TRUE(c);
  EXPECT_THAT(c->dims, ElementsAre(1));
  EXPECT_THAT(c->values, ElementsAre(1, -2));
  EXPECT_EQ(c->magnitude(), 2);
}

TEST_F(CoefficientTest, RefusesWhatIsNoConstant) {
  EXPECT_FALSE(
      read("%r = tensor.empty() : tensor<2xf32>", "tensor<2xf32>", {0}));
}

TEST_F(CoefficientTest, SpreadRepeats) {
  Coefficient c = table().spread({0, 1, 3}, {2, 2, 3});
  EXPECT_THAT(c.values, ElementsAre(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6));
  Coefficient inner = table().spread({1, 2, 3}, {2, 2, 3});
  EXPECT_THAT(inner.values, ElementsAre(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
}

TEST_F(CoefficientTest, RenumberedTransposesWhereTheOrderChanges) {
  Coefficient same = table().renumbered({9, 2, 9, 5});
  EXPECT_THAT(same.dims, ElementsAre(2, 5));
  EXPECT_THAT(same.values, ElementsAreArray(table().values));
  Coefficient swapped = table().renumbered({9, 3, 9, 0});
  EXPECT_THAT(swapped.dims, ElementsAre(0, 3));
  EXPECT_THAT(swapped.sizes, ElementsAre(3, 2));
  EXPECT_THAT(swapped.values, ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST_F(CoefficientTest, CombinesOverTheUnionOfDimensions) {
  Coefficient rows{{1}, {2}, {10, 20}}, columns{{3}, {3}, {1, 2, 3}};
  Coefficient sum =
      combine(rows, columns, [](double a, double b) { return a + b; });
  EXPECT_THAT(sum.dims, ElementsAre(1, 3));
  EXPECT_THAT(sum.values, ElementsAre(11, 12, 13, 21, 22, 23));
  Coefficient scaled = combine(Coefficient::scalar(2), rows,
                               [](double a, double b) { return a * b; });
  EXPECT_THAT(scaled.values, ElementsAre(20, 40));
}

TEST_F(CoefficientTest, IndexingMapReadsTheValues) {
  AffineMap map = table().indexingMap(4, &context);
  EXPECT_EQ(map.getNumDims(), 4u);
  ASSERT_EQ(map.getNumResults(), 2u);
  EXPECT_EQ(map.getDimPosition(0), 1u);
  EXPECT_EQ(map.getDimPosition(1), 3u);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of accumulators: the worked example, that both ends are reached, that
// no partial sum leaves its bound, and how channels are numbered.

#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/Analysis/WeightChannels.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace qdialect;

namespace {

WeightSums sumsOf(ArrayRef<int> weights) {
  WeightSums sums;
  for (int w : weights) {
    sums.sum += w;
    (w > 0 ? sums.positive : sums.negative) += w;
  }
  return sums;
}

TEST(AccumulatorBounds, WorkedExample) {
  AccumulatorBound bound = boundAccumulator(sumsOf({3, -2}), {-128, 127}, 10);
  EXPECT_EQ(bound.high, 647);
  EXPECT_EQ(bound.low, -628);
  EXPECT_EQ(bound.partialHigh, 647);
  EXPECT_EQ(bound.partialLow, -638);
  EXPECT_EQ(bound.maxAbs(), 647);
  EXPECT_EQ(bound.width(), 11u);
}

TEST(AccumulatorBounds, WidthAtTheEdgeOfInt32) {
  AccumulatorBound bound;
  bound.high = bound.partialHigh = 2147483647;
  EXPECT_TRUE(bound.fitsInt32());
  bound.partialHigh = 2147483648;
  EXPECT_FALSE(bound.fitsInt32());
  EXPECT_EQ(bound.width(), 33u);
  bound.partialHigh = 0;
  bound.low = bound.partialLow = -2147483648;
  EXPECT_TRUE(bound.fitsInt32());
  bound.low = -2147483649;
  EXPECT_FALSE(bound.fitsInt32());
}

TEST(AccumulatorBoundsProperty, EndsAreReachedAndNoPartialSumIsBeyond) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> weight(-128, 127), code(-128, 127);
    std::vector<int> weights(1 + seed % 17);
    for (int &w : weights)
      w = weight(random);
    int64_t init = weight(random) * 100;
    AccumulatorBound bound =
        boundAccumulator(sumsOf(weights), {-128, 127}, init);
    int64_t high = init, low = init;
    for (int w : weights) {
      high += w * (w > 0 ? 127 : -128);
      low += w * (w > 0 ? -128 : 127);
    }
    EXPECT_EQ(bound.high, high);
    EXPECT_EQ(bound.low, low);
    for (int trial = 0; trial < 20; ++trial) {
      int64_t sum = trial % 2 ? init : 0;
      std::shuffle(weights.begin(), weights.end(), random);
      for (int w : weights) {
        sum += w * (trial < 4 ? (w > 0 ? 127 : -128) : code(random));
        EXPECT_LE(sum, bound.partialHigh);
        EXPECT_GE(sum, bound.partialLow);
      }
    }
  }
}

class BoundOfOp : public ::testing::Test {
protected:
  BoundOfOp() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        qd::QDDialect>();
  }
  linalg::LinalgOp parse(const std::string &text) {
    module = parseSourceString<ModuleOp>(text, &context);
    linalg::LinalgOp found;
    module->walk([&](linalg::LinalgOp op) {
      if (getContractionStructure(op))
        found = op;
    });
    return found;
  }
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(BoundOfOp, MatmulWithBias) {
  auto op = parse(R"(
    func.func @f(%x: tensor<1x2xi8>) -> tensor<1x2xi32> {
      %w = arith.constant dense<[[3, 1], [-2, 1]]> : tensor<2x2xi8>
      %b = arith.constant dense<[10, -20]> : tensor<2xi32>
      %e = tensor.empty() : tensor<1x2xi32>
      %i = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n)>,
          affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
          ins(%b : tensor<2xi32>) outs(%e : tensor<1x2xi32>) {
      ^bb0(%a: i32, %o: i32):
        linalg.yield %a : i32
      } -> tensor<1x2xi32>
      %0 = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x2xi8>)
          outs(%i : tensor<1x2xi32>) -> tensor<1x2xi32>
      return %0 : tensor<1x2xi32>
    })");
  auto bound = computeAccumulatorBound(op);
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->high, 647); // channel 0
  EXPECT_EQ(bound->low, -628); // channel 0; channel 1: -276
}

TEST_F(BoundOfOp, ActivationWeightHasNone) {
  auto op = parse(R"(
    func.func @f(%x: tensor<1x2xi8>, %w: tensor<2x2xi8>,
                 %i: tensor<1x2xi32>) -> tensor<1x2xi32> {
      %0 = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x2xi8>)
          outs(%i : tensor<1x2xi32>) -> tensor<1x2xi32>
      return %0 : tensor<1x2xi32>
    })");
  EXPECT_FALSE(computeAccumulatorBound(op));
}

/// A product of `codes`, which `producer` makes of %x, with weights 3 and -2
/// from 10 on.
std::string productOf(const std::string &type, const std::string &producer) {
  return R"(
    func.func @f(%x: tensor<1x2x)" +
         type + R"(>) -> tensor<1x1xi32> {
      %w = arith.constant dense<[[3], [-2]]> : tensor<2x1xi8>
      %ten = arith.constant 10 : i32
      %e = tensor.empty() : tensor<1x1xi32>
      %i = linalg.fill ins(%ten : i32) outs(%e : tensor<1x1xi32>) -> tensor<1x1xi32>
      %bytes = tensor.empty() : tensor<1x2xi8>
      )" +
         producer +
         R"(
      %0 = linalg.matmul ins(%codes, %w : tensor<1x2xi8>, tensor<2x1xi8>)
          outs(%i : tensor<1x1xi32>) -> tensor<1x1xi32>
      return %0 : tensor<1x1xi32>
    })";
}

/// An element-wise op with this payload.
std::string elementwise(const std::string &type, const std::string &payload) {
  return R"(%codes = linalg.generic {
          indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
          iterator_types = ["parallel", "parallel"]}
          ins(%x : tensor<1x2x)" +
         type + R"(>) outs(%bytes : tensor<1x2xi8>) {
      ^bb0(%a: )" +
         type + R"(, %o: i8):
        )" +
         payload +
         R"(
        linalg.yield %code : i8
      } -> tensor<1x2xi8>)";
}

TEST_F(BoundOfOp, NarrowCodesAreExtended) {
  auto op = parse(
      productOf("i4", elementwise("i4", "%code = arith.extsi %a : i4 to i8")));
  auto bound = computeAccumulatorBound(op);
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->high, 10 + 3 * 7 + -2 * -8);
  EXPECT_EQ(bound->low, 10 + 3 * -8 + -2 * 7);
}

TEST_F(BoundOfOp, HighAndLowBytesOfWideCodes) {
  auto high = computeAccumulatorBound(parse(
      productOf("i12", elementwise("i12", R"(%s = arith.extsi %a : i12 to i16
        %eight = arith.constant 8 : i16
        %h = arith.shrsi %s, %eight : i16
        %code = arith.trunci %h : i16 to i8)"))));
  ASSERT_TRUE(high);
  EXPECT_EQ(high->high, 10 + 3 * 7 + -2 * -8);
  auto low = computeAccumulatorBound(parse(
      productOf("i12", elementwise("i12", R"(%sign = arith.constant -128 : i8
        %t = arith.trunci %a : i12 to i8
        %code = arith.xori %t, %sign : i8)"))));
  ASSERT_TRUE(low);
  EXPECT_EQ(low->high, 10 + 3 * 127 + -2 * -128);
}

TEST_F(BoundOfOp, PadsJoinTheirCodes) {
  auto bound = computeAccumulatorBound(parse(productOf(
      "i4",
      R"(%narrow = tensor.extract_slice %x[0, 0] [1, 1] [1, 1] : tensor<1x2xi4> to tensor<1x1xi4>
      %byte = tensor.empty() : tensor<1x1xi8>
      %wide = linalg.generic {
          indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
          iterator_types = ["parallel", "parallel"]}
          ins(%narrow : tensor<1x1xi4>) outs(%byte : tensor<1x1xi8>) {
      ^bb0(%a: i4, %o: i8):
        %code = arith.extsi %a : i4 to i8
        linalg.yield %code : i8
      } -> tensor<1x1xi8>
      %pad = arith.constant 20 : i8
      %codes = tensor.pad %wide low[0, 0] high[0, 1] {
      ^bb0(%r: index, %c: index):
        tensor.yield %pad : i8
      } : tensor<1x1xi8> to tensor<1x2xi8>)")));
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->high, 10 + 3 * 20 + -2 * -8);
  EXPECT_EQ(bound->low, 10 + 3 * -8 + -2 * 20);
}

TEST_F(BoundOfOp, WhatIsNotKnownHasNone) {
  EXPECT_FALSE(computeAccumulatorBound(
      parse(productOf("i8", R"(%at = arith.constant dense<0> : tensor<1x1xindex>
      %codes = tensor.gather %x[%at] gather_dims([0]) :
          (tensor<1x2xi8>, tensor<1x1xindex>) -> tensor<1x2xi8>)"))));
}

TEST_F(BoundOfOp, ProductOfActivations) {
  auto bound = computeAccumulatorBound(parse(R"(
    func.func @f(%x: tensor<1x3xi8>, %w: tensor<3x2xi8>) -> tensor<1x2xi32> {
      %five = arith.constant 5 : i32
      %e = tensor.empty() : tensor<1x2xi32>
      %i = linalg.fill ins(%five : i32) outs(%e : tensor<1x2xi32>) -> tensor<1x2xi32>
      %0 = linalg.matmul ins(%x, %w : tensor<1x3xi8>, tensor<3x2xi8>)
          outs(%i : tensor<1x2xi32>) -> tensor<1x2xi32>
      return %0 : tensor<1x2xi32>
    })"));
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->high, 5 + 3 * 128 * 128);
  EXPECT_EQ(bound->low, 5 - 3 * 128 * 127);
}

TEST_F(BoundOfOp, SumOfCodes) {
  const std::string text = R"(
    func.func @f(%x: tensor<SIZESxi8>) -> tensor<2xi32> {
      %three = arith.constant -3 : i32
      %e = tensor.empty() : tensor<2xi32>
      %i = linalg.fill ins(%three : i32) outs(%e : tensor<2xi32>) -> tensor<2xi32>
      %0 = linalg.generic {
          indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>],
          iterator_types = ["parallel", "reduction"]}
          ins(%x : tensor<SIZESxi8>) outs(%i : tensor<2xi32>) {
      ^bb0(%a: i8, %o: i32):
        %wide = arith.extsi %a : i8 to i32
        %sum = arith.addi %o, %wide : i32
        linalg.yield %sum : i32
      } -> tensor<2xi32>
      return %0 : tensor<2xi32>
    })";
  auto boundOf = [&](const std::string &sizes) {
    std::string filled = text;
    for (size_t at; (at = filled.find("SIZES")) != std::string::npos;)
      filled.replace(at, 5, sizes);
    module = parseSourceString<ModuleOp>(filled, &context);
    std::optional<AccumulatorBound> bound;
    module->walk([&](linalg::GenericOp op) {
      bound = computeAccumulatorBound(cast<linalg::LinalgOp>(*op));
    });
    return bound;
  };
  auto bound = boundOf("2x4");
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->high, -3 + 4 * 127);
  EXPECT_EQ(bound->low, -3 - 4 * 128);
  EXPECT_FALSE(boundOf("2x?")); // of any length
}

TEST_F(BoundOfOp, ChannelsOfAGroupedWeight) {
  // Loops (y, g, f, k, c): channel = g * 3 + f, the weight is (k, g, c, f).
  auto op = parse(R"(
    func.func @f(%x: tensor<5x2x4xi8>, %w: tensor<2x2x4x3xi8>,
                 %i: tensor<4x2x3xi32>) -> tensor<4x2x3xi32> {
      %0 = linalg.generic {indexing_maps = [
          affine_map<(y, g, f, k, c) -> (y + k, g, c)>,
          affine_map<(y, g, f, k, c) -> (k, g, c, f)>,
          affine_map<(y, g, f, k, c) -> (y, g, f)>],
          iterator_types = ["parallel", "parallel", "parallel", "reduction",
                            "reduction"]}
          ins(%x, %w : tensor<5x2x4xi8>, tensor<2x2x4x3xi8>)
          outs(%i : tensor<4x2x3xi32>) {
      ^bb0(%a: i8, %b: i8, %o: i32):
        %1 = arith.extsi %a : i8 to i32
        %2 = arith.extsi %b : i8 to i32
        %3 = arith.muli %1, %2 : i32
        %4 = arith.addi %o, %3 : i32
        linalg.yield %4 : i32
      } -> tensor<4x2x3xi32>
      return %0 : tensor<4x2x3xi32>
    })");
  auto s = getContractionStructure(op);
  ASSERT_TRUE(s);
  ASSERT_EQ(s->numOutputChannels(), 6);
  std::vector<int64_t> channels(48, -1);
  forEachWeight(
      {2, 2, 4, 3}, weightChannelStrides(*s),
      [&](int64_t element, int64_t channel) { channels[element] = channel; });
  for (int64_t k = 0; k < 2; ++k)
    for (int64_t g = 0; g < 2; ++g)
      for (int64_t c = 0; c < 4; ++c)
        for (int64_t f = 0; f < 3; ++f)
          EXPECT_EQ(channels[((k * 2 + g) * 4 + c) * 3 + f], g * 3 + f);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The roles of the loops of every form of contraction that the importers and
// passes make, and the forms that must not be taken for one.

#include "QDialect/Analysis/ContractionStructure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = ContractionStructure::Kind;

namespace {

class ContractionStructureTest : public ::testing::Test {
protected:
  ContractionStructureTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect>();
  }

  /// The structure of the only linalg op with a payload of a function with
  /// this signature and body.
  std::optional<ContractionStructure> analyze(const std::string &arguments,
                                              const std::string &body) {
    module = parseSourceString<ModuleOp>(
        "func.func @f(" + arguments + ") {\n" + body + "\nreturn\n}", &context);
    EXPECT_TRUE(module);
    linalg::LinalgOp found;
    module->walk([&](linalg::LinalgOp op) { found = op; });
    return getContractionStructure(found);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(ContractionStructureTest, Matmul) {
  auto s =
      analyze("%a: tensor<3x5xi8>, %b: tensor<5x7xi8>, %c: tensor<3x7xi32>",
              "%0 = linalg.matmul ins(%a, %b : tensor<3x5xi8>, tensor<5x7xi8>)"
              " outs(%c : tensor<3x7xi32>) -> tensor<3x7xi32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Matmul);
  EXPECT_THAT(s->batch, ElementsAre(0));
  EXPECT_THAT(s->outputChannel, ElementsAre(1));
  EXPECT_THAT(s->inputChannel, ElementsAre(2));
  EXPECT_THAT(s->depth, IsEmpty());
  EXPECT_EQ(s->activationOperand, 0u);
  EXPECT_FALSE(s->weightIsConstant);
  EXPECT_EQ(s->weightDim(1), 1u);
  EXPECT_EQ(s->weightDim(2), 0u);
  EXPECT_EQ(s->weightDim(0), std::nullopt);
  EXPECT_EQ(s->macs(), 3 * 5 * 7);
  EXPECT_EQ(s->numOutputChannels(), 7);
  EXPECT_EQ(s->reductionSize(), 5);
}

TEST_F(ContractionStructureTest, MatmulWithConstantLeftOperand) {
  auto s = analyze(
      "%b: tensor<5x7xf32>, %c: tensor<3x7xf32>",
      "%w = arith.constant dense<1.0> : tensor<3x5xf32>\n"
      "%0 = linalg.matmul ins(%w, %b : tensor<3x5xf32>, tensor<5x7xf32>)"
      " outs(%c : tensor<3x7xf32>) -> tensor<3x7xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->weightOperand, 0u);
  EXPECT_EQ(s->activationOperand, 1u);
  EXPECT_TRUE(s->weightIsConstant);
  EXPECT_THAT(s->outputChannel, ElementsAre(0));
  EXPECT_THAT(s->batch, ElementsAre(1));
}

TEST_F(ContractionStructureTest, TransposedWeightBehindATranspose) {
  auto s = analyze(
      "%a: tensor<3x5xf32>, %c: tensor<3x7xf32>",
      "%w = arith.constant dense<1.0> : tensor<7x5xf32>\n"
      "%e = tensor.empty() : tensor<5x7xf32>\n"
      "%t = linalg.transpose ins(%w : tensor<7x5xf32>)"
      " outs(%e : tensor<5x7xf32>) permutation = [1, 0]\n"
      "%0 = linalg.matmul ins(%a, %t : tensor<3x5xf32>, tensor<5x7xf32>)"
      " outs(%c : tensor<3x7xf32>) -> tensor<3x7xf32>");
  ASSERT_TRUE(s);
  EXPECT_TRUE(s->weightIsConstant);
  EXPECT_EQ(s->weightOperand, 1u);
}

TEST_F(ContractionStructureTest, MatmulTransposedMaps) {
  auto s = analyze(
      "%a: tensor<3x5xf32>, %b: tensor<7x5xf32>, %c: tensor<3x7xf32>",
      "%0 = linalg.matmul indexing_maps = ["
      "affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,"
      "affine_map<(m, n, k) -> (m, n)>]"
      " ins(%a, %b : tensor<3x5xf32>, tensor<7x5xf32>)"
      " outs(%c : tensor<3x7xf32>) -> tensor<3x7xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Matmul);
  EXPECT_EQ(s->weightDim(1), 0u);
  EXPECT_EQ(s->weightDim(2), 1u);
}

TEST_F(ContractionStructureTest, BatchMatmul) {
  auto s = analyze(
      "%a: tensor<2x3x5xf32>, %b: tensor<2x5x7xf32>, %c: tensor<2x3x7xf32>",
      "%0 = linalg.batch_matmul"
      " ins(%a, %b : tensor<2x3x5xf32>, tensor<2x5x7xf32>)"
      " outs(%c : tensor<2x3x7xf32>) -> tensor<2x3x7xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Matmul);
  EXPECT_THAT(s->depth, ElementsAre(0));
  EXPECT_THAT(s->batch, ElementsAre(1));
  EXPECT_THAT(s->outputChannel, ElementsAre(2));
  EXPECT_THAT(s->inputChannel, ElementsAre(3));
  EXPECT_EQ(s->macs(), 2 * 3 * 5 * 7);
}

TEST_F(ContractionStructureTest, Conv2DNhwcHwcf) {
  auto s = analyze(
      "%a: tensor<1x9x9x4xi8>, %b: tensor<3x3x4x6xi8>,"
      "%c: tensor<1x3x3x6xi32>",
      "%0 = linalg.conv_2d_nhwc_hwcf"
      " {strides = dense<2> : tensor<2xi64>, dilations = dense<2> :"
      " tensor<2xi64>} ins(%a, %b : tensor<1x9x9x4xi8>, tensor<3x3x4x6xi8>)"
      " outs(%c : tensor<1x3x3x6xi32>) -> tensor<1x3x3x6xi32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Conv);
  EXPECT_THAT(s->batch, ElementsAre(0));
  EXPECT_THAT(s->outputImage, ElementsAre(1, 2));
  EXPECT_THAT(s->outputChannel, ElementsAre(3));
  EXPECT_THAT(s->filterLoop, ElementsAre(4, 5));
  EXPECT_THAT(s->inputChannel, ElementsAre(6));
  EXPECT_THAT(s->strides, ElementsAre(2, 2));
  EXPECT_THAT(s->dilations, ElementsAre(2, 2));
  EXPECT_EQ(s->weightDim(3), 3u);
  EXPECT_EQ(s->weightDim(4), 0u);
  EXPECT_EQ(s->activationDim(1), 1u);
  EXPECT_EQ(s->activationDim(4), 1u);
  EXPECT_EQ(s->activationDim(6), 3u);
  EXPECT_EQ(s->macs(), 3 * 3 * 6 * 3 * 3 * 4);
  EXPECT_EQ(s->reductionSize(), 36);
}

TEST_F(ContractionStructureTest, Conv2DNchwFchw) {
  auto s = analyze("%a: tensor<1x4x9x9xf32>, %b: tensor<6x4x3x3xf32>,"
                   "%c: tensor<1x6x7x7xf32>",
                   "%0 = linalg.conv_2d_nchw_fchw"
                   " ins(%a, %b : tensor<1x4x9x9xf32>, tensor<6x4x3x3xf32>)"
                   " outs(%c : tensor<1x6x7x7xf32>) -> tensor<1x6x7x7xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Conv);
  EXPECT_THAT(s->outputChannel, ElementsAre(1));
  EXPECT_EQ(s->weightDim(1), 0u);
  EXPECT_EQ(s->outputDim(1), 1u);
  EXPECT_EQ(s->numOutputChannels(), 6);
}

TEST_F(ContractionStructureTest, Conv1D) {
  auto s = analyze(
      "%a: tensor<2x9x4xf32>, %b: tensor<3x4x6xf32>, %c: tensor<2x4x6xf32>",
      "%0 = linalg.conv_1d_nwc_wcf {strides = dense<2> : tensor<1xi64>,"
      " dilations = dense<1> : tensor<1xi64>}"
      " ins(%a, %b : tensor<2x9x4xf32>, tensor<3x4x6xf32>)"
      " outs(%c : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Conv);
  EXPECT_THAT(s->strides, ElementsAre(2));
  EXPECT_EQ(s->outputImage.size(), 1u);
}

TEST_F(ContractionStructureTest, Depthwise) {
  auto s = analyze(
      "%a: tensor<1x9x9x4xi8>, %b: tensor<3x3x4xi8>, %c: tensor<1x7x7x4xi32>",
      "%0 = linalg.depthwise_conv_2d_nhwc_hwc"
      " ins(%a, %b : tensor<1x9x9x4xi8>, tensor<3x3x4xi8>)"
      " outs(%c : tensor<1x7x7x4xi32>) -> tensor<1x7x7x4xi32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Depthwise);
  EXPECT_EQ(s->depth.size(), 1u);
  EXPECT_THAT(s->inputChannel, IsEmpty());
  EXPECT_EQ(s->weightDim(s->depth[0]), 2u);
  EXPECT_EQ(s->numOutputChannels(), 4);
  EXPECT_EQ(s->reductionSize(), 9);
}

TEST_F(ContractionStructureTest, GroupedGenericNhwc) {
  auto s = analyze(
      "%a: tensor<1x8x8x2x4xi8>, %b: tensor<3x3x2x4x6xi8>,"
      "%c: tensor<1x6x6x2x6xi32>",
      "%0 = linalg.generic {indexing_maps = ["
      "affine_map<(n, y, x, g, f, kh, kw, c) -> (n, y + kh, x + kw, g, c)>,"
      "affine_map<(n, y, x, g, f, kh, kw, c) -> (kh, kw, g, c, f)>,"
      "affine_map<(n, y, x, g, f, kh, kw, c) -> (n, y, x, g, f)>],"
      "iterator_types = [\"parallel\", \"parallel\", \"parallel\","
      " \"parallel\", \"parallel\", \"reduction\", \"reduction\","
      " \"reduction\"]}"
      " ins(%a, %b : tensor<1x8x8x2x4xi8>, tensor<3x3x2x4x6xi8>)"
      " outs(%c : tensor<1x6x6x2x6xi32>) {\n"
      "^bb0(%x: i8, %w: i8, %o: i32):\n"
      "%1 = arith.extsi %x : i8 to i32\n%2 = arith.extsi %w : i8 to i32\n"
      "%3 = arith.muli %1, %2 : i32\n%4 = arith.addi %o, %3 : i32\n"
      "linalg.yield %4 : i32\n} -> tensor<1x6x6x2x6xi32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Grouped);
  EXPECT_THAT(s->depth, ElementsAre(3));
  EXPECT_THAT(s->outputChannel, ElementsAre(4));
  EXPECT_THAT(s->inputChannel, ElementsAre(7));
  EXPECT_EQ(s->numOutputChannels(), 12);
  EXPECT_EQ(s->reductionSize(), 36);
}

TEST_F(ContractionStructureTest, ImageAsSecondOperand) {
  auto s = analyze(
      "%a: tensor<3xf32>, %b: tensor<9xf32>, %c: tensor<7xf32>",
      "%0 = linalg.generic {indexing_maps = [affine_map<(o, k) -> (k)>,"
      "affine_map<(o, k) -> (o + k)>, affine_map<(o, k) -> (o)>],"
      "iterator_types = [\"parallel\", \"reduction\"]}"
      " ins(%a, %b : tensor<3xf32>, tensor<9xf32>) outs(%c : tensor<7xf32>) {\n"
      "^bb0(%x: f32, %y: f32, %o: f32):\n%1 = arith.mulf %x, %y : f32\n"
      "%2 = arith.addf %1, %o : f32\nlinalg.yield %2 : f32\n}"
      " -> tensor<7xf32>");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, Kind::Conv);
  EXPECT_EQ(s->activationOperand, 1u);
  EXPECT_EQ(s->weightOperand, 0u);
}

TEST_F(ContractionStructureTest, ElementwiseProductIsNoContraction) {
  EXPECT_FALSE(analyze(
      "%a: tensor<3xf32>, %b: tensor<3xf32>, %c: tensor<3xf32>",
      "%0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>,"
      "affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],"
      "iterator_types = [\"parallel\"]}"
      " ins(%a, %b : tensor<3xf32>, tensor<3xf32>) outs(%c : tensor<3xf32>) {\n"
      "^bb0(%x: f32, %y: f32, %o: f32):\n%1 = arith.mulf %x, %y : f32\n"
      "%2 = arith.addf %1, %o : f32\nlinalg.yield %2 : f32\n}"
      " -> tensor<3xf32>"));
}

TEST_F(ContractionStructureTest, PoolIsNoContraction) {
  EXPECT_FALSE(analyze(
      "%a: tensor<1x4x4x2xf32>, %b: tensor<2x2xf32>, %c: tensor<1x3x3x2xf32>",
      "%0 = linalg.pooling_nhwc_sum"
      " ins(%a, %b : tensor<1x4x4x2xf32>, tensor<2x2xf32>)"
      " outs(%c : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>"));
}

TEST_F(ContractionStructureTest, OtherPayloadIsNoContraction) {
  EXPECT_FALSE(analyze(
      "%a: tensor<3x4xf32>, %b: tensor<4xf32>, %c: tensor<3xf32>",
      "%0 = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>,"
      "affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>],"
      "iterator_types = [\"parallel\", \"reduction\"]}"
      " ins(%a, %b : tensor<3x4xf32>, tensor<4xf32>)"
      " outs(%c : tensor<3xf32>) {\n"
      "^bb0(%x: f32, %y: f32, %o: f32):\n%1 = arith.mulf %x, %x : f32\n"
      "%2 = arith.addf %1, %o : f32\nlinalg.yield %2 : f32\n}"
      " -> tensor<3xf32>"));
}

} // namespace

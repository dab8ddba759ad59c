// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divisions of observed values: that what was put in front of an observer is
// taken again, and what else is no such division.

#include "ChannelDivision.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using ::testing::ElementsAre;

namespace {

class ChannelDivisionTest : public ::testing::Test {
protected:
  ChannelDivisionTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        qd::QDDialect>();
  }

  func::FuncOp parse(const std::string &text) {
    module = parseSourceString<ModuleOp>(text, &context);
    return module ? *module->getOps<func::FuncOp>().begin() : func::FuncOp();
  }

  /// The factors taken from %x: tensor<2x3xf32> divided by a constant of this
  /// type that is read by this map; the program returns `second`, too.
  std::vector<float> takenFrom(const std::string &type, const std::string &map,
                               const std::string &second = "%x") {
    func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
      %f = arith.constant dense<2.0> : )" +
                                  type + R"(
      %e = tensor.empty() : tensor<2x3xf32>
      %d = linalg.generic {
          indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> )" +
                                  map +
                                  R"(>, affine_map<(r, c) -> (r, c)>],
          iterator_types = ["parallel", "parallel"]}
          ins(%x, %f : tensor<2x3xf32>, )" +
                                  type + R"() outs(%e : tensor<2x3xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %q = arith.divf %a, %b : f32
        linalg.yield %q : f32
      } -> tensor<2x3xf32>
      %o = qd.observe %d "x" : tensor<2x3xf32>
      return %o, )" + second + R"( : tensor<2x3xf32>, tensor<2x3xf32>
    })");
    EXPECT_TRUE(function);
    if (!function)
      return {};
    auto factors = takeDivisions(function);
    EXPECT_LE(factors.size(), 1u);
    return factors.empty() ? std::vector<float>() : factors.begin()->second;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(ChannelDivisionTest, WhatIsDividedIsTaken) {
  func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
      %o = qd.observe %x "x" : tensor<2x3xf32>
      return %o : tensor<2x3xf32>
    })");
  ASSERT_TRUE(function);
  auto observe = *function.getOps<qd::ObserveOp>().begin();
  divideChannels(observe, {1.0f, 2.0f, 0.5f});
  EXPECT_TRUE(succeeded(verify(*module)));
  EXPECT_TRUE(observe.getInput().getDefiningOp<linalg::GenericOp>());

  auto factors = takeDivisions(function);
  ASSERT_EQ(factors.size(), 1u);
  EXPECT_THAT(factors.lookup(observe), ElementsAre(1.0f, 2.0f, 0.5f));
  EXPECT_EQ(observe.getInput(), function.getArgument(0));
  EXPECT_TRUE(function.getOps<linalg::GenericOp>().empty());
  EXPECT_TRUE(function.getOps<arith::ConstantOp>().empty());
}

TEST_F(ChannelDivisionTest, OnlyTheInnermostDimensionHasChannels) {
  EXPECT_THAT(takenFrom("tensor<3xf32>", "(c)"), ElementsAre(2.0f, 2.0f, 2.0f));
  EXPECT_THAT(takenFrom("tensor<2xf32>", "(r)"), ElementsAre());
  EXPECT_THAT(takenFrom("tensor<2x3xf32>", "(r, c)"), ElementsAre());
}

TEST_F(ChannelDivisionTest, WhatOthersReadStays) {
  EXPECT_THAT(takenFrom("tensor<3xf32>", "(c)", "%d"), ElementsAre());
}

} // namespace

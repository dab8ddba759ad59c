// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which layers and grids a search may choose.

#include "QDialect/Transforms/SearchSpace.h"

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

namespace {

/// Two projections of one value, gathered, and a layer that reads both.
constexpr const char *kNetwork = R"(
func.func @main(%x: tensor<2x4xf32> {qd.name = "x"}) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<0.5> : tensor<4x4xf32>
  %v = arith.constant dense<0.5> : tensor<8x4xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %ox = qd.observe %x "x" : tensor<2x4xf32>
  %a = linalg.matmul {qd.name = "a"} ins(%ox, %w : tensor<2x4xf32>, tensor<4x4xf32>) outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>
  %oa = qd.observe %a "a" : tensor<2x4xf32>
  %q = linalg.matmul {qd.name = "q"} ins(%oa, %w : tensor<2x4xf32>, tensor<4x4xf32>) outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>
  %oq = qd.observe %q "q" : tensor<2x4xf32>
  %k = linalg.matmul {qd.name = "k"} ins(%oa, %w : tensor<2x4xf32>, tensor<4x4xf32>) outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>
  %ok = qd.observe %k "k" : tensor<2x4xf32>
  %c = tensor.concat dim(1) %oq, %ok {qd.name = "c"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  %oc = qd.observe %c "c" : tensor<2x8xf32>
  %y = linalg.matmul {qd.name = "y"} ins(%oc, %v : tensor<2x8xf32>, tensor<8x4xf32>) outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>
  %oy = qd.observe %y "y" : tensor<2x4xf32>
  return %oy : tensor<2x4xf32>
})";

class SearchSpaceTest : public ::testing::Test {
protected:
  SearchSpaceTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        qd::QDDialect>();
    module = parseSourceString<ModuleOp>(kNetwork, &context);
  }

  SearchSpace spaceBy(StringRef recipe) {
    auto parsed = Recipe::parse(recipe, "r.yaml");
    if (!parsed) {
      ADD_FAILURE() << llvm::toString(parsed.takeError());
      return {};
    }
    return findSearchSpace(main(), *parsed);
  }

  func::FuncOp main() { return module->lookupSymbol<func::FuncOp>("main"); }

  static std::vector<std::string> names(const SearchSpace &space) {
    std::vector<std::string> result;
    for (const SearchSpace::Layer &layer : space.layers)
      result.push_back(layer.name);
    return result;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(SearchSpaceTest, ReadersOfOneValueShareItsGrid) {
  ASSERT_TRUE(module);
  SearchSpace space = spaceBy("name: r\n");
  ASSERT_THAT(names(space), ElementsAre("a", "q", "k", "y"));
  ASSERT_TRUE(space.layers[0].grid && space.layers[1].grid &&
              space.layers[3].grid);
  // No layer makes the input of the program: rules find it by its own name.
  EXPECT_THAT(space.grids[*space.layers[0].grid], ElementsAre("x"));
  EXPECT_EQ(space.layers[1].grid, space.layers[2].grid);
  EXPECT_THAT(space.grids[*space.layers[1].grid], ElementsAre("a"));
  // A concatenation copies codes.
  EXPECT_THAT(space.grids[*space.layers[3].grid],
              UnorderedElementsAre("q", "k", "c"));
  EXPECT_EQ(space.layers[1].macs, 2 * 4 * 4);
  EXPECT_EQ(space.layers[3].macs, 2 * 8 * 4);
}

TEST_F(SearchSpaceTest, WidthsAreThoseOfTheRecipe) {
  ASSERT_TRUE(module);
  SearchSpace space = spaceBy("name: r\n"
                              "layers:\n"
                              "  - {match: k, keep_float: true}\n"
                              "  - {match: a, activations: {format: u16}}\n"
                              "  - {match: q, weights: {format: s4}}\n");
  ASSERT_THAT(names(space), ElementsAre("a", "q", "y"));
  EXPECT_EQ(space.layers[1].weightBits, 4u);
  // What q reads has the format that its maker gives it.
  EXPECT_EQ(space.layers[1].activationBits, 16u);
  EXPECT_EQ(space.layers[2].activationBits, 8u);
}

TEST_F(SearchSpaceTest, AnInputIsItsFirstReadersUnlessARuleNamesIt) {
  ASSERT_TRUE(module);
  StringRef reader = "name: r\n"
                     "layers:\n"
                     "  - {match: a, activations: {format: u4}}\n";
  EXPECT_EQ(spaceBy(reader).layers[0].activationBits, 4u);
  SearchSpace space =
      spaceBy((reader + "  - {match: x, activations: {format: u16}}\n").str());
  EXPECT_EQ(space.layers[0].activationBits, 16u);
  // What the reader makes is not the input.
  EXPECT_EQ(space.layers[1].activationBits, 4u);
}

TEST_F(SearchSpaceTest, LayersAreFoundByName) {
  ASSERT_TRUE(module);
  Operation *layer = findLayer(main(), "y");
  ASSERT_TRUE(layer);
  EXPECT_EQ(weightOperand(layer).get().getType(),
            RankedTensorType::get({8, 4}, Float32Type::get(&context)));
  EXPECT_FALSE(findLayer(main(), "c"));
}

} // namespace

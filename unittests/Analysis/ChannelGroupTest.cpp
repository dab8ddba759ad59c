// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/Analysis/ChannelGroup.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"

using namespace mlir;
using namespace qdialect;
using testing::HasSubstr;

namespace {

/// Programs of matmul (2x3 by 3x4), something in the middle, matmul (2x4 by
/// 4x2). The middle sees %p, must make %h, and may use %c4 (one value a
/// channel), %e4 (an init) and %other (another activation).
class ChannelGroupTest : public testing::Test {
protected:
  ChannelGroupTest() {
    context.loadDialect<func::FuncDialect, arith::ArithDialect,
                        linalg::LinalgDialect, math::MathDialect,
                        tensor::TensorDialect, qd::QDDialect>();
  }

  void parse(StringRef middle) {
    std::string text = (R"(
      #id = affine_map<(i, j) -> (i, j)>
      #ch = affine_map<(i, j) -> (j)>
      func.func @main(%x: tensor<2x3xf32>, %other: tensor<2x4xf32>)
          -> tensor<2x2xf32> {
        %zero = arith.constant 0.0 : f32
        %tenth = arith.constant 0.1 : f32
        %six = arith.constant 6.0 : f32
        %w1 = arith.constant dense<1.0> : tensor<3x4xf32>
        %c4 = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
        %d4 = arith.constant dense<0.5> : tensor<4xf32>
        %w2 = arith.constant dense<1.0> : tensor<4x2xf32>
        %e4 = tensor.empty() : tensor<2x4xf32>
        %z4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<2x4xf32>)
            -> tensor<2x4xf32>
        %p = linalg.matmul ins(%x, %w1 : tensor<2x3xf32>, tensor<3x4xf32>)
            outs(%z4 : tensor<2x4xf32>) -> tensor<2x4xf32>
    )" + middle + R"(
        %e2 = tensor.empty() : tensor<2x2xf32>
        %z2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x2xf32>)
            -> tensor<2x2xf32>
        %y = linalg.matmul {last} ins(%h, %w2 : tensor<2x4xf32>, tensor<4x2xf32>)
            outs(%z2 : tensor<2x2xf32>) -> tensor<2x2xf32>
        return %y : tensor<2x2xf32>
      }
    )")
                           .str();
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    module->walk([&](linalg::MatmulOp op) {
      (op->hasAttr("last") ? last : first) = op;
    });
  }

  /// An element-wise middle over the operands `ins`.
  static std::string elementwise(StringRef ins, StringRef maps, StringRef types,
                                 StringRef args, StringRef body,
                                 StringRef name = "%h") {
    return (name + " = linalg.generic {indexing_maps = [" + maps +
            ", #id], iterator_types = [\"parallel\", \"parallel\"]} ins(" +
            ins + " : " + types + ") outs(%e4 : tensor<2x4xf32>) {\n^bb0(" +
            args + ", %o: f32):\n" + body + "linalg.yield %v : f32\n}" +
            " -> tensor<2x4xf32>\n")
        .str();
  }
  static std::string unary(StringRef body) {
    return elementwise("%p", "#id", "tensor<2x4xf32>", "%a: f32", body);
  }

  std::optional<ChannelGroup> group() {
    return findChannelGroup(first->getResult(0), {{1}, {4}}, &why);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  Operation *first = nullptr, *last = nullptr;
  std::string why;
};

TEST_F(ChannelGroupTest, LayersSideBySide) {
  parse("%h = qd.observe %p \"p\" : tensor<2x4xf32>");
  std::optional<ChannelGroup> found = group();
  ASSERT_TRUE(found) << why;
  ASSERT_EQ(found->makers.size(), 1u);
  EXPECT_EQ(found->makers[0].operand, &first->getOpOperand(1));
  EXPECT_THAT(found->makers[0].strides, testing::ElementsAre(0, 1));
  ASSERT_EQ(found->readers.size(), 1u);
  EXPECT_EQ(found->readers[0].operand, &last->getOpOperand(1));
  EXPECT_THAT(found->readers[0].strides, testing::ElementsAre(1, 0));
  EXPECT_TRUE(found->addends.empty());
  EXPECT_EQ(found->values.size(), 2u);
}

TEST_F(ChannelGroupTest, HomogeneousFunctionsLetFactorsPass) {
  for (StringRef body :
       {"%v = arith.maximumf %a, %zero : f32\n",
        "%n = arith.mulf %a, %tenth : f32\n%v = arith.maximumf %a, %n : f32\n",
        "%n = arith.divf %a, %six : f32\n%v = arith.subf %a, %n : f32\n",
        "%n = arith.negf %a : f32\n%v = arith.minnumf %a, %n : f32\n",
        "%v = math.absf %a : f32\n",
        "%c = arith.cmpf olt, %a, %zero : f32\n%n = arith.mulf %a, %tenth : "
        "f32\n%v = arith.select %c, %n, %a : f32\n"}) {
    parse(unary(body));
    EXPECT_TRUE(group()) << body.str() << why;
  }
}

TEST_F(ChannelGroupTest, OtherFunctionsBlock) {
  for (StringRef body :
       {"%n = arith.maximumf %a, %zero : f32\n%v = arith.minimumf %n, %six : "
        "f32\n",
        "%v = arith.mulf %a, %a : f32\n", "%v = arith.divf %six, %a : f32\n",
        "%v = arith.addf %a, %six : f32\n", "%v = math.exp %a : f32\n",
        "%c = arith.cmpf olt, %a, %six : f32\n%v = arith.select %c, %zero, %a "
        ": f32\n"}) {
    parse(unary(body));
    EXPECT_FALSE(group()) << body.str();
    EXPECT_THAT(why, HasSubstr("blocks factors")) << body.str();
  }
}

TEST_F(ChannelGroupTest, ConstantsThatAreAdded) {
  parse(elementwise("%p, %c4", "#id, #ch", "tensor<2x4xf32>, tensor<4xf32>",
                    "%a: f32, %b: f32", "%v = arith.addf %a, %b : f32\n"));
  std::optional<ChannelGroup> found = group();
  ASSERT_TRUE(found) << why;
  ASSERT_EQ(found->addends.size(), 1u);
  EXPECT_THAT(found->addends[0].strides, testing::ElementsAre(1));
  EXPECT_EQ(found->makers.size(), 1u);
}

// y = x * c + d: c stays, d goes with x.
TEST_F(ChannelGroupTest, AffineOps) {
  parse(elementwise("%p, %c4, %d4", "#id, #ch, #ch",
                    "tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>",
                    "%a: f32, %b: f32, %d: f32",
                    "%m = arith.mulf %a, %b : f32\n%v = arith.addf %m, %d : "
                    "f32\n"));
  std::optional<ChannelGroup> found = group();
  ASSERT_TRUE(found) << why;
  ASSERT_EQ(found->addends.size(), 1u);
  EXPECT_EQ(found->addends[0].operand->getOperandNumber(), 2u);
}

TEST_F(ChannelGroupTest, OneFactorOfAProduct) {
  parse(elementwise("%p, %other", "#id, #id",
                    "tensor<2x4xf32>, tensor<2x4xf32>", "%a: f32, %b: f32",
                    "%v = arith.mulf %a, %b : f32\n"));
  std::optional<ChannelGroup> found = group();
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->values.size(), 2u);
  // From the product: %other is an input and cannot take the factor, %p can.
  Value product = last->getOperand(0);
  found = findChannelGroup(product, {{1}, {4}}, &why);
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->makers[0].operand, &first->getOpOperand(1));
}

// x * g(x) is of degree 2 as soon as g(x) joins, in whatever order the readers
// of x stand in its list of uses.
TEST_F(ChannelGroupTest, ProductsOfAValueWithALinearFunctionOfItBlock) {
  std::string g = elementwise("%p", "#id", "tensor<2x4xf32>", "%a: f32",
                              "%v = math.absf %a : f32\n", "%g"),
              product = elementwise(
                  "%p, %g", "#id, #id", "tensor<2x4xf32>, tensor<2x4xf32>",
                  "%a: f32, %b: f32", "%v = arith.mulf %a, %b : f32\n");
  parse(g + product);
  for (bool reversed : {false, true}) {
    if (reversed) {
      SmallVector<unsigned> order = {1, 0};
      first->getResult(0).shuffleUseList(order);
    }
    EXPECT_FALSE(group());
    EXPECT_THAT(why, HasSubstr("blocks factors"));
    EXPECT_FALSE(findChannelGroup(last->getOperand(0), {{1}, {4}}, &why));
  }
}

// Of three factors exactly one takes part, whichever is free to.
TEST_F(ChannelGroupTest, AProductAddedToAConstant) {
  parse(elementwise(
      "%p, %other, %c4", "#id, #id, #ch",
      "tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>",
      "%a: f32, %b: f32, %c: f32",
      "%m = arith.mulf %a, %b : f32\n%v = arith.addf %m, %c : f32\n"));
  std::optional<ChannelGroup> found =
      findChannelGroup(last->getOperand(0), {{1}, {4}}, &why);
  ASSERT_TRUE(found) << why;
  EXPECT_TRUE(found->values.contains(first->getResult(0)));
  ASSERT_EQ(found->addends.size(), 1u);
  EXPECT_EQ(found->addends[0].operand->getOperandNumber(), 2u);
}

// The factors are sought among what blocks them: once a value, not once a way
// to get there.
TEST_F(ChannelGroupTest, ChainsOfProductsTakeTimeOfTheirLength) {
  std::string text, value = "%other";
  for (int i = 0; i < 100; ++i) {
    std::string relu = "%r" + std::to_string(i), m = "%m" + std::to_string(i);
    text += elementwise(value, "#id", "tensor<2x4xf32>", "%a: f32",
                        "%v = arith.maximumf %a, %zero : f32\n", relu);
    text += elementwise(value + ", " + relu, "#id, #id",
                        "tensor<2x4xf32>, tensor<2x4xf32>", "%a: f32, %b: f32",
                        "%v = arith.mulf %a, %b : f32\n", m);
    value = m;
  }
  parse(text + elementwise("%p, " + value, "#id, #id",
                           "tensor<2x4xf32>, tensor<2x4xf32>",
                           "%a: f32, %b: f32",
                           "%v = arith.addf %a, %b : f32\n"));
  EXPECT_FALSE(group());
  EXPECT_THAT(why, HasSubstr("an argument is an input"));
}

TEST_F(ChannelGroupTest, SumsTieBothSides) {
  std::string sum =
      elementwise("%p, %q", "#id, #id", "tensor<2x4xf32>, tensor<2x4xf32>",
                  "%a: f32, %b: f32", "%v = arith.addf %a, %b : f32\n");
  parse("%q = linalg.matmul ins(%x, %w1 : tensor<2x3xf32>, tensor<3x4xf32>) "
        "outs(%z4 : tensor<2x4xf32>) -> tensor<2x4xf32>\n" +
        sum);
  std::optional<ChannelGroup> found = group();
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->makers.size(), 2u);
  parse(elementwise("%p, %other", "#id, #id",
                    "tensor<2x4xf32>, tensor<2x4xf32>", "%a: f32, %b: f32",
                    "%v = arith.addf %a, %b : f32\n"));
  EXPECT_FALSE(group());
}

TEST_F(ChannelGroupTest, NormsTakeFactorsIntoTheirGain) {
  parse("%h = qd.layer_norm %p, %c4, %d4 axis = 1 epsilon = 1.0e-5 : "
        "tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>");
  EXPECT_FALSE(group());
  EXPECT_THAT(why, HasSubstr("qd.layer_norm, which blocks factors"));
  std::optional<ChannelGroup> found =
      findChannelGroup(last->getOperand(0), {{1}, {4}}, &why);
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->makers.size(), 1u);
  EXPECT_EQ(found->addends.size(), 1u);
  EXPECT_EQ(found->readers.size(), 1u);
}

TEST_F(ChannelGroupTest, ReadersAlone) {
  parse("%s = qd.softmax %p axis = 1 : tensor<2x4xf32>\n"
        "%h = qd.observe %s \"h\" : tensor<2x4xf32>");
  Value softmax = last->getOperand(0);
  EXPECT_FALSE(findChannelGroup(softmax, {{1}, {4}}, &why));
  std::optional<ChannelGroup> found =
      findChannelReaders(softmax, {{1}, {4}}, &why);
  ASSERT_TRUE(found) << why;
  EXPECT_TRUE(found->makers.empty());
  EXPECT_EQ(found->readers.size(), 1u);
}

TEST_F(ChannelGroupTest, ScalingKeepsEveryOtherReaderOfAConstant) {
  // Both matmuls read one constant: each gets its own.
  parse("%q = linalg.matmul ins(%x, %w1 : tensor<2x3xf32>, tensor<3x4xf32>) "
        "outs(%z4 : tensor<2x4xf32>) -> tensor<2x4xf32>\n"
        "%keep = tensor.cast %q : tensor<2x4xf32> to tensor<?x4xf32>\n"
        "%h = qd.observe %p \"p\" : tensor<2x4xf32>");
  std::optional<ChannelGroup> found =
      findChannelGroup(last->getOperand(0), {{1}, {4}}, &why);
  ASSERT_TRUE(found) << why;
  scaleChannels(*found, {1, 2, 4, 8});
  auto elements = [](Value value) {
    DenseElementsAttr attr = cast<DenseElementsAttr>(
        value.getDefiningOp<arith::ConstantOp>().getValue());
    return llvm::to_vector(attr.getValues<float>());
  };
  Operation *maker = found->makers[0].operand->getOwner();
  EXPECT_THAT(elements(maker->getOperand(1)),
              testing::ElementsAre(1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8));
  EXPECT_THAT(elements(last->getOperand(1)),
              testing::ElementsAre(1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125));
  unsigned unchanged = 0;
  module->walk([&](linalg::MatmulOp op) {
    unchanged +=
        op != maker && op != last && elements(op->getOperand(1))[1] == 1;
  });
  EXPECT_EQ(unchanged, 1u);
}

} // namespace

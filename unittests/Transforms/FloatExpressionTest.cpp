// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Normal forms: the same function written in several ways has one, other
// functions have others.

#include "FloatExpression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;

namespace {

class FloatExpressionTest : public ::testing::Test {
protected:
  FloatExpressionTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, math::MathDialect,
                        tensor::TensorDialect>();
  }

  /// The expression of a payload that yields %r from an element %x of the
  /// function's argument.
  std::optional<FloatExpression> read(const std::string &payload) {
    std::string text = R"(
      #id = affine_map<(d0) -> (d0)>
      func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
        %e = tensor.empty() : tensor<4xf32>
        %one = arith.constant 1.0 : f32
        %two = arith.constant 2.0 : f32
        %y = linalg.generic {indexing_maps = [#id, #id],
            iterator_types = ["parallel"]}
            ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
        ^bb0(%x: f32, %o: f32):
          )" + payload +
                       R"(
          linalg.yield %r : f32
        } -> tensor<4xf32>
        return %y : tensor<4xf32>
      })";
    modules.push_back(parseSourceString<ModuleOp>(text, &context));
    if (!modules.back())
      return std::nullopt;
    auto function = *modules.back()->getOps<func::FuncOp>().begin();
    Block &block = function.getBody().front();
    return FloatExpression::read(block.getTerminator()->getOperand(0),
                                 block.getArgument(0));
  }

  MLIRContext context;
  std::vector<OwningOpRef<ModuleOp>> modules;
};

TEST_F(FloatExpressionTest, GroupingAndOrderDoNotMatter) {
  // 2 x (x + 1), three ways.
  const char *ways[] = {
      "%s = arith.addf %x, %one : f32\n %t = arith.mulf %s, %x : f32\n"
      "%r = arith.mulf %two, %t : f32",
      "%t = arith.mulf %x, %two : f32\n %s = arith.addf %one, %x : f32\n"
      "%r = arith.mulf %s, %t : f32",
      "%q = arith.mulf %x, %x : f32\n %s = arith.addf %q, %x : f32\n"
      "%h = arith.constant 0.5 : f32\n %r = arith.divf %s, %h : f32"};
  for (const char *way : ways) {
    auto expression = read(way);
    ASSERT_TRUE(expression) << way;
    ASSERT_TRUE(expression->subject) << way;
    unsigned x = *expression->subject;
    EXPECT_EQ(expression->form.terms.size(), 2u) << way;
    EXPECT_DOUBLE_EQ((expression->form[{{x, 4}}]), 2) << way;
    EXPECT_DOUBLE_EQ((expression->form[{{x, 2}}]), 2) << way;
  }
}

TEST_F(FloatExpressionTest, TermsThatCancelAreGone) {
  auto expression = read("%s = arith.addf %x, %one : f32\n"
                         "%r = arith.subf %s, %x : f32");
  ASSERT_TRUE(expression);
  EXPECT_EQ(expression->form.asConstant(), 1.0);
}

TEST_F(FloatExpressionTest, ReciprocalsArePowers) {
  auto expression = read("%t = arith.mulf %x, %two : f32\n"
                         "%r = arith.divf %one, %t : f32");
  ASSERT_TRUE(expression && expression->subject);
  EXPECT_DOUBLE_EQ((expression->form[{{*expression->subject, -2}}]), 0.5);
}

TEST_F(FloatExpressionTest, FunctionsAreAtomsByArgument) {
  // exp(x) + exp(x + 0) is 2 exp(x); exp(2 x) is another atom.
  auto expression =
      read("%p = math.exp %x : f32\n %z = arith.constant 0.0 : f32\n"
           "%s = arith.addf %x, %z : f32\n %q = math.exp %s : f32\n"
           "%t = arith.mulf %two, %x : f32\n %u = math.exp %t : f32\n"
           "%v = arith.addf %p, %q : f32\n %r = arith.subf %v, %u : f32");
  ASSERT_TRUE(expression);
  std::vector<double> factors;
  for (auto &[monomial, value] : expression->form.terms) {
    ASSERT_EQ(monomial.size(), 1u);
    EXPECT_EQ(expression->atom(monomial[0].first).kind, Atom::Kind::Exp);
    factors.push_back(value);
  }
  llvm::sort(factors);
  EXPECT_EQ(factors, (std::vector<double>{-1, 2}));
}

TEST_F(FloatExpressionTest, FormsThatGrowTooLargeAreTensorsOfTheirOwn) {
  std::string payload = "%s0 = math.exp %x : f32\n %p0 = arith.addf %s0, %x "
                        ": f32\n";
  // A product of sums of ever new functions: 2^n terms.
  for (int i = 0; i < 6; ++i) {
    std::string n = std::to_string(i), next = std::to_string(i + 1);
    payload += "%e" + n + " = math.exp %p" + n + " : f32\n %q" + n +
               " = arith.addf %e" + n + ", %x : f32\n %p" + next +
               " = arith.mulf %p" + n + ", %q" + n + " : f32\n";
  }
  auto expression = read(payload + "%r = arith.addf %p6, %one : f32");
  ASSERT_TRUE(expression);
  ASSERT_EQ(expression->form.terms.size(), 1u);
  const Monomial &monomial = expression->form.terms.begin()->first;
  ASSERT_EQ(monomial.size(), 1u);
  EXPECT_EQ(expression->atom(monomial[0].first).kind, Atom::Kind::Tensor);
  EXPECT_NE(monomial[0].first, expression->subject);
}

TEST_F(FloatExpressionTest, NearlyForgivesRoundedDigits) {
  EXPECT_TRUE(isNearly(0.7978845608, 0.7979));
  EXPECT_TRUE(isNearly(-0.0447, -0.044715));
  EXPECT_FALSE(isNearly(0.79, 0.7979));
  EXPECT_FALSE(isNearly(1e-9, 0));
}

} // namespace

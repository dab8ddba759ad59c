// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Islands that read one tensor of codes: which are such functions, and their
// values.

#include "CodeFunction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace qdialect;

namespace {

class CodeFunctionTest : public ::testing::Test {
protected:
  CodeFunctionTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, math::MathDialect,
                        tensor::TensorDialect, qd::QDDialect>();
  }

  /// quantize(payload(dequantize(codes), bias of the channel)): a step of 1/2
  /// on the way in, of 1/4 around 3 on the way out.
  std::optional<CodeFunction> match(const std::string &payload,
                                    const std::string &codes = "i8") {
    std::string type = "tensor<2x3x" + codes + ">";
    module = parseSourceString<ModuleOp>(R"(
    func.func @f(%q: )" + type + R"() -> tensor<2x3xi8> {
      %half = arith.constant dense<0.5> : tensor<f32>
      %quarter = arith.constant dense<0.25> : tensor<f32>
      %three = arith.constant dense<3> : tensor<i32>
      %bias = arith.constant dense<[0.0, 1.0, -20.0]> : tensor<3xf32>
      %x = qd.dequantize %q scale %half : )" +
                                             type +
                                             R"(, tensor<f32> -> tensor<2x3xf32>
      %e = tensor.empty() : tensor<2x3xf32>
      %y = linalg.generic {
          indexing_maps = [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (c)>,
                           affine_map<(r, c) -> (r, c)>],
          iterator_types = ["parallel", "parallel"]}
          ins(%x, %bias : tensor<2x3xf32>, tensor<3xf32>) outs(%e : tensor<2x3xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        )" + payload + R"(
        linalg.yield %r : f32
      } -> tensor<2x3xf32>
      %z = qd.quantize %y scale %quarter zero_point %three rounding(half_even)
          overflow(saturate) : tensor<2x3xf32>, tensor<f32>, tensor<i32> -> tensor<2x3xi8>
      return %z : tensor<2x3xi8>
    })",
                                         &context);
    EXPECT_TRUE(module);
    if (!module)
      return std::nullopt;
    auto main = *module->getOps<func::FuncOp>().begin();
    return CodeFunction::match(*main.getOps<qd::QuantizeOp>().begin());
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(CodeFunctionTest, EachChannelHasItsValues) {
  std::optional<CodeFunction> function = match("%r = arith.addf %a, %b : f32");
  ASSERT_TRUE(function);
  EXPECT_TRUE(function->isArithmetic());
  EXPECT_EQ(function->numCodes(), 256);
  ASSERT_EQ(function->numIndices(), 3);
  const double bias[] = {0, 1, -20};
  for (bool inFloats : {false, true}) {
    std::optional<CodeFunction::Values> values = function->evaluate(inFloats);
    ASSERT_TRUE(values);
    ASSERT_EQ(values->codes.size(), 3u * 256);
    for (int64_t channel = 0; channel < 3; ++channel)
      for (int64_t bits = 0; bits < 256; ++bits) {
        double code = 3 + 4 * (static_cast<int8_t>(bits) * 0.5 + bias[channel]);
        // Steps of a half over steps of a quarter: nothing is rounded.
        EXPECT_EQ(values->codes[channel * 256 + bits],
                  std::clamp<int64_t>(code, -128, 127))
            << channel << " " << bits;
      }
  }
}

TEST_F(CodeFunctionTest, FunctionsAreNoArithmetic) {
  std::optional<CodeFunction> function =
      match("%s = arith.addf %a, %b : f32\n%r = math.exp %s : f32");
  ASSERT_TRUE(function);
  EXPECT_FALSE(function->isArithmetic());
}

TEST_F(CodeFunctionTest, CodesAreWholeBytes) {
  EXPECT_FALSE(match("%r = arith.addf %a, %b : f32", "i4"));
}

} // namespace

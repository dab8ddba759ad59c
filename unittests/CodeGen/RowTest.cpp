// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax and layer norm kernels against the interpreter, at the edges of lanes
// and blocks, with and without a cast behind them, and on masked, infinite and
// NaN elements.

#include "Check.h"
#include "RowText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class RowTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
  RowText text{random};
};

TEST_F(RowTest, RmsNormLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(text.rmsNorm({2, 3, length}, quantized), "row", random, 0,
                    length < 100);
    }
}

TEST_F(RowTest, SoftmaxLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(text.softmax({2, 3, length}, quantized), "row", random, 0,
                    length < 100);
    }
}

TEST_F(RowTest, LayerNormLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(text.layerNorm({2, 3, length}, 2, length % 2, quantized),
                    "row", random, 0, length < 100);
    }
}

TEST_F(RowTest, LayerNormOfSeveralDimensions) {
  checkDispatch(text.layerNorm({3, 5, 7}, 1, true, true), "row", random);
  checkDispatch(text.layerNorm({3, 5, 7}, 0, true, false), "row", random);
}

TEST_F(RowTest, SoftmaxOfMasksAndSpecials) {
  for (const std::vector<float> &row : specialRows()) {
    DispatchModule module(text.softmax({1, 9}, false));
    ASSERT_TRUE(module.isValid());
    llvm::SmallVector<HostTensor> inputs{
        HostTensor::of(DType::F32, {1, 9}, row)};
    HostTensor expected = module.expected(inputs);
    for (const CpuTarget &target : allCpuTargets())
      if (target.runsHere()) {
        auto kernel = CompiledKernel::create(module, target);
        ASSERT_TRUE(kernel);
        expectSame(kernel->run(inputs), expected, target.name, 0);
      }
  }
}

/// Rows of a table at computed places; places outside read its last row. A
/// table of codes has a scale a row, which the payload multiplies with.
TEST_F(RowTest, Gather) {
  RandomConstants constants{random};
  for (bool ofCodes : {false, true})
    for (int64_t width : {1, 7, 16, 70}) {
      std::string table = shapeText({5, width}, ofCodes ? "i8" : "f32"),
                  result = shapeText({3, width}, "f32");
      std::string text = mainText(
          {"tensor<3xi64>"}, result,
          "    %t = arith.constant " +
              (ofCodes ? constants.codes(5 * width, -128)
                       : constants.floats(5 * width, -1, 1)) +
              " : " + table + "\n    %s = arith.constant " +
              constants.floats(5, 0.5f, 2) +
              " : tensor<5xf32>\n    %e = tensor.empty() : " + result +
              "\n    %y = linalg.generic {indexing_maps = [affine_map<(i, j) "
              "-> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = "
              "[\"parallel\", \"parallel\"]} ins(%x0 : tensor<3xi64>) outs(%e "
              ": " +
              result +
              ") {\n    ^bb0(%p: i64, %o: f32):\n"
              "      %i = arith.index_cast %p : i64 to index\n"
              "      %j = linalg.index 1 : index\n"
              "      %v = tensor.extract %t[%i, %j] : " +
              table +
              (ofCodes ? "\n      %f = tensor.extract %s[%i] : tensor<5xf32>"
                         "\n      %w = qd.dequantize %v scale %f : i8, f32 -> "
                         "f32\n      linalg.yield %w"
                       : "\n      linalg.yield %v") +
              " : f32\n    } -> " + result + "\n    qd.yield %y : " + result +
              "\n");
      DispatchModule module(text);
      ASSERT_TRUE(module.isValid()) << text;
      auto places = [](std::vector<int64_t> values) {
        return llvm::SmallVector<HostTensor>{
            HostTensor::of(DType::I64, {3}, values)};
      };
      HostTensor expected = module.expected(places({4, 0, 2}));
      HostTensor last = module.expected(places({4, 4, 4}));
      for (const CpuTarget &target : allCpuTargets())
        if (target.runsHere()) {
          auto kernel = CompiledKernel::create(module, target);
          ASSERT_TRUE(kernel);
          EXPECT_EQ(kernel->family(), "elementwise");
          expectSame(kernel->run(places({4, 0, 2})), expected, target.name, 0);
          expectSame(kernel->run(places({5, -1, int64_t(1) << 40})), last,
                     target.name, 0);
        }
    }
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Softmax and layer norm kernels against the interpreter, at the edges of lanes
// and blocks, with and without a cast behind them, and on masked, infinite and
// NaN elements.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

/// `%y = <function>` on a tensor of `shape`; codes behind it if `quantized`.
std::string rowText(const std::vector<int64_t> &shape, const std::string &head,
                    const std::string &function, bool quantized) {
  std::string real = shapeText(shape, "f32"), code = shapeText(shape, "i8");
  std::string body = head + "    %y = " + function + "\n";
  if (!quantized)
    return mainText({real}, real, body + "    qd.yield %y : " + real + "\n");
  std::string dims, iterators;
  for (size_t i = 0; i < shape.size(); ++i) {
    dims += (i ? ", d" : "d") + number(i);
    iterators += i ? ", \"parallel\"" : "\"parallel\"";
  }
  std::string identity = "affine_map<(" + dims + ") -> (" + dims + ")>";
  return mainText(
      {real}, code,
      body + "    %e = tensor.empty() : " + code +
          "\n    %q = linalg.generic {indexing_maps = [" + identity + ", " +
          identity + "], iterator_types = [" + iterators +
          "]} ins(%y : " + real + ") outs(%e : " + code +
          ") {\n    ^bb0(%v: f32, %o: i8):\n"
          "      %s = arith.constant 0.0078125 : f32\n"
          "      %z = arith.constant -11 : i32\n"
          "      %c = qd.quantize %v scale %s zero_point %z "
          "rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8\n"
          "      linalg.yield %c : i8\n    } -> " +
          code + "\n    qd.yield %q : " + code + "\n");
}

std::string softmaxText(const std::vector<int64_t> &shape, bool quantized) {
  return rowText(shape, "",
                 "qd.softmax %x0 axis = " + number(shape.size() - 1) + " : " +
                     shapeText(shape, "f32"),
                 quantized);
}

class RowTest : public ::testing::Test {
protected:
  std::string layerNormText(const std::vector<int64_t> &shape, size_t axis,
                            bool hasBeta, bool quantized) {
    RandomConstants constants{random};
    std::vector<int64_t> row(shape.begin() + axis, shape.end());
    int64_t count = 1;
    for (int64_t size : row)
      count *= size;
    std::string type = shapeText(row, "f32"), real = shapeText(shape, "f32");
    std::string head = "    %g = arith.constant " +
                       constants.floats(count, 0.5f, 2) + " : " + type + "\n";
    if (hasBeta)
      head += "    %b = arith.constant " + constants.floats(count, -1, 1) +
              " : " + type + "\n";
    return rowText(shape, head,
                   std::string("qd.layer_norm %x0, %g") +
                       (hasBeta ? ", %b" : "") + " axis = " + number(axis) +
                       " epsilon = 1.0e-5 : " + real + ", " + type +
                       (hasBeta ? ", " + type : ""),
                   quantized);
  }
  std::string rmsNormText(const std::vector<int64_t> &shape, bool quantized) {
    int64_t length = shape.back();
    std::string type = shapeText({length}, "f32");
    return rowText(shape,
                   "    %g = arith.constant " +
                       RandomConstants{random}.floats(length, 0.5f, 2) + " : " +
                       type + "\n",
                   "qd.rms_norm %x0, %g axis = " + number(shape.size() - 1) +
                       " epsilon = 1.0e-6 : " + shapeText(shape, "f32") + ", " +
                       type,
                   quantized);
  }
  std::mt19937 random{testSeed()};
};

TEST_F(RowTest, RmsNormLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(rmsNormText({2, 3, length}, quantized), "row", random, 0,
                    length < 100);
    }
}

TEST_F(RowTest, SoftmaxLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(softmaxText({2, 3, length}, quantized), "row", random, 0,
                    length < 100);
    }
}

TEST_F(RowTest, LayerNormLengths) {
  for (int64_t length : {1, 2, 15, 16, 17, 64, 100, 384})
    for (bool quantized : {false, true}) {
      SCOPED_TRACE(length);
      checkDispatch(layerNormText({2, 3, length}, 2, length % 2, quantized),
                    "row", random, 0, length < 100);
    }
}

TEST_F(RowTest, LayerNormOfSeveralDimensions) {
  checkDispatch(layerNormText({3, 5, 7}, 1, true, true), "row", random);
  checkDispatch(layerNormText({3, 5, 7}, 0, true, false), "row", random);
}

TEST_F(RowTest, SoftmaxOfMasksAndSpecials) {
  const float inf = INFINITY, nan = NAN;
  std::vector<float> rows[] = {
      {0, -10000, 3, -10003, -87, -88.5f, -104, -103.9f, -105},
      {-3.4e38f, -3.4e38f, 1, 2, -3.4e38f, 0, -0.0f, 5, 4},
      {-inf, -inf, -inf, -inf, -inf, -inf, -inf, -inf, -inf},
      {-inf, 0, -inf, -0.0f, 1, -inf, -inf, -inf, -1},
      {inf, 0, 1, 2, 3, 4, 5, 6, 7},
      {nan, 0, 1, 2, 3, 4, 5, 6, 7},
      {0, 1, 2, 3, 4, 5, 6, 7, nan}};
  for (const std::vector<float> &row : rows) {
    DispatchModule module(softmaxText({1, 9}, false));
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

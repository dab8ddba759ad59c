// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer softmax and norm kernels against the interpreter, bit for bit: every
// scheme, codes of 8 and 16 bits in and out, at the edges of lanes and blocks.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class IntegerRowTest : public ::testing::Test {
protected:
  static std::string softmaxText(const std::vector<int64_t> &shape,
                                 const std::string &scheme, bool wideInput,
                                 bool wideResult) {
    std::string input = shapeText(shape, wideInput ? "i16" : "i8"),
                result = shapeText(shape, wideResult ? "i16" : "i8");
    return mainText({input}, result,
                    "    %y = qd.int_softmax %x0 scheme(" + scheme +
                        ") axis = " + std::to_string(shape.size() - 1) +
                        " scale = " + (wideInput ? "2.0e-4" : "3.0e-2") +
                        " to " +
                        (wideResult ? "1.6e-5 zero_point = -32768"
                                    : "3.90625e-3 zero_point = -128") +
                        " : " + input + " -> " + result +
                        "\n    qd.yield %y : " + result + "\n");
  }

  std::string normText(const std::string &op, const std::vector<int64_t> &shape,
                       int64_t axis, const std::string &scheme, bool wideInput,
                       bool wideResult) {
    std::vector<int64_t> row(shape.begin() + axis, shape.end());
    int64_t count = 1;
    for (int64_t size : row)
      count *= size;
    // About 30 codes a standard deviation.
    int shift = scheme == "qd" ? 36 : 50;
    std::uniform_int_distribution<int64_t> any(-20, 20);
    std::vector<int64_t> biases(count);
    for (int64_t &bias : biases)
      bias = any(random) << shift;
    std::string gain = shapeText(row, "i32"), bias = shapeText(row, "i64");
    std::string input = shapeText(shape, wideInput ? "i16" : "i8"),
                result = shapeText(shape, wideResult ? "i16" : "i8");
    return mainText({input}, result,
                    "    %g = arith.constant " +
                        RandomConstants{random}.words(count, 30 << 20) + " : " +
                        gain + "\n    %b = arith.constant " +
                        denseText(biases) + " : " + bias + "\n    %y = qd." +
                        op + " %x0, %g, %b scheme(" + scheme +
                        ") axis = " + std::to_string(axis) +
                        " epsilon = 77 shift = " + std::to_string(shift) +
                        (op == "int_rms_norm" ? " zero_point = -3" : "") +
                        " : " + input + ", " + gain + ", " + bias + " -> " +
                        result + "\n    qd.yield %y : " + result + "\n");
  }

  std::mt19937 random{testSeed()};
};

TEST_F(IntegerRowTest, SoftmaxLengths) {
  for (const char *scheme : {"qd", "ibert", "ivit"})
    for (int64_t length : {1, 15, 16, 17, 64, 100})
      for (bool wide : {false, true}) {
        SCOPED_TRACE(std::string(scheme) + " " + std::to_string(length));
        checkDispatch(
            softmaxText({2, 3, length}, scheme, wide, wide && length % 2),
            "row", random, 0, length < 64);
      }
}

TEST_F(IntegerRowTest, NormLengths) {
  for (const char *scheme : {"qd", "ibert", "ivit"})
    for (const char *op : {"int_layer_norm", "int_rms_norm"})
      for (int64_t length : {1, 15, 16, 17, 100})
        for (bool wide : {false, true}) {
          SCOPED_TRACE(std::string(scheme) + " " + op + " " +
                       std::to_string(length));
          checkDispatch(
              normText(op, {2, 3, length}, 2, scheme, wide, wide && length % 2),
              "row", random, 0, length < 64);
        }
}

TEST_F(IntegerRowTest, NormOfSeveralDimensions) {
  checkDispatch(normText("int_layer_norm", {3, 5, 7}, 1, "qd", true, false),
                "row", random);
}

TEST_F(IntegerRowTest, SoftmaxScales) {
  // Differences that need one table, two, three, and one of 64 numbers.
  for (const char *scale : {"20.0", "2.0e-2", "1.0e-3", "3.0e-4"}) {
    SCOPED_TRACE(scale);
    std::string input = shapeText({3, 40}, "i16"),
                result = shapeText({3, 40}, "i16");
    checkDispatch(
        mainText({input}, result,
                 std::string("    %y = qd.int_softmax %x0 scheme(qd) "
                             "axis = 1 scale = ") +
                     scale + " to 1.6e-5 zero_point = -32768 : " + input +
                     " -> " + result + "\n    qd.yield %y : " + result + "\n"),
        "row", random);
  }
}

TEST_F(IntegerRowTest, Curves) {
  for (const char *op : {"int_gelu", "int_silu"})
    for (const char *scheme : {"qd", "ibert", "ivit"})
      for (bool wide : {false, true}) {
        SCOPED_TRACE(std::string(scheme) + " " + op);
        std::string input = shapeText({3, 37}, wide ? "i16" : "i8"),
                    result = shapeText({3, 37}, "i8");
        checkDispatch(
            mainText(
                {input}, result,
                std::string("    %y = qd.") + op + " %x0 scheme(" + scheme +
                    ") scale = " + (wide ? "2.0e-4" : "3.0e-2") +
                    " zero_point = 5 to 2.0e-2 zero_point = -100 : " + input +
                    " -> " + result + "\n    qd.yield %y : " + result + "\n"),
            "generic", random, 0, false);
      }
}

} // namespace

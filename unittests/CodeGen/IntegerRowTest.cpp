// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer softmax and norm kernels against the interpreter, bit for bit: every
// scheme, codes of 8 and 16 bits in and out, at the edges of lanes and blocks.

#include "Check.h"
#include "RowText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class IntegerRowTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
  IntegerRowText text{random};
};

TEST_F(IntegerRowTest, SoftmaxLengths) {
  for (const char *scheme : {"qd", "ibert", "ivit"})
    for (int64_t length : {1, 15, 16, 17, 64, 100})
      for (bool wide : {false, true}) {
        SCOPED_TRACE(std::string(scheme) + " " + std::to_string(length));
        checkDispatch(
            text.softmax({2, 3, length}, scheme, wide, wide && length % 2),
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
          checkDispatch(text.norm(op, {2, 3, length}, 2, scheme, wide,
                                  wide && length % 2),
                        "row", random, 0, length < 64);
        }
}

TEST_F(IntegerRowTest, NormOfSeveralDimensions) {
  checkDispatch(text.norm("int_layer_norm", {3, 5, 7}, 1, "qd", true, false),
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

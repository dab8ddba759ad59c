// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What may follow a contraction in one kernel: chains of steps, residuals,
// other scales and result types, and the shapes of roots beside matmul and 2-D
// images.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

constexpr int64_t kRows = 13, kColumns = 70, kDepth = 37;

const std::string kMaps = "affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> "
                          "(n)>, affine_map<(m, n) -> (m, n)>";
const std::string kIdentity = "affine_map<(m, n) -> (m, n)>";
const std::string kParallel = "iterator_types = [\"parallel\", \"parallel\"]";

class EpilogueTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
  RandomConstants constants{random};

  const std::string codes = shapeText({kRows, kColumns}, "i8");
  const std::string sums = shapeText({kRows, kColumns}, "i32");
  const std::string input = shapeText({kRows, kDepth}, "i8");

  /// %acc = %x0 times constants, from zero.
  std::string matmul() {
    std::string weights = shapeText({kDepth, kColumns}, "i8");
    return "    %w = arith.constant " + constants.codes(kDepth * kColumns) +
           " : " + weights +
           "\n    %zero = arith.constant 0 : i32\n    %e = tensor.empty() : " +
           sums +
           "\n    %init = linalg.fill ins(%zero : i32) outs(%e : " + sums +
           ") -> " + sums +
           "\n    %acc = linalg.matmul ins(%x0, %w : " + input + ", " +
           weights + ") outs(%init : " + sums + ") -> " + sums + "\n";
  }
};

// The zero point that is subtracted is that of the rounding, another, the least
// code; scales of a half make ties.
TEST_F(EpilogueTest, ResidualAfterRequantize) {
  struct Case {
    int rounded, subtracted, other, result;
    std::string scale, otherScale;
  };
  std::string vector = shapeText({kColumns}, "f32");
  for (const Case &c : std::vector<Case>{{-31, -31, 8, -128, "0.71", "1.3"},
                                         {-31, 40, -128, 3, "0.5", "0.5"},
                                         {-128, -128, -31, -31, "0.5", "1.0"},
                                         {17, 17, 17, 127, "1.9", "0.25"}}) {
    std::string body =
        matmul() + "    %s = arith.constant " +
        constants.floats(kColumns, 0.001f, 0.003f) + " : " + vector +
        "\n    %eq = tensor.empty() : " + codes +
        "\n    %q = linalg.generic {indexing_maps = [" + kMaps + "], " +
        kParallel + "} ins(%acc, %s : " + sums + ", " + vector +
        ") outs(%eq : " + codes +
        ") {\n    ^bb0(%a: i32, %f: f32, %o: i8):\n      %z = "
        "arith.constant " +
        number(c.rounded) +
        " : i32\n"
        "      %r = qd.requantize %a scale %f zero_point %z "
        "rounding(half_even) "
        "overflow(saturate) : i32, f32, i32 -> i8\n      linalg.yield %r : "
        "i8\n    } -> " +
        codes + "\n    %t = linalg.generic {indexing_maps = [" + kIdentity +
        ", " + kIdentity + ", " + kIdentity + "], " + kParallel +
        "} ins(%q, %x1 : " + codes + ", " + codes + ") outs(%eq : " + codes +
        ") {\n    ^bb0(%a: i8, %b: i8, %o: i8):\n      %za = arith.constant " +
        number(c.subtracted) +
        " : i32\n"
        "      %zb = arith.constant " +
        number(c.other) +
        " : i32\n"
        "      %sa = arith.constant " +
        c.scale +
        " : f32\n"
        "      %sb = arith.constant " +
        c.otherScale +
        " : f32\n      %one = arith.constant 1.0 : f32\n"
        "      %z = arith.constant " +
        number(c.result) +
        " : i32\n"
        "      %a32 = arith.extsi %a : i8 to i32\n"
        "      %ac = arith.subi %a32, %za : i32\n"
        "      %af = arith.sitofp %ac : i32 to f32\n"
        "      %as = arith.mulf %af, %sa : f32\n"
        "      %b32 = arith.extsi %b : i8 to i32\n"
        "      %bc = arith.subi %b32, %zb : i32\n"
        "      %bf = arith.sitofp %bc : i32 to f32\n"
        "      %bs = arith.mulf %bf, %sb : f32\n"
        "      %x = arith.addf %as, %bs : f32\n"
        "      %r = qd.quantize %x scale %one zero_point %z "
        "rounding(half_even) "
        "overflow(saturate) : f32, f32, i32 -> i8\n      linalg.yield %r : "
        "i8\n    } -> " +
        codes + "\n    qd.yield %t : " + codes + "\n";
    checkDispatch(mainText({input, codes}, codes, body), "contraction", random);
  }
}

TEST_F(EpilogueTest, DyadicRescale) {
  std::string vector = shapeText({kColumns}, "i32");
  for (const char *rounding : {"half_even", "half_up", "half_away"}) {
    std::string body = matmul() + "    %m = arith.constant " +
                       constants.words(kColumns, 1 << 30) + " : " + vector +
                       "\n    %eq = tensor.empty() : " + codes +
                       "\n    %q = linalg.generic {indexing_maps = [" + kMaps +
                       "], " + kParallel + "} ins(%acc, %m : " + sums + ", " +
                       vector + ") outs(%eq : " + codes +
                       ") {\n    ^bb0(%a: i32, %k: i32, %o: i8):\n      %n = "
                       "arith.constant 39 : i32\n"
                       "      %z = arith.constant -5 : i32\n"
                       "      %r = qd.rescale %a multiplier %k shift %n "
                       "zero_point %z rounding(" +
                       rounding +
                       ") overflow(saturate) : i32, i32, i32, i32 -> i8\n"
                       "      %zc = arith.constant -5 : i8\n      %c = "
                       "arith.maxsi %r, %zc : i8\n"
                       "      linalg.yield %c : i8\n    } -> " +
                       codes + "\n    qd.yield %q : " + codes + "\n";
    checkDispatch(mainText({input}, codes, body), "contraction", random);
  }
}

TEST_F(EpilogueTest, FloatResult) {
  std::string floats = shapeText({kRows, kColumns}, "f32");
  std::string body = matmul() + "    %eq = tensor.empty() : " + floats +
                     "\n    %q = linalg.generic {indexing_maps = [" +
                     kIdentity + ", " + kIdentity + "], " + kParallel +
                     "} ins(%acc : " + sums + ") outs(%eq : " + floats +
                     ") {\n    ^bb0(%a: i32, %o: f32):\n      %s = "
                     "arith.constant 0.0123 : f32\n"
                     "      %f = arith.sitofp %a : i32 to f32\n      %r = "
                     "arith.mulf %f, %s : f32\n"
                     "      linalg.yield %r : f32\n    } -> " +
                     floats + "\n    qd.yield %q : " + floats + "\n";
  checkDispatch(mainText({input}, floats, body), "contraction", random);
}

TEST_F(EpilogueTest, PlainSums) {
  checkDispatch(
      mainText({input}, sums, matmul() + "    qd.yield %acc : " + sums + "\n"),
      "contraction", random);
}

TEST_F(EpilogueTest, TransposedWeights) {
  std::string weights = shapeText({kColumns, kDepth}, "i8");
  std::string body =
      "    %w = arith.constant " + constants.codes(kDepth * kColumns) + " : " +
      weights +
      "\n    %zero = arith.constant 0 : i32\n    %e = tensor.empty() : " +
      sums + "\n    %init = linalg.fill ins(%zero : i32) outs(%e : " + sums +
      ") -> " + sums +
      "\n    %acc = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> "
      "(m, k)>, "
      "affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], "
      "iterator_types "
      "= [\"parallel\", \"parallel\", \"reduction\"]} ins(%x0, %w : " +
      input + ", " + weights + ") outs(%init : " + sums +
      ") {\n    ^bb0(%a: i8, %b: i8, %s: i32):\n      %a32 = arith.extsi %a : "
      "i8 to i32\n"
      "      %b32 = arith.extsi %b : i8 to i32\n      %m = arith.muli %a32, "
      "%b32 : i32\n"
      "      %t = arith.addi %s, %m : i32\n      linalg.yield %t : i32\n    } "
      "-> " +
      sums + "\n    qd.yield %acc : " + sums + "\n";
  checkDispatch(mainText({input}, sums, body), "contraction", random);
}

TEST_F(EpilogueTest, OneDimensionalConv) {
  std::string image = shapeText({2, 25, 20}, "i8"),
              filter = shapeText({5, 20, 33}, "i8");
  std::string out = shapeText({2, 11, 33}, "i32");
  std::string body =
      "    %w = arith.constant " + constants.codes(5 * 20 * 33) + " : " +
      filter +
      "\n    %zero = arith.constant 7 : i32\n    %e = tensor.empty() : " + out +
      "\n    %init = linalg.fill ins(%zero : i32) outs(%e : " + out + ") -> " +
      out +
      "\n    %acc = linalg.conv_1d_nwc_wcf {strides = dense<2> : "
      "tensor<1xi64>, "
      "dilations = dense<1> : tensor<1xi64>} ins(%x0, %w : " +
      image + ", " + filter + ") outs(%init : " + out + ") -> " + out +
      "\n    qd.yield %acc : " + out + "\n";
  checkDispatch(mainText({image}, out, body), "contraction", random);
}

} // namespace

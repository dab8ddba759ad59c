// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element-wise chains, look-ups, data movement, and what only the generic road
// can do.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class ElementwiseTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

/// Residual addition of two grids, one operand a channel scale.
std::string residualText(std::mt19937 &random, std::vector<int64_t> shape) {
  RandomConstants constants{random};
  std::string code = shapeText(shape, "i8"),
              vector = shapeText({shape.back()}, "f32");
  std::string dims = "d0";
  std::string iterators = "\"parallel\"";
  for (size_t i = 1; i < shape.size(); ++i) {
    dims += ", d" + std::to_string(i);
    iterators += ", \"parallel\"";
  }
  std::string identity = "affine_map<(" + dims + ") -> (" + dims + ")>";
  std::string channel = "affine_map<(" + dims + ") -> (d" +
                        std::to_string(shape.size() - 1) + ")>";
  return mainText({code, code}, code,
                  "    %s = arith.constant " +
                      constants.floats(shape.back(), 0.2f, 1.5f) + " : " +
                      vector + "\n    %e = tensor.empty() : " + code +
                      "\n    %q = linalg.generic {indexing_maps = [" +
                      identity + ", " + identity + ", " + channel + ", " +
                      identity + "], iterator_types = [" + iterators +
                      "]} ins(%x0, %x1, %s : " + code + ", " + code + ", " +
                      vector + ") outs(%e : " + code +
                      ") {\n    ^bb0(%a: i8, %b: i8, %f: f32, %o: i8):\n"
                      "      %za = arith.constant 13 : i32\n      %one = "
                      "arith.constant 1.0 : f32\n"
                      "      %sb = arith.constant 0.37 : f32\n      %z = "
                      "arith.constant -3 : i32\n"
                      "      %a32 = arith.extsi %a : i8 to i32\n      %ac = "
                      "arith.subi %a32, %za : i32\n"
                      "      %af = arith.sitofp %ac : i32 to f32\n      %as = "
                      "arith.mulf %af, %f : f32\n"
                      "      %bs = qd.dequantize %b scale %sb zero_point %za : "
                      "i8, f32, i32 -> f32\n"
                      "      %t = arith.addf %as, %bs : f32\n"
                      "      %r = qd.quantize %t scale %one zero_point %z "
                      "rounding(half_even) "
                      "overflow(saturate) : f32, f32, i32 -> i8\n"
                      "      %zc = arith.constant -3 : i8\n      %m = "
                      "arith.maxsi %r, %zc : i8\n"
                      "      linalg.yield %m : i8\n    } -> " +
                      code + "\n    qd.yield %q : " + code + "\n");
}

TEST_F(ElementwiseTest, ResidualAdd) {
  for (auto shape : std::vector<std::vector<int64_t>>{
           {1, 3, 5, 64}, {2, 7, 33}, {4, 3}, {1, 20, 20, 24}, {17}, {1, 1}})
    checkDispatch(residualText(random, shape), "elementwise", random);
}

/// One input, one generic with an identity map.
std::string unaryText(std::vector<int64_t> shape, const std::string &from,
                      const std::string &to, const std::string &payload) {
  std::string in = shapeText(shape, from), out = shapeText(shape, to);
  return mainText(
      {in}, out,
      "    %e = tensor.empty() : " + out +
          "\n    %q = linalg.generic {indexing_maps = [affine_map<(a, b) -> "
          "(a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = "
          "[\"parallel\", \"parallel\"]} ins(%x0 : " +
          in + ") outs(%e : " + out + ") {\n    ^bb0(%a: " + from +
          ", %o: " + to + "):\n" + payload + "      linalg.yield %r : " + to +
          "\n    } -> " + out + "\n    qd.yield %q : " + out + "\n");
}

TEST_F(ElementwiseTest, QuantizeAndBack) {
  std::string quantize =
      "      %s = arith.constant 0.031 : f32\n      %z = arith.constant 4 : "
      "i32\n"
      "      %r = qd.quantize %a scale %s zero_point %z rounding(half_even) "
      "overflow(saturate) : f32, f32, i32 -> i8\n";
  std::string dequantize = "      %s = arith.constant 0.031 : f32\n      %z = "
                           "arith.constant 4 : i32\n"
                           "      %r = qd.dequantize %a scale %s zero_point %z "
                           ": i8, f32, i32 -> f32\n";
  std::string unsignedCodes =
      "      %s = arith.constant 0.031 : f32\n      %z = arith.constant 120 : "
      "i32\n"
      "      %r = qd.quantize %a scale %s zero_point %z rounding(half_away) "
      "overflow(saturate) : f32, f32, i32 -> !qd.uint<8>\n";
  for (std::vector<int64_t> shape :
       {std::vector<int64_t>{3, 50}, {100, 100}, {1, 7}}) {
    checkDispatch(unaryText(shape, "f32", "i8", quantize), "elementwise",
                  random);
    checkDispatch(unaryText(shape, "i8", "f32", dequantize), "elementwise",
                  random);
    checkDispatch(unaryText(shape, "f32", "!qd.uint<8>", unsignedCodes),
                  "elementwise", random);
  }
}

TEST_F(ElementwiseTest, WideCodes) {
  auto quantize = [](const std::string &zeroPoint) {
    return "      %s = arith.constant 0.00011 : f32\n      %z = "
           "arith.constant " +
           zeroPoint +
           " : i32\n"
           "      %r = qd.quantize %a scale %s zero_point %z "
           "rounding(half_even) overflow(saturate) : f32, f32, i32 -> i16\n";
  };
  std::string requantize =
      "      %s = arith.constant 0.031 : f32\n      %z = arith.constant -700 "
      ": i32\n"
      "      %r = qd.requantize %a scale %s zero_point %z rounding(half_even) "
      "overflow(saturate) : i32, f32, i32 -> i16\n";
  std::string bytes = "      %n = arith.constant 8 : i16\n"
                      "      %h = arith.shrsi %a, %n : i16\n"
                      "      %r = arith.trunci %h : i16 to i8\n";
  for (std::vector<int64_t> shape :
       {std::vector<int64_t>{3, 50}, {64, 32}, {1, 7}}) {
    for (const char *zeroPoint : {"-32768", "4", "32767"})
      checkDispatch(unaryText(shape, "f32", "i16", quantize(zeroPoint)),
                    "elementwise", random);
    checkDispatch(unaryText(shape, "i32", "i16", requantize), "elementwise",
                  random);
    checkDispatch(unaryText(shape, "i16", "i8", bytes), "elementwise", random);
  }
}

TEST_F(ElementwiseTest, SpecialFloatsQuantize) {
  for (const char *code : {"i8", "i16"}) {
    std::string payload =
        "      %zero = arith.constant 0.0 : f32\n      %big = arith.constant "
        "3.0e38 : f32\n"
        "      %c = arith.mulf %a, %big : f32\n      %d = arith.mulf %c, %zero "
        ": "
        "f32\n"
        "      %n = arith.addf %c, %d : f32\n      %s = arith.constant 1.0e-3 "
        ": "
        "f32\n"
        "      %z = arith.constant -9 : i32\n"
        "      %r = qd.quantize %n scale %s zero_point %z rounding(half_even) "
        "overflow(saturate) : f32, f32, i32 -> " +
        std::string(code) + "\n";
    checkDispatch(unaryText({9, 31}, "f32", code, payload), "elementwise",
                  random);
  }
}

TEST_F(ElementwiseTest, FloatFunctions) {
  for (const char *op :
       {"math.exp", "math.tanh", "math.erf", "math.sqrt", "math.absf"})
    checkDispatch(unaryText({5, 37}, "f32", "f32",
                            std::string("      %r = ") + op + " %a : f32\n"),
                  "elementwise", random);
}

TEST_F(ElementwiseTest, Comparisons) {
  checkDispatch(unaryText({5, 37}, "f32", "i1",
                          "      %z = arith.constant 0.5 : f32\n"
                          "      %r = arith.cmpf olt, %a, %z : f32\n"),
                "elementwise", random);
}

TEST_F(ElementwiseTest, Rescale) {
  RandomConstants constants{random};
  std::string in = shapeText({6, 40}, "i32"), out = shapeText({6, 40}, "i8");
  std::string body =
      "    %m = arith.constant " + constants.words(40, 1 << 30) + " : " +
      shapeText({40}, "i32") + "\n    %e = tensor.empty() : " + out +
      "\n    %q = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, "
      "b)>, "
      "affine_map<(a, b) -> (b)>, affine_map<(a, b) -> (a, b)>], "
      "iterator_types = "
      "[\"parallel\", \"parallel\"]} ins(%x0, %m : " +
      in + ", " + shapeText({40}, "i32") + ") outs(%e : " + out +
      ") {\n    ^bb0(%a: i32, %k: i32, %o: i8):\n      %n = arith.constant 54 "
      ": i32\n"
      "      %z = arith.constant 2 : i32\n      %abs = math.absi %k : i32\n"
      "      %r = qd.rescale %a multiplier %abs shift %n zero_point %z "
      "rounding(half_even) overflow(saturate) : i32, i32, i32, i32 -> i8\n"
      "      linalg.yield %r : i8\n    } -> " +
      out + "\n    qd.yield %q : " + out + "\n";
  checkDispatch(mainText({in}, out, body), "elementwise", random);
}

TEST_F(ElementwiseTest, Lookup) {
  RandomConstants constants{random};
  for (auto shape : std::vector<std::vector<int64_t>>{{3, 21}, {64, 64}}) {
    for (int from : {8, 16})
      for (int to : {8, 16}) {
        std::string code = shapeText(shape, "i" + std::to_string(from)),
                    entry = shapeText(shape, "i" + std::to_string(to)),
                    table = shapeText({int64_t(1) << from},
                                      "i" + std::to_string(to));
        // Bytes make entries of any width.
        std::string entries = constants.codes((1 << from) * to / 8, -128, 127);
        checkDispatch(mainText({code}, entry,
                               "    %t = arith.constant " + entries + " : " +
                                   table + "\n    %r = qd.lookup %x0, %t : " +
                                   code + ", " + table + " -> " + entry +
                                   "\n    qd.yield %r : " + entry + "\n"),
                      "lookup", random);
      }
  }
}

TEST_F(ElementwiseTest, Movement) {
  std::string nchw = shapeText({2, 5, 6, 7}, "i8"),
              nhwc = shapeText({2, 6, 7, 5}, "i8");
  checkDispatch(
      mainText({nchw}, nhwc,
               "    %e = tensor.empty() : " + nhwc +
                   "\n    %t = linalg.transpose ins(%x0 : " + nchw +
                   ") outs(%e : " + nhwc +
                   ") permutation = [0, 2, 3, 1]\n    qd.yield %t : " + nhwc +
                   "\n"),
      "copy", random);
  std::string big = shapeText({9, 40}, "f32"),
              small = shapeText({4, 21}, "f32");
  checkDispatch(
      mainText(
          {big}, small,
          "    %t = tensor.extract_slice %x0[1, 3] [4, 21] [2, 1] : " + big +
              " to " + small + "\n    qd.yield %t : " + small + "\n"),
      "copy", random);
}

/// A few planes woven into pixels have a road of their own.
TEST_F(ElementwiseTest, PlanesToPixels) {
  for (auto [planes, height, width] : std::vector<std::array<int64_t, 3>>{
           {3, 7, 9}, {3, 4, 16}, {2, 5, 5}, {8, 11, 3}, {3, 40, 41}})
    for (std::string element : {"i8", "f32"}) {
      std::string from = shapeText({1, planes, height, width}, element);
      std::string to = shapeText({1, height, width, planes}, element);
      checkDispatch(
          mainText({from}, to,
                   "    %e = tensor.empty() : " + to +
                       "\n    %t = linalg.transpose ins(%x0 : " + from +
                       ") outs(%e : " + to +
                       ") permutation = [0, 2, 3, 1]\n    qd.yield %t : " + to +
                       "\n"),
          "copy", random);
    }
}

/// Squares at the edges of registers, and what they leave over.
TEST_F(ElementwiseTest, Transposes) {
  for (auto [outer, rows, columns] : std::vector<std::array<int64_t, 3>>{
           {1, 16, 16}, {2, 17, 33}, {3, 64, 20}, {1, 131, 70}, {2, 15, 90}})
    for (std::string element : {"i8", "i16", "f32", "i64"}) {
      std::string from = shapeText({outer, rows, columns}, element);
      std::string to = shapeText({outer, columns, rows}, element);
      checkDispatch(
          mainText({from}, to,
                   "    %e = tensor.empty() : " + to +
                       "\n    %t = linalg.transpose ins(%x0 : " + from +
                       ") outs(%e : " + to +
                       ") permutation = [0, 2, 1]\n    qd.yield %t : " + to +
                       "\n"),
          "copy", random);
    }
}

TEST_F(ElementwiseTest, Concat) {
  std::string a = shapeText({2, 3, 20}, "i8"), b = shapeText({2, 3, 7}, "i8");
  std::string c = shapeText({2, 3, 27}, "i8");
  checkDispatch(mainText({a, b}, c,
                         "    %t = tensor.concat dim(2) %x0, %x1 : (" + a +
                             ", " + b + ") -> " + c +
                             "\n    qd.yield %t : " + c + "\n"),
                "copy", random);
}

TEST_F(ElementwiseTest, Pad) {
  std::string a = shapeText({1, 5, 6, 3}, "i8"),
              b = shapeText({1, 8, 9, 3}, "i8");
  checkDispatch(mainText({a}, b,
                         "    %p = arith.constant -17 : i8\n    %t = "
                         "tensor.pad %x0 low[0, 1, 3, 0] "
                         "high[0, 2, 0, 0] {\n    ^bb0(%i: index, %j: index, "
                         "%k: index, %l: index):"
                         "\n      tensor.yield %p : i8\n    } : " +
                             a + " to " + b + "\n    qd.yield %t : " + b +
                             "\n"),
                "copy", random);
}

TEST_F(ElementwiseTest, GenericRoad) {
  std::string x = shapeText({2, 5, 6}, "f32");
  // A softmax of columns has no kernel of its own.
  checkDispatch(mainText({x}, x,
                         "    %t = qd.softmax %x0 axis = 1 : " + x +
                             "\n    qd.yield %t : " + x + "\n"),
                "generic", random);
}

} // namespace

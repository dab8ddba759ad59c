// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Windows that keep channels apart as MLIR text.

#ifndef QDIALECT_UNITTESTS_CODEGEN_WINDOWTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_WINDOWTEXT_H

#include "DispatchText.h"
#include "NarrowCodes.h"

namespace qdialect::testing {

struct WindowCase {
  int64_t batch, height, width, channels, kernelY, kernelX;
  int64_t strideY = 1, strideX = 1, dilationY = 1, dilationX = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;

  int64_t paddedY() const { return height + top + bottom; }
  int64_t paddedX() const { return width + left + right; }
  int64_t outY() const {
    return (paddedY() - dilationY * (kernelY - 1) - 1) / strideY + 1;
  }
  int64_t outX() const {
    return (paddedX() - dilationX * (kernelX - 1) - 1) / strideX + 1;
  }
  std::string strides() const {
    return "{strides = dense<[" + number(strideY) + ", " + number(strideX) +
           "]> : tensor<2xi64>, dilations = dense<[" + number(dilationY) +
           ", " + number(dilationX) + "]> : tensor<2xi64>}";
  }
  std::string input(const std::string &element) const {
    return shapeText({batch, height, width, channels}, element);
  }
  std::string padded(const std::string &element) const {
    return shapeText({batch, paddedY(), paddedX(), channels}, element);
  }
  std::string output(const std::string &element) const {
    return shapeText({batch, outY(), outX(), channels}, element);
  }
  /// %pad from %x0.
  std::string padText(const std::string &element,
                      const std::string &value) const {
    return "    %p = arith.constant " + value + " : " + element +
           "\n    %pad = tensor.pad %x0 low[0, " + number(top) + ", " +
           number(left) + ", 0] high[0, " + number(bottom) + ", " +
           number(right) +
           ", 0] {\n    ^bb0(%i: index, %j: index, %k: index, %l: index):\n"
           "      tensor.yield %p : " +
           element + "\n    } : " + input(element) + " to " + padded(element) +
           "\n";
  }
};

inline const std::string kIdentity = "affine_map<(n, y, x, c) -> (n, y, x, c)>";
inline const std::string kChannel = "affine_map<(n, y, x, c) -> (c)>";
inline const std::string kParallel =
    "[\"parallel\", \"parallel\", \"parallel\", \"parallel\"]";

/// %q from %acc of `type`s with one scale a channel.
inline std::string requantizeText(const WindowCase &c,
                                  const std::string &scales) {
  std::string vector = shapeText({c.channels}, "f32");
  return "    %scale = arith.constant " + scales + " : " + vector +
         "\n    %eq = tensor.empty() : " + c.output("i8") +
         "\n    %q = linalg.generic {indexing_maps = [" + kIdentity + ", " +
         kChannel + ", " + kIdentity + "], iterator_types = " + kParallel +
         "} ins(%acc, %scale : " + c.output("i32") + ", " + vector +
         ") outs(%eq : " + c.output("i8") +
         ") {\n    ^bb0(%a: i32, %s: f32, %o: i8):\n      %z = arith.constant "
         "-7 : i32\n"
         "      %r = qd.requantize %a scale %s zero_point %z "
         "rounding(half_even) "
         "overflow(saturate) : i32, f32, i32 -> i8\n      linalg.yield %r : "
         "i8\n    } -> " +
         c.output("i8") + "\n    qd.yield %q : " + c.output("i8") + "\n";
}

inline std::string depthwiseText(std::mt19937 &random, const WindowCase &c,
                                 bool isFloat, const Codes &codes = {}) {
  RandomConstants constants{random};
  std::string code = isFloat ? "f32" : "i8", sum = isFloat ? "f32" : "i32";
  int64_t count = c.kernelY * c.kernelX * c.channels;
  std::string filter = shapeText({c.kernelY, c.kernelX, c.channels}, code);
  std::string bias = shapeText({c.channels}, sum);
  std::string body =
      c.padText(code, isFloat ? "0.5" : "-100") + "    %w = arith.constant " +
      (isFloat ? constants.floats(count, -1, 1)
               : codes.text(constants, count, c.channels)) +
      " : " + filter + "\n    %bias = arith.constant " +
      (isFloat ? constants.floats(c.channels, -1, 1)
               : constants.words(c.channels, 900)) +
      " : " + bias + "\n    %e = tensor.empty() : " + c.output(sum) +
      "\n    %init = linalg.generic {indexing_maps = [" + kChannel + ", " +
      kIdentity + "], iterator_types = " + kParallel + "} ins(%bias : " + bias +
      ") outs(%e : " + c.output(sum) + ") {\n    ^bb0(%b: " + sum +
      ", %o: " + sum + "):\n      linalg.yield %b : " + sum + "\n    } -> " +
      c.output(sum) + "\n    %acc = linalg.depthwise_conv_2d_nhwc_hwc " +
      c.strides() + " ins(%pad, %w : " + c.padded(code) + ", " + filter +
      ") outs(%init : " + c.output(sum) + ") -> " + c.output(sum) + "\n";
  body += isFloat
              ? "    qd.yield %acc : " + c.output(sum) + "\n"
              : requantizeText(c, constants.floats(c.channels, 0.001f, 0.01f));
  return mainText({c.input(code)}, c.output(isFloat ? "f32" : "i8"), body);
}

inline std::string maxText(const WindowCase &c, const std::string &code) {
  std::string lowest = code == "f32"   ? "0xFF800000"
                       : code == "i16" ? "-32768"
                                       : "-128";
  std::string window = shapeText({c.kernelY, c.kernelX}, code);
  return mainText(
      {c.input(code)}, c.output(code),
      c.padText(code, lowest) + "    %e = tensor.empty() : " + c.output(code) +
          "\n    %f = linalg.fill ins(%p : " + code +
          ") outs(%e : " + c.output(code) + ") -> " + c.output(code) +
          "\n    %w = tensor.empty() : " + window +
          "\n    %m = linalg.pooling_nhwc_max " + c.strides() +
          " ins(%pad, %w : " + c.padded(code) + ", " + window +
          ") outs(%f : " + c.output(code) + ") -> " + c.output(code) +
          "\n    qd.yield %m : " + c.output(code) + "\n");
}

inline std::string sumText(std::mt19937 &random, const WindowCase &c) {
  RandomConstants constants{random};
  std::string window = shapeText({c.kernelY, c.kernelX}, "i8");
  return mainText(
      {c.input("i8")}, c.output("i8"),
      c.padText("i8", "11") +
          "    %k = arith.constant -77 : i32\n    %e = tensor.empty() : " +
          c.output("i32") +
          "\n    %f = linalg.fill ins(%k : i32) outs(%e : " + c.output("i32") +
          ") -> " + c.output("i32") + "\n    %w = tensor.empty() : " + window +
          "\n    %acc = linalg.pooling_nhwc_sum " + c.strides() +
          " ins(%pad, %w : " + c.padded("i8") + ", " + window +
          ") outs(%f : " + c.output("i32") + ") -> " + c.output("i32") + "\n" +
          requantizeText(c, constants.floats(c.channels, 0.05f, 0.2f)));
}

/// The mean over the image, as reductions are written after import.
inline std::string globalSumText(int64_t batch, int64_t size,
                                 int64_t channels) {
  std::string input = shapeText({batch, size, size, channels}, "f32");
  std::string output = shapeText({batch, channels}, "f32");
  return mainText(
      {input}, output,
      "    %k = arith.constant 0.0 : f32\n    %e = tensor.empty() : " + output +
          "\n    %f = linalg.fill ins(%k : f32) outs(%e : " + output + ") -> " +
          output +
          "\n    %acc = linalg.generic {indexing_maps = [affine_map<(n, y, x, "
          "c) -> (n, "
          "y, x, c)>, affine_map<(n, y, x, c) -> (n, c)>], iterator_types = "
          "[\"parallel\", \"reduction\", \"reduction\", \"parallel\"]} ins(%x0 "
          ": " +
          input + ") outs(%f : " + output +
          ") {\n    ^bb0(%a: f32, %s: f32):\n      %t = arith.addf %s, %a : "
          "f32\n"
          "      linalg.yield %t : f32\n    } -> " +
          output + "\n    %e2 = tensor.empty() : " + output +
          "\n    %d = arith.constant " + number(size * size) +
          ".0 : f32\n    %m = linalg.generic {indexing_maps = [affine_map<(n, "
          "c) -> (n, "
          "c)>, affine_map<(n, c) -> (n, c)>], iterator_types = [\"parallel\", "
          "\"parallel\"]} ins(%acc : " +
          output + ") outs(%e2 : " + output +
          ") {\n    ^bb0(%a: f32, %o: f32):\n      %q = arith.divf %a, %d : "
          "f32\n"
          "      linalg.yield %q : f32\n    } -> " +
          output + "\n    qd.yield %m : " + output + "\n");
}

inline const WindowCase kCases[] = {
    {1, 1, 1, 1, 1, 1},
    {1, 7, 6, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {2, 9, 5, 70, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1},
    {1, 11, 13, 33, 3, 2, 2, 1, 2, 3, 2, 1, 0, 3},
    {1, 12, 12, 96, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2},
    {1, 5, 5, 200, 5, 5},
    {2, 5, 90, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 23, 70, 48, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3},
    {3, 9, 1, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
};

/// More taps than a kernel keeps a table of: the whole image, windows that move
/// over it with gaps, a column, a row.
inline const WindowCase kLargeCases[] = {
    {1, 12, 15, 70, 12, 15},
    {2, 27, 14, 33, 12, 11, 2, 1, 2, 1},
    {1, 163, 3, 20, 150, 1, 3, 2},
    {3, 2, 140, 64, 1, 129, 1, 5},
};

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_WINDOWTEXT_H

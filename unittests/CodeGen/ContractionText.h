// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches with a product or convolution of codes and a requantization.

#ifndef QDIALECT_UNITTESTS_CODEGEN_CONTRACTIONTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_CONTRACTIONTEXT_H

#include "DispatchText.h"
#include "NarrowCodes.h"

namespace qdialect::testing {

using Shape = std::vector<int64_t>;

/// Requantization of %acc : `shape` x i32 with per-channel scales; %q is i8.
inline std::string requantizeText(RandomConstants &constants,
                                  const Shape &shape, int64_t reduction,
                                  int zeroPoint, const std::string &after = "",
                                  const std::string &last = "%c") {
  std::string dims, channel = "d" + number(shape.size() - 1);
  for (size_t i = 0; i < shape.size(); ++i)
    dims += (i ? ", d" : "d") + number(i);
  std::string iterators;
  for (size_t i = 0; i < shape.size(); ++i)
    iterators += i ? ", \"parallel\"" : "\"parallel\"";
  float scale = 100.0f / (4000.0f * std::sqrt(static_cast<float>(reduction)));
  std::string i8 = shapeText(shape, "i8"), i32 = shapeText(shape, "i32");
  std::string vector = "tensor<" + number(shape.back()) + "xf32>";
  return "    %scale = arith.constant " +
         constants.floats(shape.back(), 0.5f * scale, 2 * scale) + " : " +
         vector + "\n    %eq = tensor.empty() : " + i8 +
         "\n    %q = linalg.generic {indexing_maps = [affine_map<(" + dims +
         ") -> (" + dims + ")>, affine_map<(" + dims + ") -> (" + channel +
         ")>, affine_map<(" + dims + ") -> (" + dims +
         ")>], iterator_types = [" + iterators +
         "]} ins(%acc, %scale : " + i32 + ", " + vector + ") outs(%eq : " + i8 +
         ") {\n    ^bb0(%a: i32, %s: f32, %o: i8):\n      %z = "
         "arith.constant " +
         number(zeroPoint) +
         " : i32\n      %c = qd.requantize %a scale %s zero_point %z "
         "rounding(half_even) "
         "overflow(saturate) : i32, f32, i32 -> i8\n" +
         after + "      linalg.yield " + last + " : i8\n    } -> " + i8 +
         "\n    qd.yield %q : " + i8 + "\n";
}

/// %init : `shape` of i32 or f32, the bias broadcast along channels.
inline std::string initText(RandomConstants &constants, const Shape &shape,
                            bool isFloat, int magnitude = 5000) {
  std::string element = isFloat ? "f32" : "i32",
              type = shapeText(shape, element);
  std::string dims, iterators;
  for (size_t i = 0; i < shape.size(); ++i) {
    dims += (i ? ", d" : "d") + number(i);
    iterators += i ? ", \"parallel\"" : "\"parallel\"";
  }
  std::string vector = "tensor<" + number(shape.back()) + "x" + element + ">";
  std::string bias = isFloat ? constants.floats(shape.back(), -1, 1)
                             : constants.words(shape.back(), magnitude);
  return "    %bias = arith.constant " + bias + " : " + vector +
         "\n    %e = tensor.empty() : " + type +
         "\n    %init = linalg.generic {indexing_maps = [affine_map<(" + dims +
         ") -> (d" + number(shape.size() - 1) + ")>, affine_map<(" + dims +
         ") -> (" + dims + ")>], iterator_types = [" + iterators +
         "]} ins(%bias : " + vector + ") outs(%e : " + type +
         ") {\n    ^bb0(%b: " + element + ", %o: " + element +
         "):\n      linalg.yield %b : " + element + "\n    } -> " + type + "\n";
}

inline std::string matmulText(std::mt19937 &random, int64_t m, int64_t n,
                              int64_t k, const Codes &codes = {}) {
  RandomConstants constants{random};
  std::string body =
      "    %w = arith.constant " + codes.text(constants, k * n, n) + " : " +
      shapeText({k, n}, "i8") + "\n" +
      initText(constants, {m, n}, false, codes.bias) +
      "    %acc = linalg.matmul ins(%x0, %w : " + shapeText({m, k}, "i8") +
      ", " + shapeText({k, n}, "i8") +
      ") outs(%init : " + shapeText({m, n}, "i32") + ") -> " +
      shapeText({m, n}, "i32") + "\n" + requantizeText(constants, {m, n}, k, 5);
  return mainText({shapeText({m, k}, "i8")}, shapeText({m, n}, "i8"), body);
}

struct ConvCase {
  int64_t batch, height, width, channels, kernelY, kernelX, outputs;
  int64_t strideY = 1, strideX = 1, dilationY = 1, dilationX = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

inline std::string convText(std::mt19937 &random, const ConvCase &c,
                            bool isFloat, const Codes &codes = {}) {
  RandomConstants constants{random};
  int64_t paddedY = c.height + c.top + c.bottom,
          paddedX = c.width + c.left + c.right;
  int64_t outY = (paddedY - c.dilationY * (c.kernelY - 1) - 1) / c.strideY + 1;
  int64_t outX = (paddedX - c.dilationX * (c.kernelX - 1) - 1) / c.strideX + 1;
  std::string code = isFloat ? "f32" : "i8", sum = isFloat ? "f32" : "i32";
  std::string input = shapeText({c.batch, c.height, c.width, c.channels}, code);
  std::string padded = shapeText({c.batch, paddedY, paddedX, c.channels}, code);
  std::string filter =
      shapeText({c.kernelY, c.kernelX, c.channels, c.outputs}, code);
  Shape shape{c.batch, outY, outX, c.outputs};
  int64_t reduction = c.kernelY * c.kernelX * c.channels;
  std::string body =
      "    %w = arith.constant " +
      (isFloat ? constants.floats(reduction * c.outputs, -1, 1)
               : codes.text(constants, reduction * c.outputs, c.outputs)) +
      " : " + filter + "\n" + initText(constants, shape, isFloat, codes.bias);
  std::string source = "%x0";
  if (c.top || c.left || c.bottom || c.right) {
    body += "    %p = arith.constant " + std::string(isFloat ? "0.25" : "-17") +
            " : " + code + "\n    %pad = tensor.pad %x0 low[0, " +
            number(c.top) + ", " + number(c.left) + ", 0] high[0, " +
            number(c.bottom) + ", " + number(c.right) +
            ", 0] {\n    ^bb0(%i: index, %j: index, %k: index, %l: index):\n"
            "      tensor.yield %p : " +
            code + "\n    } : " + input + " to " + padded + "\n";
    source = "%pad";
  }
  body += "    %acc = linalg.conv_2d_nhwc_hwcf {strides = dense<[" +
          number(c.strideY) + ", " + number(c.strideX) +
          "]> : tensor<2xi64>, dilations = dense<[" + number(c.dilationY) +
          ", " + number(c.dilationX) + "]> : tensor<2xi64>} ins(" + source +
          ", %w : " + padded + ", " + filter +
          ") outs(%init : " + shapeText(shape, sum) + ") -> " +
          shapeText(shape, sum) + "\n";
  if (isFloat)
    body += "    qd.yield %acc : " + shapeText(shape, sum) + "\n";
  else
    body += requantizeText(constants, shape, reduction, -20,
                           "      %zc = arith.constant -20 : i8\n"
                           "      %relu = arith.maxsi %c, %zc : i8\n"
                           "      %six = arith.constant 90 : i8\n"
                           "      %clip = arith.minsi %relu, %six : i8\n",
                           "%clip");
  return mainText({input}, shapeText(shape, isFloat ? "f32" : "i8"), body);
}

/// NHWGC image, HWGCF filter: what a grouped convolution is after normalize.
inline std::string groupedText(std::mt19937 &random, int64_t size,
                               int64_t groups, int64_t channels,
                               int64_t outputs, int64_t kernel,
                               const Codes &weights = {}) {
  RandomConstants constants{random};
  int64_t out = size - kernel + 1;
  std::string input = shapeText({1, size, size, groups, channels}, "i8");
  std::string filter =
      shapeText({kernel, kernel, groups, channels, outputs}, "i8");
  std::string sums = shapeText({1, out, out, groups, outputs}, "i32");
  std::string codes = shapeText({1, out, out, groups, outputs}, "i8");
  std::string bias = shapeText({groups, outputs}, "i32");
  std::string identity = "affine_map<(n, y, x, g, f) -> (n, y, x, g, f)>";
  std::string parallel =
      "[\"parallel\", \"parallel\", \"parallel\", \"parallel\", \"parallel\"]";
  std::string body =
      "    %w = arith.constant " +
      weights.text(constants, kernel * kernel * groups * channels * outputs,
                   outputs) +
      " : " + filter + "\n    %bias = arith.constant " +
      constants.words(groups * outputs, 3000) + " : " + bias +
      "\n    %e = tensor.empty() : " + sums +
      "\n    %init = linalg.generic {indexing_maps = [affine_map<(n, y, x, g, "
      "f) -> (g, "
      "f)>, " +
      identity + "], iterator_types = " + parallel + "} ins(%bias : " + bias +
      ") outs(%e : " + sums +
      ") {\n    ^bb0(%b: i32, %o: i32):\n      linalg.yield %b : i32\n    } "
      "-> " +
      sums +
      "\n    %acc = linalg.generic {indexing_maps = [affine_map<(n, y, x, g, "
      "f, i, j, c) "
      "-> (n, y + i, x + j, g, c)>, affine_map<(n, y, x, g, f, i, j, c) -> (i, "
      "j, g, c, "
      "f)>, affine_map<(n, y, x, g, f, i, j, c) -> (n, y, x, g, f)>], "
      "iterator_types = "
      "[\"parallel\", \"parallel\", \"parallel\", \"parallel\", \"parallel\", "
      "\"reduction\", \"reduction\", \"reduction\"]} ins(%x0, %w : " +
      input + ", " + filter + ") outs(%init : " + sums +
      ") {\n    ^bb0(%a: i8, %b: i8, %s: i32):\n      %a32 = arith.extsi %a : "
      "i8 to i32\n"
      "      %b32 = arith.extsi %b : i8 to i32\n      %m = arith.muli %a32, "
      "%b32 : i32\n"
      "      %t = arith.addi %s, %m : i32\n      linalg.yield %t : i32\n    } "
      "-> " +
      sums + "\n    %scale = arith.constant " +
      constants.floats(groups * outputs, 0.0005f, 0.002f) + " : " +
      shapeText({groups, outputs}, "f32") +
      "\n    %eq = tensor.empty() : " + codes +
      "\n    %q = linalg.generic {indexing_maps = [" + identity +
      ", affine_map<(n, y, x, g, f) -> (g, f)>, " + identity +
      "], iterator_types = " + parallel + "} ins(%acc, %scale : " + sums +
      ", " + shapeText({groups, outputs}, "f32") + ") outs(%eq : " + codes +
      ") {\n    ^bb0(%a: i32, %s: f32, %o: i8):\n      %c = qd.requantize %a "
      "scale %s "
      "rounding(half_even) overflow(saturate) : i32, f32 -> i8\n      "
      "linalg.yield %c : "
      "i8\n    } -> " +
      codes + "\n    qd.yield %q : " + codes + "\n";
  return mainText({input}, codes, body);
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_CONTRACTIONTEXT_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of rows as MLIR text.

#ifndef QDIALECT_UNITTESTS_CODEGEN_ROWTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_ROWTEXT_H

#include "DispatchText.h"
#include <cmath>

namespace qdialect::testing {

/// `%y = <function>` on a tensor of `shape`; codes behind it if `quantized`.
inline std::string rowText(const std::vector<int64_t> &shape,
                           const std::string &head, const std::string &function,
                           bool quantized) {
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

/// Masked, infinite and NaN elements: nine a row.
inline std::vector<std::vector<float>> specialRows() {
  const float inf = INFINITY, nan = NAN;
  return {{0, -10000, 3, -10003, -87, -88.5f, -104, -103.9f, -105},
          {-3.4e38f, -3.4e38f, 1, 2, -3.4e38f, 0, -0.0f, 5, 4},
          {-inf, -inf, -inf, -inf, -inf, -inf, -inf, -inf, -inf},
          {-inf, 0, -inf, -0.0f, 1, -inf, -inf, -inf, -1},
          {inf, 0, 1, 2, 3, 4, 5, 6, 7},
          {nan, 0, 1, 2, 3, 4, 5, 6, 7},
          {0, 1, 2, 3, 4, 5, 6, 7, nan}};
}

/// Functions of floats.
struct RowText {
  std::mt19937 &random;

  std::string softmax(const std::vector<int64_t> &shape, bool quantized) {
    return rowText(shape, "",
                   "qd.softmax %x0 axis = " + number(shape.size() - 1) + " : " +
                       shapeText(shape, "f32"),
                   quantized);
  }
  std::string layerNorm(const std::vector<int64_t> &shape, size_t axis,
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
  std::string rmsNorm(const std::vector<int64_t> &shape, bool quantized) {
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
};

/// Functions of codes.
struct IntegerRowText {
  std::mt19937 &random;

  std::string softmax(const std::vector<int64_t> &shape,
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

  std::string norm(const std::string &op, const std::vector<int64_t> &shape,
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
};

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_ROWTEXT_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches with a product of two activations.

#ifndef QDIALECT_UNITTESTS_CODEGEN_PRODUCTTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_PRODUCTTEXT_H

#include "DispatchText.h"
#include <cmath>

namespace qdialect::testing {

struct Product {
  int64_t batch = 1, heads = 2, rows = 5, columns = 17, depth = 7;
  int zeroLeft = 0, zeroRight = 0;
  bool rightByColumn = true; ///< [b, n, h, k], else [b, k, h, n]
  bool headsInside = false;  ///< the result is [b, m, h, n], else [b, h, m, n]
  bool isFloat = false;
};

inline std::string productText(const Product &p) {
  std::string code = p.isFloat ? "f32" : "i8", sum = p.isFloat ? "f32" : "i32";
  std::string left = shapeText({p.batch, p.rows, p.heads, p.depth}, code);
  std::string right =
      p.rightByColumn ? shapeText({p.batch, p.columns, p.heads, p.depth}, code)
                      : shapeText({p.batch, p.depth, p.heads, p.columns}, code);
  std::vector<int64_t> shape =
      p.headsInside ? std::vector<int64_t>{p.batch, p.rows, p.heads, p.columns}
                    : std::vector<int64_t>{p.batch, p.heads, p.rows, p.columns};
  std::string loops = "affine_map<(b, h, m, n, k) -> ";
  std::string maps = loops + "(b, m, h, k)>, " + loops +
                     (p.rightByColumn ? "(b, n, h, k)>, " : "(b, k, h, n)>, ") +
                     loops +
                     (p.headsInside ? "(b, m, h, n)>" : "(b, h, m, n)>");
  std::string result = shapeText(shape, sum);
  std::string body =
      "    %z = arith.constant " + std::string(p.isFloat ? "0.0" : "0") +
      " : " + sum + "\n    %e = tensor.empty() : " + result +
      "\n    %i = linalg.fill ins(%z : " + sum + ") outs(%e : " + result +
      ") -> " + result + "\n    %acc = linalg.generic {indexing_maps = [" +
      maps +
      "], iterator_types = [\"parallel\", \"parallel\", "
      "\"parallel\", \"parallel\", \"reduction\"]} ins(%x0, "
      "%x1 : " +
      left + ", " + right + ") outs(%i : " + result +
      ") {\n    ^bb0(%a: " + code + ", %b: " + code + ", %o: " + sum + "):\n";
  if (p.isFloat)
    return mainText({left, right}, result,
                    body +
                        "      %p = arith.mulf %a, %b : f32\n"
                        "      %s = arith.addf %o, %p : f32\n"
                        "      linalg.yield %s : f32\n    } -> " +
                        result + "\n    qd.yield %acc : " + result + "\n");
  body += "      %zl = arith.constant " + number(p.zeroLeft) +
          " : i32\n      %zr = arith.constant " + number(p.zeroRight) +
          " : i32\n      %a32 = arith.extsi %a : i8 to i32\n"
          "      %b32 = arith.extsi %b : i8 to i32\n" +
          (p.zeroLeft ? "      %ac = arith.subi %a32, %zl : i32\n" : "") +
          (p.zeroRight ? "      %bc = arith.subi %b32, %zr : i32\n" : "") +
          "      %p = arith.muli " + (p.zeroLeft ? "%ac" : "%a32") + ", " +
          (p.zeroRight ? "%bc" : "%b32") +
          " : i32\n      %s = arith.addi %o, %p : i32\n"
          "      linalg.yield %s : i32\n    } -> " +
          result + "\n";
  // A broadcast operand as a mask has, then codes.
  std::string mask = shapeText({p.batch, p.columns}, "f32"),
              codes = shapeText(shape, "i8");
  float scale = 40.0f / (6000.0f * std::sqrt(static_cast<float>(p.depth)));
  std::string identity = "affine_map<(i, j, k, l) -> (i, j, k, l)>";
  body += "    %eq = tensor.empty() : " + codes +
          "\n    %q = linalg.generic {indexing_maps = [" + identity +
          ", affine_map<(i, j, k, l) -> (i, l)>, " + identity +
          "], iterator_types = [\"parallel\", \"parallel\", \"parallel\", "
          "\"parallel\"]} ins(%acc, %x2 : " +
          result + ", " + mask + ") outs(%eq : " + codes +
          ") {\n    ^bb0(%v: i32, %m: f32, %o: i8):\n"
          "      %sc = arith.constant " +
          std::to_string(scale) +
          " : f32\n      %one = arith.constant 1.0 : f32\n"
          "      %zp = arith.constant -3 : i32\n"
          "      %f = arith.sitofp %v : i32 to f32\n"
          "      %t = arith.mulf %f, %sc : f32\n"
          "      %u = arith.addf %t, %m : f32\n"
          "      %c = qd.quantize %u scale %one zero_point %zp "
          "rounding(half_even) overflow(saturate) : f32, f32, i32 -> i8\n"
          "      linalg.yield %c : i8\n    } -> " +
          codes + "\n    qd.yield %q : " + codes + "\n";
  return mainText({left, right, mask}, codes, body);
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_PRODUCTTEXT_H

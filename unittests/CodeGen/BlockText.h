// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches of products with blocked weights, bias and relu behind them.

#ifndef QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H

#include "DispatchText.h"

namespace qdialect::testing {

/// int8 activations times codes with scales by blocks.
struct BlockDotProduct {
  int64_t m, n, k, block;
  std::string codes; ///< element type
  int low, high;     ///< of codes
  /// Of zero points; none if low > high.
  int lowZero = 1, highZero = 0;
  bool scaleByBlock = true;
};

/// Yields relu(%acc + a bias) of m x n; %e and %c0 (0.0) are there.
inline std::string reluOfSumText(RandomConstants &constants, int64_t m,
                                 int64_t n) {
  std::string y = shapeText({m, n}, "f32"), bias = shapeText({n}, "f32");
  return "    %b = arith.constant " + constants.floats(n, -1, 1) + " : " +
         bias +
         "\n    %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> "
         "(m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], "
         "iterator_types = [\"parallel\", \"parallel\"]} ins(%acc, %b : " +
         y + ", " + bias + ") outs(%e : " + y +
         ") {\n    ^bb0(%a: f32, %v: f32, %o: f32):\n      %t = arith.addf "
         "%a, %v : f32\n      %u = arith.maximumf %t, %c0 : f32\n      "
         "linalg.yield %u : f32\n    } -> " +
         y + "\n    qd.yield %r : " + y + "\n";
}

/// relu(x * w + bias).
inline std::string blockDotText(std::mt19937 &random,
                                const BlockDotProduct &p) {
  RandomConstants constants{random};
  int64_t blocks = (p.k + p.block - 1) / p.block;
  bool hasZeros = p.lowZero <= p.highZero;
  std::string codes = shapeText({p.k, p.n}, p.codes),
              scales = shapeText({blocks, p.n}, "f32"),
              zeros = shapeText({blocks, p.n}, "i32"),
              x = shapeText({p.m, p.k}, "i8"),
              sx = shapeText({p.m, p.scaleByBlock ? blocks : 1}, "f32"),
              y = shapeText({p.m, p.n}, "f32"), bias = shapeText({p.n}, "f32");
  std::string body =
      "    %w = arith.constant " + constants.matrix(p.k, p.n, p.low, p.high) +
      " : " + codes + "\n    %s = arith.constant " +
      constants.floats(blocks * p.n, 0.01f, 0.1f) + " : " + scales + "\n";
  if (hasZeros)
    body += "    %z = arith.constant " +
            constants.matrix(blocks, p.n, p.lowZero, p.highZero) + " : " +
            zeros + "\n";
  body +=
      "    %acc = qd.block_matmul %x0 scale %x1, %w scale %s " +
      std::string(hasZeros ? "zero_point %z " : "") +
      "block = " + std::to_string(p.block) + " : " + x + ", " + sx + ", " +
      codes + ", " + scales + (hasZeros ? ", " + zeros : "") + " -> " + y +
      "\n    %c0 = arith.constant 0.0 : f32\n    %e = tensor.empty() : " + y +
      "\n" + reluOfSumText(constants, p.m, p.n);
  return mainText({x, sx}, y, body);
}

/// f32 activations times such codes.
struct BlockWeightsProduct {
  int64_t m, n, k, block;
  std::string codes; ///< element type
  int low, high;     ///< of codes and zero points
  bool zeros = true;
};

/// relu(x * dequantize(w) + bias).
inline std::string blockWeightsText(std::mt19937 &random,
                                    const BlockWeightsProduct &p) {
  RandomConstants constants{random};
  int64_t blocks = (p.k + p.block - 1) / p.block;
  std::string codes = shapeText({p.k, p.n}, p.codes),
              scales = shapeText({blocks, p.n}, "f32"),
              zeros = shapeText({blocks, p.n}, "i32"),
              weights = shapeText({p.k, p.n}, "f32"),
              x = shapeText({p.m, p.k}, "f32"),
              y = shapeText({p.m, p.n}, "f32"), bias = shapeText({p.n}, "f32");
  std::string body =
      "    %w = arith.constant " + constants.matrix(p.k, p.n, p.low, p.high) +
      " : " + codes + "\n    %s = arith.constant " +
      constants.floats(blocks * p.n, 0.01f, 0.1f) + " : " + scales + "\n";
  if (p.zeros)
    body += "    %z = arith.constant " +
            constants.matrix(blocks, p.n, p.low, p.high) + " : " + zeros + "\n";
  body +=
      "    %d = qd.dequantize %w scale %s " +
      std::string(p.zeros ? "zero_point %z " : "") + "block_sizes = [" +
      std::to_string(p.block) + ", 1] : " + codes + ", " + scales +
      (p.zeros ? ", " + zeros : "") + " -> " + weights +
      "\n    %c0 = arith.constant 0.0 : f32\n    %e = tensor.empty() : " + y +
      "\n    %f = linalg.fill ins(%c0 : f32) outs(%e : " + y + ") -> " + y +
      "\n    %acc = linalg.matmul ins(%x0, %d : " + x + ", " + weights +
      ") outs(%f : " + y + ") -> " + y + "\n" +
      reluOfSumText(constants, p.m, p.n);
  return mainText({x}, y, body);
}

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H

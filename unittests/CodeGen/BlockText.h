// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dispatches of products with blocked weights, bias and relu behind them.

#ifndef QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H
#define QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H

#include "DispatchText.h"
#include "QDialect/Numerics/Format.h"
#include "QDialect/Support/HostTensor.h"
#include <cmath>

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

/// Activations of f32, or of bytes of minifloats of 8 bits, times minifloats
/// with scales by blocks.
struct MinifloatProduct {
  int64_t m, n, k, block;
  std::string codes; ///< element type
  Format format;
  std::string activations = "f32"; ///< or the element type of their codes

  bool decodes() const { return activations != "f32"; }
};

/// A random code that is a number.
inline uint32_t finiteCode(std::mt19937 &random, const Format &format) {
  for (;;) {
    uint32_t code = random() & (format.numCodes() - 1);
    if (std::isfinite(format.decode(code)))
      return code;
  }
}

/// relu(x * dequantize(w) + bias).
inline std::string minifloatText(std::mt19937 &random,
                                 const MinifloatProduct &p) {
  RandomConstants constants{random};
  int64_t blocks = (p.k + p.block - 1) / p.block;
  std::string codes = shapeText({p.k, p.n}, p.codes),
              scales = shapeText({blocks, p.n}, "f32"),
              weights = shapeText({p.k, p.n}, "f32"),
              bytes = shapeText({p.m, p.k}, "!qd.uint<8>"),
              x = shapeText({p.m, p.k}, "f32"),
              y = shapeText({p.m, p.n}, "f32");
  // Weights of about 0.1 at most, whatever the format.
  auto least = static_cast<float>(0.01 / p.format.maxFinite());
  std::vector<uint8_t> ofWeights(p.k * p.n);
  for (uint8_t &code : ofWeights)
    code = static_cast<uint8_t>(finiteCode(random, p.format));
  std::string body = "    %w = arith.constant " + denseText(ofWeights) + " : " +
                     codes + "\n    %s = arith.constant " +
                     constants.floats(blocks * p.n, least, 10 * least) + " : " +
                     scales + "\n";
  std::string left = "%x0";
  if (p.decodes()) {
    left = "%x";
    body += "    %sx = arith.constant dense<0.011> : tensor<f32>\n    %ex = "
            "tensor.empty() : " +
            x +
            "\n    %x = linalg.generic {indexing_maps = [affine_map<(m, n) -> "
            "(m, n)>, affine_map<(m, n) -> ()>, affine_map<(m, n) -> (m, n)>], "
            "iterator_types = [\"parallel\", \"parallel\"]} ins(%x0, %sx : " +
            bytes + ", tensor<f32>) outs(%ex : " + x +
            ") {\n    ^bb0(%a: !qd.uint<8>, %v: f32, %o: f32):\n      %t = "
            "qd.storage_cast %a : !qd.uint<8> to i8\n      %u = "
            "qd.storage_cast %t : i8 to " +
            p.activations +
            "\n      %d = qd.dequantize %u scale %v : " + p.activations +
            ", f32 -> f32\n      linalg.yield %d : f32\n    } -> " + x + "\n";
  }
  body += "    %d = qd.dequantize %w scale %s block_sizes = [" +
          std::to_string(p.block) + ", 1] : " + codes + ", " + scales + " -> " +
          weights +
          "\n    %c0 = arith.constant 0.0 : f32\n    %e = "
          "tensor.empty() : " +
          y + "\n    %f = linalg.fill ins(%c0 : f32) outs(%e : " + y + ") -> " +
          y + "\n    %acc = linalg.matmul ins(" + left + ", %d : " + x + ", " +
          weights + ") outs(%f : " + y + ") -> " + y + "\n" +
          reluOfSumText(constants, p.m, p.n);
  return mainText({p.decodes() ? bytes : x}, y, body);
}

/// Finite activations of such a product.
inline HostTensor minifloatActivations(std::mt19937 &random,
                                       const MinifloatProduct &p,
                                       const Format &format) {
  HostTensor tensor(DType::U8, {p.m, p.k});
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.mutableBytes()[i] = static_cast<char>(finiteCode(random, format));
  return tensor;
}

inline Format e4m3() { return Format::minifloat(4, 3, Specials::OCP); }
inline Format e5m2() { return Format::minifloat(5, 2, Specials::IEEE); }

} // namespace qdialect::testing

#endif // QDIALECT_UNITTESTS_CODEGEN_BLOCKTEXT_H

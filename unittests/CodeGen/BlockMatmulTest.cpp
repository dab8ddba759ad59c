// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels on packed blocked weights against the interpreter, at the edges of
// tiles, panels, vectors and blocks.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

struct Product {
  int64_t m, n, k, block;
  std::string codes; ///< element type
  int low, high;     ///< of codes and zero points
  bool zeros = true;
};

/// relu(x * dequantize(w) + bias).
std::string productText(std::mt19937 &random, const Product &p) {
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
      ") outs(%f : " + y + ") -> " + y + "\n    %b = arith.constant " +
      constants.floats(p.n, -1, 1) + " : " + bias +
      "\n    %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> "
      "(m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], "
      "iterator_types = [\"parallel\", \"parallel\"]} ins(%acc, %b : " +
      y + ", " + bias + ") outs(%e : " + y +
      ") {\n    ^bb0(%a: f32, %v: f32, %o: f32):\n      %t = arith.addf "
      "%a, %v : f32\n      %u = arith.maximumf %t, %c0 : f32\n      "
      "linalg.yield %u : f32\n    } -> " +
      y + "\n    qd.yield %r : " + y + "\n";
  return mainText({x}, y, body);
}

TEST(BlockMatmul, Edges) {
  std::mt19937 random{testSeed()};
  const Product products[] = {
      {1, 64, 64, 32, "i4", -8, 7},      {1, 1, 16, 16, "i4", -8, 7},
      {5, 65, 37, 16, "i4", -8, 7},      {4, 130, 48, 48, "i4", -8, 7, false},
      {9, 17, 33, 32, "i2", -2, 1},      {3, 64, 40, 8, "i8", -128, 127},
      {16, 128, 20, 16, "i8", -128, 127}};
  for (const Product &p : products)
    checkDispatch(productText(random, p), "block-weights", random, 1e-4);
}

/// A scale a channel of whole bytes is no business of these kernels.
TEST(BlockMatmul, LeavesChannelScalesOfBytes) {
  std::mt19937 random{testSeed()};
  checkDispatch(productText(random, {2, 16, 16, 16, "i8", -128, 127}),
                "generic", random, 1e-4, /*alsoGeneric=*/false);
}

} // namespace

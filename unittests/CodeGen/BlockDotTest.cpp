// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels on int8 activations and packed blocked weights against the
// interpreter, at the edges of tiles, panels, vectors, blocks and steps.

#include "Check.h"
#include "DispatchText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

struct Product {
  int64_t m, n, k, block;
  std::string codes; ///< element type
  int low, high;     ///< of codes
  /// Of zero points; none if low > high.
  int lowZero = 1, highZero = 0;
  bool scaleByBlock = true;
};

/// relu(x * w + bias).
std::string productText(std::mt19937 &random, const Product &p) {
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
  body += "    %acc = qd.block_matmul %x0 scale %x1, %w scale %s " +
          std::string(hasZeros ? "zero_point %z " : "") +
          "block = " + std::to_string(p.block) + " : " + x + ", " + sx + ", " +
          codes + ", " + scales + (hasZeros ? ", " + zeros : "") + " -> " + y +
          "\n    %e = tensor.empty() : " + y +
          "\n    %c0 = arith.constant 0.0 : f32\n    %b = arith.constant " +
          constants.floats(p.n, -1, 1) + " : " + bias +
          "\n    %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> "
          "(m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], "
          "iterator_types = [\"parallel\", \"parallel\"]} ins(%acc, %b : " +
          y + ", " + bias + ") outs(%e : " + y +
          ") {\n    ^bb0(%a: f32, %v: f32, %o: f32):\n      %t = arith.addf "
          "%a, %v : f32\n      %u = arith.maximumf %t, %c0 : f32\n      "
          "linalg.yield %u : f32\n    } -> " +
          y + "\n    qd.yield %r : " + y + "\n";
  return mainText({x, sx}, y, body);
}

void check(std::vector<Product> products) {
  std::mt19937 random{testSeed()};
  for (const Product &p : products)
    checkDispatch(productText(random, p), "block-dot", random);
}

/// One row, tiles of 4, 12 and less rows; panels and vectors cut short.
TEST(BlockDot, Tiles) {
  check({{1, 64, 64, 32, "i4", -8, 7},
         {1, 1, 16, 16, "i4", -8, 7},
         {4, 130, 48, 48, "i4", -8, 7},
         {12, 97, 32, 16, "i4", -8, 7},
         {29, 65, 40, 8, "i4", -8, 7}});
}

/// Blocks and sums that are no multiples of a step, or shorter than one.
TEST(BlockDot, Steps) {
  check({{5, 17, 37, 16, "i4", -8, 7, -8, 7},
         {2, 33, 21, 7, "i4", -8, 7, -8, 7},
         {3, 16, 3, 32, "i4", -8, 7},
         {3, 16, 5, 2, "i8", -128, 127, -3, 3}});
}

/// Same zero points, zero points by block, those of bytes that fold into the
/// codes and those that do not.
TEST(BlockDot, ZeroPoints) {
  check({{3, 40, 32, 16, "i4", -8, 7, 3, 3},
         {14, 40, 33, 16, "i4", -8, 7, -8, 7},
         {3, 40, 33, 16, "i8", -100, 100, -20, 20},
         {13, 70, 33, 16, "i8", -128, 127, -128, 127},
         {2, 9, 600, 600, "i8", 100, 127, -128, -100}});
}

/// Other widths; one scale a row; sums that need more than 16 bits.
TEST(BlockDot, Widths) {
  check({{6, 70, 40, 16, "i2", -2, 1, -2, 1},
         {1, 130, 64, 32, "i2", -2, 1},
         {6, 70, 40, 16, "i8", -128, 127},
         {1, 70, 520, 512, "i8", 120, 127},
         {6, 70, 40, 16, "i4", -8, 7, -8, 7, /*scaleByBlock=*/false}});
}

} // namespace

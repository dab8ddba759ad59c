// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels on int8 activations and packed blocked weights against the
// interpreter, at the edges of tiles, panels, vectors, blocks and steps.

#include "BlockText.h"
#include "Check.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

void check(std::vector<BlockDotProduct> products) {
  std::mt19937 random{testSeed()};
  for (const BlockDotProduct &p : products)
    checkDispatch(blockDotText(random, p), "block-dot", random);
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

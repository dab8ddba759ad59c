// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels on packed blocked weights against the interpreter, at the edges of
// tiles, panels, vectors and blocks.

#include "BlockText.h"
#include "Check.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

TEST(BlockMatmul, Edges) {
  std::mt19937 random{testSeed()};
  const BlockWeightsProduct products[] = {
      {1, 64, 64, 32, "i4", -8, 7},      {1, 1, 16, 16, "i4", -8, 7},
      {5, 65, 37, 16, "i4", -8, 7},      {4, 130, 48, 48, "i4", -8, 7, false},
      {9, 17, 33, 32, "i2", -2, 1},      {3, 64, 40, 8, "i8", -128, 127},
      {16, 128, 20, 16, "i8", -128, 127}};
  for (const BlockWeightsProduct &p : products)
    checkDispatch(blockWeightsText(random, p), "block-weights", random, 1e-4);
}

/// A scale a channel of whole bytes is no business of these kernels.
TEST(BlockMatmul, LeavesChannelScalesOfBytes) {
  std::mt19937 random{testSeed()};
  checkDispatch(blockWeightsText(random, {2, 16, 16, 16, "i8", -128, 127}),
                "generic", random, 1e-4, /*alsoGeneric=*/false);
}

} // namespace

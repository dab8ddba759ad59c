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

TEST(BlockMatmul, Minifloats) {
  std::mt19937 random{testSeed()};
  Format e2m1 = Format::minifloat(2, 1), e3m2 = Format::minifloat(3, 2),
         e2m3 = Format::minifloat(2, 3);
  const MinifloatProduct products[] = {
      {1, 64, 64, 32, "f4E2M1FN", e2m1},  {5, 65, 37, 16, "f4E2M1FN", e2m1},
      {4, 130, 48, 48, "f6E3M2FN", e3m2}, {9, 17, 33, 32, "f6E3M2FN", e3m2},
      {3, 64, 40, 8, "f6E2M3FN", e2m3},   {5, 70, 33, 33, "f8E4M3FN", e4m3()},
      {4, 16, 16, 8, "f8E5M2", e5m2()}};
  for (const MinifloatProduct &p : products)
    checkDispatch(minifloatText(random, p), "block-weights", random, 1e-4);
}

/// Minifloats on both sides, NaN and infinities among the activations.
TEST(BlockMatmul, DecodesActivations) {
  std::mt19937 random{testSeed()};
  for (const MinifloatProduct &p : std::vector<MinifloatProduct>{
           {6, 70, 65, 65, "f8E4M3FN", e4m3(), "f8E4M3FN"},
           {1, 16, 300, 300, "f8E4M3FN", e4m3(), "f8E5M2"},
           {5, 17, 31, 31, "f8E5M2", e5m2(), "f8E5M2"}}) {
    std::string text = minifloatText(random, p);
    Format format = p.activations == "f8E5M2" ? e5m2() : e4m3();
    HostTensor finite = minifloatActivations(random, p, format);
    checkDispatch(text, "block-weights", random, 1e-4, /*alsoGeneric=*/true,
                  {finite});
    checkDispatch(text, "block-weights", random, 1e-4);
  }
}

/// A scale a channel of whole bytes is no business of these kernels.
TEST(BlockMatmul, LeavesChannelScalesOfBytes) {
  std::mt19937 random{testSeed()};
  checkDispatch(blockWeightsText(random, {2, 16, 16, 16, "i8", -128, 127}),
                "generic", random, 1e-4, /*alsoGeneric=*/false);
}

} // namespace

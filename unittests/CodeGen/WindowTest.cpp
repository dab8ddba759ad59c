// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Depthwise convolutions, pools and reductions over the image.

#include "Check.h"
#include "WindowText.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class WindowTest : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

TEST_F(WindowTest, Depthwise) {
  for (const WindowCase &c : kCases)
    checkDispatch(depthwiseText(random, c, false), "depthwise", random);
}

TEST_F(WindowTest, PackedDepthwise) {
  for (const NarrowCodes &narrow : kNarrowCodes)
    for (const WindowCase &c : {kCases[2], kCases[4], kLargeCases[0]})
      checkPacked(depthwiseText(random, c, false, narrow.codes), "depthwise",
                  narrow.bits, random);
}

TEST_F(WindowTest, FloatDepthwise) {
  for (const WindowCase &c : kCases)
    checkDispatch(depthwiseText(random, c, true), "depthwise", random, 1e-5);
}

TEST_F(WindowTest, MaxPool) {
  for (const WindowCase &c : kCases)
    for (const char *code : {"i8", "i16", "f32"})
      checkDispatch(maxText(c, code), "pool", random);
}

TEST_F(WindowTest, SumPool) {
  for (const WindowCase &c : kCases)
    checkDispatch(sumText(random, c), "pool", random);
}

TEST_F(WindowTest, LargeWindows) {
  for (const WindowCase &c : kLargeCases) {
    checkDispatch(sumText(random, c), "pool", random);
    checkDispatch(depthwiseText(random, c, false), "depthwise", random);
    for (const char *code : {"i8", "i16", "f32"})
      checkDispatch(maxText(c, code), "pool", random);
  }
}

TEST_F(WindowTest, GlobalMean) {
  checkDispatch(globalSumText(1, 7, 100), "pool", random);
  checkDispatch(globalSumText(3, 2, 17), "pool", random);
  checkDispatch(globalSumText(2, 13, 40), "pool", random);
}

} // namespace

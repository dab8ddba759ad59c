// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Depthwise convolutions and average pools by dp4a, against the interpreter:
// tap counts that leave one, two, three and four in the last group, strides,
// dilations, padding, and more than one pixel a thread.

#include "GpuCheck.h"
#include "WindowText.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

/// Batch, height, width, channels, kernel, strides, dilations, padding.
const WindowCase kFourChannels[] = {
    {1, 5, 6, 4, 1, 1},                             // one tap
    {2, 5, 6, 8, 1, 2},                             // two
    {1, 5, 6, 12, 3, 1},                            // three
    {1, 5, 6, 20, 2, 2, 2, 1},                      // four
    {1, 7, 9, 36, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},    // nine, padded
    {1, 8, 8, 16, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1},    // TensorFlow's SAME
    {2, 9, 8, 8, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2},     // 25
    {1, 11, 10, 8, 3, 2, 1, 2, 2, 3, 2, 1, 2, 2},   // six, dilated
    {1, 7, 7, 32, 7, 7, 1, 1, 1, 1, 3, 3, 3, 3},    // 49
    {1, 64, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},  // four pixels a thread
    {1, 65, 128, 64, 3, 3, 2, 2, 1, 1, 1, 0, 0, 1}, // and a stride
    {1, 50, 50, 64, 3, 3, 1, 1, 1, 2, 1, 2, 1, 2},  // two, dilated
};

class DepthwisePlan : public ::testing::Test {
protected:
  std::mt19937 random{testSeed()};
};

TEST_F(DepthwisePlan, Convolutions) {
  for (const WindowCase &c : kFourChannels) {
    SCOPED_TRACE(&c - kFourChannels);
    checkGpuDispatch(depthwiseText(random, c, false), "depthwise", random);
  }
}

TEST_F(DepthwisePlan, NarrowWeights) {
  for (const NarrowCodes &narrow : kNarrowCodes)
    checkGpuDispatch(
        depthwiseText(random, kFourChannels[4], false, narrow.codes),
        "depthwise", random);
}

TEST_F(DepthwisePlan, AveragePools) {
  // A window of one tap reduces nothing.
  for (const WindowCase &c : llvm::ArrayRef(kFourChannels).drop_front()) {
    SCOPED_TRACE(&c - kFourChannels);
    checkGpuDispatch(sumText(random, c), "pool", random);
  }
}

/// Neighbouring threads read and write neighbouring words.
TEST_F(DepthwisePlan, WholeSectors) {
  ptx::LaunchResult said = checkGpuDispatch(
      depthwiseText(random, {1, 8, 8, 128, 3, 3}, false), "depthwise", random);
  EXPECT_EQ(said.total().sectors, said.total().idealSectors);
}

/// What is left to others: channels that are no whole words, maxima, floats.
TEST_F(DepthwisePlan, LeftToOthers) {
  checkGpuDispatch(depthwiseText(random, {1, 5, 6, 10, 3, 3}, false),
                   "elements", random);
  checkGpuDispatch(maxText(kFourChannels[4], "i8"), "elements", random);
  checkGpuDispatch(globalSumText(2, 7, 40), "elements", random);
}

} // namespace

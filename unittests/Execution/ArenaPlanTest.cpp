// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/CodeGen/Program/ArenaPlan.h"
#include "llvm/ADT/SmallVector.h"
#include "gtest/gtest.h"
#include <random>
#include <string>
#include <vector>

using namespace qdialect;

namespace {

bool overlapInTime(const ArenaBuffer &a, const ArenaBuffer &b) {
  return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep;
}

void expectValid(llvm::ArrayRef<ArenaBuffer> buffers, int64_t total) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    const ArenaBuffer &a = buffers[i];
    EXPECT_GE(a.offset, 0);
    EXPECT_EQ(a.offset % kArenaAlignment, 0);
    EXPECT_LE(a.offset + a.bytes + kArenaPadding, total);
    for (size_t j = 0; j < i; ++j) {
      const ArenaBuffer &b = buffers[j];
      if (overlapInTime(a, b))
        EXPECT_TRUE(a.offset + a.bytes + kArenaPadding <= b.offset ||
                    b.offset + b.bytes + kArenaPadding <= a.offset)
            << "buffers " << i << " and " << j;
    }
  }
  EXPECT_GE(total, arenaLowerBound(buffers));
}

TEST(ArenaPlanTest, NothingNeedsNothing) {
  EXPECT_EQ(planArena({}), 0);
  EXPECT_EQ(arenaLowerBound({}), 0);
}

TEST(ArenaPlanTest, AChainAlternatesBetweenTwoPlaces) {
  // Step i reads buffer i - 1 and writes buffer i.
  std::vector<ArenaBuffer> chain;
  for (int64_t i = 0; i < 10; ++i)
    chain.push_back({1000, i, i + 1});
  int64_t total = planArena(chain);
  expectValid(chain, total);
  EXPECT_EQ(total, 2 * 1088); // 1000 + 64 rounded up to 64
  EXPECT_EQ(total, arenaLowerBound(chain));
}

TEST(ArenaPlanTest, AReaderKeepsItsInputThroughItsOwnStep) {
  // The second buffer is born in the very step that reads the first last.
  std::vector<ArenaBuffer> buffers = {{64, 0, 1}, {64, 1, 2}};
  int64_t total = planArena(buffers);
  expectValid(buffers, total);
  EXPECT_NE(buffers[0].offset, buffers[1].offset);
}

TEST(ArenaPlanTest, AResidualStaysWhileTheBranchRuns) {
  std::vector<ArenaBuffer> buffers = {
      {4096, 0, 4}, {1024, 1, 2}, {1024, 2, 3}, {4096, 3, 4}, {4096, 4, 5}};
  expectValid(buffers, planArena(buffers));
}

TEST(ArenaPlanTest, ABufferTakesTheSmallestGapThatFits) {
  // Between the two large long-lived ones lie gaps of 1024 and 512 once the
  // middle ones are dead; a buffer of 448 belongs into the smaller gap.
  std::vector<ArenaBuffer> buffers = {{8128, 0, 9},      {960, 0, 1},
                                      {4032, 0, 9},      {448, 0, 1},
                                      {2048 - 64, 0, 9}, {440, 2, 3}};
  int64_t total = planArena(buffers);
  expectValid(buffers, total);
  EXPECT_EQ(total, arenaLowerBound(buffers));
}

TEST(ArenaPlanProperty, RandomProgramsNeverOverlapAndStayNearTheBound) {
  std::mt19937 random(7);
  double worst = 1;
  for (int round = 0; round < 300; ++round) {
    std::vector<ArenaBuffer> buffers;
    int64_t steps = 1 + random() % 60;
    for (int64_t step = 0; step < steps; ++step) {
      int64_t life = random() % 5 == 0 ? random() % 20 : 1 + random() % 2;
      buffers.push_back({static_cast<int64_t>(random() % 100000), step,
                         std::min(steps, step + life)});
    }
    int64_t total = planArena(buffers);
    expectValid(buffers, total);
    worst =
        std::max(worst, static_cast<double>(total) / arenaLowerBound(buffers));
  }
  RecordProperty("worst_ratio", std::to_string(worst));
  EXPECT_LT(worst, 1.35); // random lifetimes are harder than networks
}

TEST(ArenaPlanProperty, ThePlanIsAFunctionOfTheProgram) {
  std::mt19937 random(11);
  std::vector<ArenaBuffer> buffers;
  for (int64_t step = 0; step < 200; ++step)
    buffers.push_back({64 * static_cast<int64_t>(random() % 4), step,
                       step + static_cast<int64_t>(random() % 6)});
  std::vector<ArenaBuffer> again = buffers;
  EXPECT_EQ(planArena(buffers), planArena(again));
  for (size_t i = 0; i < buffers.size(); ++i)
    EXPECT_EQ(buffers[i].offset, again[i].offset);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The names of GPUs on the command line.

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "gtest/gtest.h"

using namespace qdialect;

TEST(GpuTarget, ListIsNewestFirstWithoutDuplicates) {
  auto targets = parseGpuTargets("sm_80, sm_90,sm_80");
  ASSERT_TRUE(static_cast<bool>(targets));
  ASSERT_EQ(targets->size(), 2u);
  EXPECT_EQ((*targets)[0].name, "sm_90");
  EXPECT_EQ((*targets)[1].name, "sm_80");
}

TEST(GpuTarget, ResidentBlocks) {
  const GpuTarget &a100 = allGpuTargets().front();
  ASSERT_EQ(a100.name, "sm_80");
  EXPECT_EQ(residentBlocks(a100, 128, 32, 0), 16);       // threads
  EXPECT_EQ(residentBlocks(a100, 32, 32, 0), 32);        // slots
  EXPECT_EQ(residentBlocks(a100, 128, 130, 0), 3);       // registers: 136
  EXPECT_EQ(residentBlocks(a100, 128, 64, 48 << 10), 3); // shared memory
  EXPECT_EQ(residentBlocks(a100, 1, 0, 0), 32);
  EXPECT_EQ(residentBlocks(a100, 1024, 255, 0), 0); // does not fit at all
}

TEST(GpuTarget, UnknownNameListsWhatIsKnown) {
  auto targets = parseGpuTargets("sm_80,sm_75");
  ASSERT_FALSE(static_cast<bool>(targets));
  EXPECT_EQ(llvm::toString(targets.takeError()),
            "unknown GPU 'sm_75'; expected sm_80, sm_86, sm_89, sm_90, sm_100, "
            "sm_120");
}

TEST(GpuTarget, EmptyNameIsUnknown) {
  auto targets = parseGpuTargets("");
  ASSERT_FALSE(static_cast<bool>(targets));
  llvm::consumeError(targets.takeError());
}

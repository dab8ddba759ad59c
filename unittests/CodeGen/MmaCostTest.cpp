// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the main loop of a product costs, and what ptxas makes of it.

#include "MmaHarness.h"

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::gpu;
using namespace qdialect::gpu::test;

TEST(MmaCost, AtMostOneInstructionBesideAProduct) {
  const MmaTile &tile = mmaTiles()[0];
  ASSERT_EQ(tile.rows, 128);
  ASSERT_EQ(tile.columns, 128);
  LoopMix mix = steadyLoop(productPtx(matrixProduct(256, 256, 1024), tile));
  EXPECT_EQ(mix.products, 64);
  EXPECT_LE(mix.others, 44);
  EXPECT_GE(mix.others, 24) << "copies and fragments alone are as many";
}

/// A 3 x 3 window walks its taps beside 64 products.
TEST(MmaCost, Windows) {
  Convolution c{1, 16, 64, 128, 3};
  c.padding = 1;
  LoopMix mix = steadyLoop(productPtx(convolution(c), mmaTiles()[0]));
  EXPECT_EQ(mix.products, 64);
  EXPECT_LE(mix.others, 84);
}

/// Shared memory is read and written without conflicts, global memory in whole
/// sectors.
TEST(MmaCost, Memory) {
  for (const MmaTile &tile : mmaTiles()) {
    SCOPED_TRACE(tile.rows);
    ptx::LaunchResult result = expectProduct(
        matrixProduct(2 * tile.rows, tile.columns, 1024), tile, 4);
    ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
    EXPECT_GT(copies.sectors, 0u);
    EXPECT_EQ(copies.sectors, copies.idealSectors);
    ptx::SiteCounters all = result.total();
    EXPECT_GT(all.wavefronts, 0u);
    EXPECT_EQ(all.conflicts, 0u);
  }
}

static void expectNoSpills(const MmaGeometry &geometry,
                           const std::string &target) {
  SCOPED_TRACE(target);
  if (!expectNoSpills(productPtx(geometry, mmaTiles()[0], target), target))
    GTEST_SKIP() << "no ptxas";
}

TEST(MmaCost, PtxasSpillsNothing) {
  for (const GpuTarget &target : allGpuTargets())
    expectNoSpills(matrixProduct(256, 250, 1000), target.name);
}

TEST(MmaCost, PtxasSpillsNothingOfWindows) {
  Convolution c{1, 16, 64, 128, 3};
  c.padding = 1;
  expectNoSpills(convolution(c), "sm_80");
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the main loop of a product costs, and what ptxas makes of it.

#include "MmaHarness.h"

#include "QDialect/CodeGen/NVVM/GpuTarget.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
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

namespace {

/// What ptxas says of the text; nothing where there is no ptxas.
std::optional<std::string> assemble(llvm::StringRef text,
                                    const std::string &target) {
  auto ptxas = llvm::sys::findProgramByName("ptxas");
  if (!ptxas)
    ptxas = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  if (!ptxas)
    return std::nullopt;
  llvm::SmallString<128> input, output, log;
  for (auto [path, suffix] :
       {std::pair{&input, "ptx"}, {&output, "cubin"}, {&log, "log"}})
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("qd-mma", suffix, *path));
  llvm::FileRemover removeInput(input), removeOutput(output), removeLog(log);
  std::error_code failed;
  llvm::raw_fd_ostream(input, failed) << text;
  EXPECT_FALSE(failed);
  std::string architecture = "-arch=" + target;
  int code = llvm::sys::ExecuteAndWait(
      *ptxas, {*ptxas, architecture, "-v", input, "-o", output}, std::nullopt,
      {std::nullopt, llvm::StringRef(log), llvm::StringRef(log)});
  auto said = llvm::MemoryBuffer::getFile(log);
  std::string result = said ? (*said)->getBuffer().str() : "";
  EXPECT_EQ(code, 0) << result;
  return result;
}

} // namespace

static void expectNoSpills(const MmaGeometry &geometry,
                           const std::string &target) {
  SCOPED_TRACE(target);
  auto said = assemble(productPtx(geometry, mmaTiles()[0], target), target);
  if (!said)
    GTEST_SKIP() << "no ptxas";
  EXPECT_NE(said->find("0 bytes spill stores, 0 bytes spill loads"),
            std::string::npos)
      << *said;
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

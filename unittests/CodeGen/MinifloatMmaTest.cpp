// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of FP8 by FP8 on tensor cores, as they are and as f16, against the
// interpreter.

#include "BlockText.h"
#include "GpuCheck.h"
#include "gtest/gtest.h"

using namespace qdialect;
using namespace qdialect::testing;

namespace {

class MinifloatMma : public ::testing::TestWithParam<const char *> {
protected:
  std::mt19937 random{testSeed()};

  ptx::LaunchResult check(const MinifloatProduct &p, bool finite = true) {
    SCOPED_TRACE(number(p.m) + " x " + number(p.n) + " x " + number(p.k) +
                 " of " + p.activations + " by " + p.codes);
    llvm::SmallVector<HostTensor> inputs;
    if (finite)
      inputs.push_back(minifloatActivations(
          random, p, p.activations == "f8E5M2" ? e5m2() : e4m3()));
    return checkGpuDispatch(minifloatText(random, p), "mma_fp8", random, inputs,
                            1e-4, GetParam());
  }
};

/// Rows, columns and depth that no tile, panel, step or copy divides.
TEST_P(MinifloatMma, Edges) {
  for (const MinifloatProduct &p : std::vector<MinifloatProduct>{
           {1, 1, 16, 16, "f8E4M3FN", e4m3(), "f8E4M3FN"},
           {7, 65, 5, 5, "f8E4M3FN", e4m3(), "f8E4M3FN"},
           {70, 130, 100, 100, "f8E4M3FN", e4m3(), "f8E4M3FN"},
           {16, 64, 1030, 1030, "f8E4M3FN", e4m3(), "f8E4M3FN"},
           {33, 70, 68, 68, "f8E4M3FN", e4m3(), "f8E5M2"},
           {5, 17, 36, 36, "f8E5M2", e5m2(), "f8E4M3FN"},
           {5, 17, 31, 31, "f8E5M2", e5m2(), "f8E5M2"}})
    check(p);
}

/// NaN and infinities reach the sums of their rows, and no other.
TEST_P(MinifloatMma, Specials) {
  check({64, 20, 8, 8, "f8E4M3FN", e4m3(), "f8E4M3FN"}, /*finite=*/false);
  check({64, 20, 8, 8, "f8E4M3FN", e4m3(), "f8E5M2"}, /*finite=*/false);
}

/// What must come from memory in whole sectors does, and no bank is met twice.
TEST_P(MinifloatMma, Memory) {
  ptx::LaunchResult result =
      check({64, 256, 512, 512, "f8E4M3FN", e4m3(), "f8E4M3FN"});
  ptx::SiteCounters copies = result.total(ptx::InstructionClass::AsyncCopy);
  EXPECT_GT(copies.sectors, 0u);
  EXPECT_EQ(copies.sectors, copies.idealSectors);
  EXPECT_EQ(result.total().conflicts, 0u);
}

INSTANTIATE_TEST_SUITE_P(Targets, MinifloatMma,
                         ::testing::Values("sm_80", "sm_89"));

/// Other minifloats are no operands of tensor cores.
TEST(MinifloatMmaPlan, LeavesToOthers) {
  std::mt19937 random{testSeed()};
  MinifloatProduct p{
      4,         16, 32, 32, "f8E3M4", Format::minifloat(3, 4, Specials::IEEE),
      "f8E4M3FN"};
  checkGpuDispatch(minifloatText(random, p), "tasks-block-weights", random,
                   {minifloatActivations(random, p, e4m3())}, 1e-4);
}

} // namespace

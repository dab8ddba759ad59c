// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of CPU variants and the words of --target-cpu.

#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "gtest/gtest.h"

using namespace qdialect;

namespace {

std::string namesOf(llvm::StringRef list) {
  auto targets = parseTargetCpus(list);
  if (!targets)
    return "error: " + llvm::toString(targets.takeError());
  std::string names;
  for (const CpuTarget &target : *targets)
    names += (names.empty() ? "" : " ") + target.name;
  return names;
}

TEST(CpuTarget, BestFirstAndPortableLast) {
  ASSERT_FALSE(allCpuTargets().empty());
  EXPECT_EQ(allCpuTargets().front().name, "avx512amx");
  EXPECT_EQ(allCpuTargets().back().name, "scalar");
  EXPECT_TRUE(allCpuTargets().back().runsHere());
}

TEST(CpuTarget, ListsAreOrderedAndUnique) {
  EXPECT_EQ(namesOf("scalar,avx512vnni,avx2,avx2"), "avx512vnni avx2 scalar");
  EXPECT_EQ(namesOf(" haswell , znver4 "), "avx512vnni avx2");
}

TEST(CpuTarget, AllIsMoreThanTheDefault) {
  auto all = parseTargetCpus("all");
  ASSERT_TRUE(bool(all));
  EXPECT_EQ(all->size(), allCpuTargets().size());
  std::string names;
  for (const CpuTarget &target : defaultCpuTargets())
    names += target.name + " ";
  EXPECT_EQ(names, "avx512amx avx512vnni avx2 scalar ");
}

TEST(CpuTarget, LlvmNamesMeanTheirBestVariant) {
  // Linux may refuse the tiles that the CPU has.
  EXPECT_EQ(namesOf("sapphirerapids"), "avx512amx avx512vnni");
  EXPECT_EQ(namesOf("cascadelake"), "avx512vnni");
  EXPECT_EQ(namesOf("alderlake"), "avxvnni");
  EXPECT_EQ(namesOf("x86-64-v4"), "avx512"); // AVX-512 without VNNI
  EXPECT_EQ(namesOf("x86-64-v3"), "avx2");
  EXPECT_EQ(namesOf("x86-64"), "scalar");
}

TEST(CpuTarget, LibrariesHaveOneArchitecture) {
  EXPECT_EQ(namesOf("aarch64"), "i8mm dotprod neon");
  EXPECT_EQ(namesOf("neon,dotprod"), "dotprod neon");
  EXPECT_EQ(namesOf("neon,avx2"),
            "error: --target-cpu names 'avx2' of x86-64 and 'neon' of AArch64; "
            "a library is for one of them");
  for (const CpuTarget &target : armCpuTargets())
    EXPECT_TRUE(target.isArm());
}

TEST(CpuTarget, NativeRunsHere) {
  auto targets = parseTargetCpus("native");
  ASSERT_TRUE(bool(targets));
  ASSERT_EQ(targets->size(), 1u);
  EXPECT_TRUE(targets->front().runsHere());
}

TEST(CpuTarget, UnknownNamesAreErrors) {
  EXPECT_EQ(namesOf("pentium-of-doom").substr(0, 40),
            "error: unknown target CPU 'pentium-of-do");
  EXPECT_EQ(namesOf(""), "error: --target-cpu names no CPU");
}

} // namespace

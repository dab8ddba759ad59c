// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ptxas prints, and what it says of text that is no PTX.

#include "Ptxas.h"
#include "gtest/gtest.h"

using namespace qdialect;

TEST(Ptxas, FiguresAreReadFromItsOutput) {
  auto figures = parsePtxasOutput(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'k' for 'sm_80'\n"
      "ptxas info    : Function properties for k\n"
      "    24 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n"
      "ptxas info    : Used 70 registers, used 1 barriers, 16384 bytes smem, "
      "392 bytes cmem[0]\n");
  ASSERT_TRUE(static_cast<bool>(figures));
  EXPECT_EQ(figures->registers, 70);
  EXPECT_EQ(figures->stackBytes, 24);
  EXPECT_EQ(figures->spillStores, 8);
  EXPECT_EQ(figures->spillLoads, 12);
  EXPECT_EQ(figures->sharedBytes, 16384);
}

TEST(Ptxas, OutputWithoutRegistersIsAnError) {
  auto figures = parsePtxasOutput("ptxas info    : 0 bytes gmem\n");
  ASSERT_FALSE(static_cast<bool>(figures));
  EXPECT_NE(llvm::toString(figures.takeError()).find("registers"),
            std::string::npos);
}

TEST(Ptxas, RefusalNamesTarget) {
  std::string ptxas = findPtxas();
  if (ptxas.empty())
    GTEST_SKIP() << "no ptxas";
  auto figures = runPtxas(ptxas, "nonsense", "sm_80");
  ASSERT_FALSE(static_cast<bool>(figures));
  EXPECT_EQ(llvm::toString(figures.takeError())
                .rfind("ptxas refuses the kernel for sm_80: ", 0),
            0u);
}

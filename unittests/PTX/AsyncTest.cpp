// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async and mbarrier.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

/// This lane's 64 bytes in global memory (%rd9), 16 more in shared (%r9).
static const std::string kAddresses =
    "mov.u32 %r20, %tid.x; mul.wide.u32 %rd9, %r20, 64; add.u64 %rd9, %rd9, "
    "%rd50; mad.lo.u32 %r9, %r20, 16, %r50; add.u32 %r9, %r9, 2048;";

static uint64_t second(uint64_t, uint64_t b, uint64_t, uint64_t) { return b; }

TEST(PTXAsync, Copies) {
  struct {
    std::string text, read;
  } cases[] = {
      {"cp.async.ca.shared.global [%r9], [%rd9+8], 4;", "u32 %rd8, [%r9]"},
      {"cp.async.ca.shared.global [%r9], [%rd9+8], 8;", "u64 %rd8, [%r9]"},
      {"cp.async.cg.shared.global [%r9], [%rd9], 16;", "u64 %rd8, [%r9+8]"},
      {"cp.async.cg.shared::cta.global.L2::128B [%r9], [%rd9], 16;",
       "u64 %rd8, [%r9+8]"},
      {"cp.async.ca.shared.global.L2::64B [%r9], [%rd9+8], 8;",
       "u64 %rd8, [%r9]"},
      {"cp.async.cg.shared.global.L2::256B [%r9], [%rd9], 16, 16;",
       "u64 %rd8, [%r9+8]"},
      {"cp.async.cg.shared.global.L2::cache_hint [%r9], [%rd9], 16, %rd1;",
       "u64 %rd8, [%r9+8]"}};
  for (auto &c : cases)
    for (const char *wait : {"cp.async.wait_all;",
                             "cp.async.commit_group; cp.async.wait_group 0;"})
      expectLanes(kAddresses + c.text + wait + "ld.shared." + c.read + ";",
                  "%rd8", [&](uint64_t, uint64_t b, uint64_t, uint64_t) {
                    return c.read[1] == '3' ? b & 0xffffffff : b;
                  });
  // Bytes beyond the source's size are zero; so is all under ignore-src.
  expectLanes(
      kAddresses + "mov.u32 %r21, 12; cp.async.cg.shared.global [%r9], [%rd9], "
                   "16, %r21; cp.async.wait_all; ld.shared.u64 %rd8, [%r9+8];",
      "%rd8",
      [](uint64_t, uint64_t b, uint64_t, uint64_t) { return b & 0xffffffff; });
  expectLanes(kAddresses + "setp.eq.u32 %p1, %r20, %r20; "
                           "cp.async.cg.shared.global [%r9], [%rd9], 16, %p1; "
                           "cp.async.wait_all; ld.shared.u64 %rd8, [%r9+8];",
              "%rd8", [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0; });
}

TEST(PTXAsync, TheLastGroupIsStillAway) {
  std::string two = kAddresses +
                    "cp.async.ca.shared.global [%r9], [%rd9+8], 8; "
                    "cp.async.commit_group; "
                    "cp.async.ca.shared.global [%r9+8], [%rd9], 8; "
                    "cp.async.commit_group; cp.async.wait_group 1;";
  expectLanes(two + "ld.shared.u64 %rd8, [%r9];", "%rd8", second);
  LaneRun run = runLanes(two + "ld.shared.u64 %rd8, [%r9+8];", "%rd8");
  expectFinding(run.result, FindingKind::AsyncCopy, "not waited for");
  EXPECT_EQ(run.out[3], 0xcbcbcbcbcbcbcbcbu);
  run = runLanes(kAddresses + "cp.async.ca.shared.global [%r9], [%rd9], 8; "
                              "st.shared.u64 [%r9], %rd1;",
                 "%rd1");
  expectFinding(run.result, FindingKind::AsyncCopy, "not waited for");
}

TEST(PTXAsync, MBarriers) {
  std::string init = kAddresses + "add.u32 %r30, %r50, 4000; setp.eq.u32 %p1, "
                                  "%r20, 0; @%p1 mbarrier.init.shared.b64 "
                                  "[%r30], 32; bar.sync 0;";
  // Copies that an mbarrier tells of.
  for (const char *arrive :
       {"cp.async.mbarrier.arrive.noinc.shared.b64 [%r30];",
        "cp.async.mbarrier.arrive.shared::cta.b64 [%r30]; "
        "mbarrier.arrive.shared.b64 %rd11, [%r30];"})
    expectLanes(
        init + "cp.async.ca.shared.global [%r9], [%rd9+8], 8;" + arrive +
            "WAIT: mbarrier.test_wait.parity.shared.b64 %p2, [%r30], 0; "
            "@!%p2 bra WAIT; ld.shared.u64 %rd8, [%r9];",
        "%rd8", second);
  // Arrivals by token, with counts and in each spelling; the neighbour's value
  // is seen afterwards.
  for (const char *how :
       {"mbarrier.arrive.shared.b64 %rd11, [%r30];",
        "mbarrier.arrive.release.cta.shared::cta.b64 %rd11, [%r30], 1;",
        "mbarrier.arrive.noComplete.shared.b64 %rd11, [%r30], 1;",
        "mbarrier.arrive.relaxed.cluster.shared::cluster.b64 %rd11, [%r30];"})
    for (const char *wait :
         {"mbarrier.test_wait.shared.b64 %p2, [%r30], %rd11;",
          "mbarrier.try_wait.acquire.cta.shared::cta.b64 %p2, [%r30], %rd11;"})
      expectLanes(init + "xor.b32 %r31, %r20, 5; st.shared.u64 [%r9], %rd1; " +
                      how + "WAIT:" + wait +
                      "@!%p2 bra WAIT; mad.lo.u32 %r31, %r31, 16, %r50; "
                      "ld.shared.u64 %rd8, [%r31+2048]; sub.u64 %rd8, %rd8, "
                      "%rd8; mbarrier.pending_count.b64 %r8, %rd11;",
                  "%rd8",
                  [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0; });
  runClean(init + "mbarrier.arrive_drop.shared.b64 %rd11, [%r30]; bar.sync 0; "
                  "@%p1 mbarrier.inval.shared.b64 [%r30];",
           "%r20");
  LaneRun run = runLanes(kAddresses + "mbarrier.arrive.shared.b64 %rd11, "
                                      "[%r50+4000];",
                         "%r20");
  EXPECT_FALSE(run.result.findings.empty());
}

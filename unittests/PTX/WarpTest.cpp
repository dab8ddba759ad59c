// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lanes that speak to each other, branches, calls, barriers.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

TEST(PTXWarp, Shuffles) {
  Inputs in = randomInputs();
  struct {
    const char *mode;
    int clamp;
    std::function<int(int, int)> from; // lane, amount -> lane or -1
  } modes[] = {
      {"idx", 31, [](int, int by) { return by; }},
      {"bfly", 31, [](int l, int by) { return l ^ by; }},
      {"up", 0, [](int l, int by) { return l >= by ? l - by : -1; }},
      {"down", 31, [](int l, int by) { return l + by < 32 ? l + by : -1; }},
      // Segments of eight lanes: mask 24.
      {"down", 0x1807 | 31,
       [](int l, int by) { return l % 8 + by < 8 ? l + by : -1; }},
      {"up", 0x1800, [](int l, int by) { return l % 8 >= by ? l - by : -1; }}};
  for (auto &m : modes)
    for (int by : {0, 1, 3, 17})
      for (bool sync : {true, false}) {
        std::string text = std::string("shfl.") + (sync ? "sync." : "") +
                           m.mode + ".b32 %r8|%p3, %r0, " + std::to_string(by) +
                           ", " + std::to_string(m.clamp) +
                           (sync ? ", -1;" : ";");
        Lanes value = runClean(text, "%r8", in);
        Lanes ok = runClean(text, "%p3", in);
        for (int l = 0; l < 32; ++l) {
          int from = m.from(l, by);
          EXPECT_EQ(ok[l], uint64_t(from >= 0)) << text << l;
          EXPECT_EQ(value[l], in[0][from < 0 ? l : from] & 0xffffffff)
              << text << l;
        }
      }
}

TEST(PTXWarp, VotesMatchesReductions) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = l % 5 ? l % 3 : uint64_t(-2);
  std::string odd = "and.b32 %r9, %r0, 1; setp.ne.u32 %p1, %r9, 0;";
  uint32_t ballot = 0;
  for (unsigned l = 0; l < 32; ++l)
    ballot |= uint32_t(in[0][l] & 1) << l;
  auto all = [&](const std::string &text, const std::string &out,
                 uint64_t want) {
    Lanes lanes = runClean(text, out, in);
    for (uint64_t v : lanes)
      ASSERT_EQ(v, want) << text;
  };
  all(odd + "vote.sync.ballot.b32 %r8, %p1, -1;", "%r8", ballot);
  all(odd + "vote.ballot.b32 %r8, !%p1;", "%r8", uint32_t(~ballot));
  all(odd + "vote.sync.any.pred %p3, %p1, -1;", "%p3", 1);
  all(odd + "vote.sync.all.pred %p3, %p1, -1;", "%p3", 0);
  all(odd + "vote.sync.uni.pred %p3, %p1, -1;", "%p3", 0);
  all("activemask.b32 %r8;", "%r8", 0xffffffff);
  all("elect.sync %r8|%p3, -1;", "%r8", 0);
  for (const char *t : {"b32 ", "b64 "})
    for (const char *mode : {"any", "all"}) {
      std::string text = std::string("match.") + mode + ".sync." + t +
                         (mode[1] == 'n' ? "%r8, " : "%r8|%p3, ") +
                         (t[1] == '3' ? "%r0" : "%rd0") + ", -1;";
      Lanes out = runClean(text, "%r8", in);
      for (unsigned l = 0; l < 32; ++l) {
        uint32_t want = 0;
        for (unsigned k = 0; k < 32; ++k)
          want |= uint32_t(in[0][k] == in[0][l]) << k;
        EXPECT_EQ(out[l], mode[1] == 'n' ? want : 0u);
      }
    }
  int64_t sum = 0;
  uint32_t anyBit = 0, eachBit = ~0u, oddBit = 0;
  for (uint64_t v : in[0]) {
    sum += int32_t(v);
    anyBit |= uint32_t(v), eachBit &= uint32_t(v), oddBit ^= uint32_t(v);
  }
  all("redux.sync.add.s32 %r8, %r0, -1;", "%r8", uint32_t(sum));
  all("redux.sync.min.s32 %r8, %r0, -1;", "%r8", uint32_t(-2));
  all("redux.sync.max.s32 %r8, %r0, -1;", "%r8", 2);
  all("redux.sync.min.u32 %r8, %r0, -1;", "%r8", 0);
  all("redux.sync.or.b32 %r8, %r0, -1;", "%r8", anyBit);
  all("redux.sync.and.b32 %r8, %r0, -1;", "%r8", eachBit);
  all("redux.sync.xor.b32 %r8, %r0, -1;", "%r8", oddBit);
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = codeOf(float(int(l) - 20));
  all("redux.sync.min.f32 %r8, %r0, -1;", "%r8", codeOf(-20.0f));
  all("redux.sync.max.abs.NaN.f32 %r8, %r0, -1;", "%r8", codeOf(20.0f));
}

TEST(PTXWarp, DifferentMemberMasksAndDivergence) {
  // Halves with their own masks, from one instruction and from two branches.
  std::string half = "mov.u32 %r9, %laneid; setp.lt.u32 %p1, %r9, 16; "
                     "selp.b32 %r10, 0xffff, 0xffff0000, %p1;";
  Lanes one = runClean(half + "redux.sync.add.u32 %r8, %r9, %r10;", "%r8");
  Lanes two = runClean(half + "@%p1 bra LOW; redux.sync.add.u32 %r8, %r9, "
                              "0xffff0000; bra END; LOW: redux.sync.add.u32 "
                              "%r8, %r9, 0xffff; END: bar.warp.sync -1;",
                       "%r8");
  for (unsigned l = 0; l < 32; ++l) {
    EXPECT_EQ(one[l], l < 16 ? 120u : 376u);
    EXPECT_EQ(two[l], one[l]);
  }
}

TEST(PTXWarp, LoopsOfDifferentLength) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = l * 5 % 17;
  expectLanes(
      "mov.u32 %r8, 0; mov.u32 %r9, 0; LOOP: setp.ge.u32 %p1, %r9, "
      "%r0; @%p1 bra DONE; add.u32 %r9, %r9, 1; add.u32 %r8, %r8, %r9; "
      "bra.uni LOOP; DONE:",
      "%r8",
      [](uint64_t n, uint64_t, uint64_t, uint64_t) { return n * (n + 1) / 2; },
      in);
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = l % 3;
  for (const char *uni : {"", ".uni"})
    if (!*uni)
      expectLanes(
          "T: .branchtargets A, B, C; brx.idx %r0, T; A: mov.u32 %r8, "
          "10; bra E; B: mov.u32 %r8, 20; bra E; C: mov.u32 %r8, 30; "
          "E:",
          "%r8",
          [](uint64_t n, uint64_t, uint64_t, uint64_t) { return 10 * (n + 1); },
          in);
    else
      runClean("mov.u32 %r9, 1; T: .branchtargets A, B; brx.idx.uni %r9, T; A: "
               "trap; B: mov.u32 %r8, 20;",
               "%r8");
}

TEST(PTXWarp, Calls) {
  std::string text = header() + R"(
.func (.param .b32 result) factorial(.param .b32 n) {
  .reg .b32 %r<8>; .reg .pred %p1;
  .reg .b64 %rd<4>;
  mov.b64 %rd1, n; cvta.param::func.u64 %rd2, %rd1;
  ld.u32 %r1, [%rd2]; ld.param::func.u32 %r5, [n];
  mov.u32 %r2, 1;
  setp.le.u32 %p1, %r1, 1;
  @%p1 bra DONE;
  sub.u32 %r3, %r1, 1;
  { .param .b32 a; .param .b32 b; st.param::func.b32 [a], %r3;
    call.uni (b), factorial, (a); ld.param.b32 %r4, [b]; }
  mul.lo.u32 %r2, %r1, %r4;
DONE:
  st.param.b32 [result], %r2;
  ret.uni;
}
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p1;
  ld.param.u64 %rd0, [out];
  mov.u32 %r0, %tid.x;
  and.b32 %r1, %r0, 7;
  mov.b64 %rd2, factorial;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1;
    proto: .callprototype (.param .b32 _) _ (.param .b32 _);
    call (b), %rd2, (a), proto; ld.param.b32 %r2, [b]; }
  mad.wide.u32 %rd1, %r0, 4, %rd0;
  st.global.u32 [%rd1], %r2;
  setp.gt.u32 %p1, %r0, 5; @%p1 exit; ret;
})";
  std::vector<uint8_t> out(128);
  KernelRun run = runKernel(text, {1}, {32}, {&out});
  ASSERT_TRUE(run.launched) << run.why.message;
  EXPECT_TRUE(run.result.findings.empty())
      << run.result.findings[0].message << run.result.findings[0].line;
  const uint32_t want[] = {1, 1, 2, 6, 24, 120, 720, 5040};
  for (unsigned l = 0; l < 32; ++l)
    EXPECT_EQ(bits<uint32_t>(*reinterpret_cast<uint32_t *>(&out[l * 4])),
              want[l % 8]);
}

TEST(PTXWarp, Barriers) {
  // Two warps; the sum of all predicates, and who is there.
  for (const char *op : {"bar.red.popc.u32", "barrier.cta.red.popc.aligned.u32",
                         "bar.cta.red.popc.u32", "barrier.red.popc.u32"}) {
    std::string text = header() +
                       ".visible .entry k(.param .u64 out) {\n"
                       ".reg .b32 %r<8>; .reg .b64 %rd<8>; .reg "
                       ".pred %p<8>;\n"
                       "ld.param.u64 %rd0, [out]; mov.u32 %r0, "
                       "%tid.x; setp.lt.u32 %p1, %r0, 40;\n" +
                       op + R"( %r1, 0, %p1;
  bar.red.and.pred %p2, 1, 64, %p1;
  barrier.red.or.pred %p3, 2, !%p1;
  bar.red.or.pred %p3, 2, %p1; barrier.red.and.pred %p4, 3, %p1;
  selp.u32 %r2, 1000, 0, %p2; selp.u32 %r3, 100, 0, %p3;
  add.u32 %r1, %r1, %r2; add.u32 %r1, %r1, %r3;
  mad.wide.u32 %rd1, %r0, 4, %rd0;
  st.global.u32 [%rd1], %r1;
  setp.lt.u32 %p1, %r0, 32;
  @%p1 bra FIRST;
  bar.arrive 4, 64;  barrier.arrive 5, 64; bra END;
FIRST: bar.sync 4, 64; barrier.sync.aligned 5, 64;
END: barrier.sync 0; barrier.cta.sync.aligned 0; bar.cta.sync 0;
})";
    std::vector<uint8_t> out(256);
    KernelRun run = runKernel(text, {1}, {64}, {&out});
    ASSERT_TRUE(run.launched) << run.why.message;
    for (const Finding &f : run.result.findings)
      ADD_FAILURE() << f.line << f.message;
    for (unsigned l = 0; l < 64; ++l)
      ASSERT_EQ(*reinterpret_cast<uint32_t *>(&out[l * 4]), 140u) << op;
  }
}

TEST(PTXWarp, FencesAndNothings) {
  for (const char *text :
       {"membar.cta",
        "membar.gl",
        "membar.sys",
        "fence.acq_rel.cta",
        "fence.acq_rel.gpu",
        "fence.sc.sys",
        "fence.acq_rel.cluster",
        "fence.proxy.async",
        "fence.proxy.alias",
        "fence.proxy.async::global",
        "fence.proxy.async::shared::cta",
        "fence.proxy.async::shared::cluster",
        "fence.mbarrier_init.release.cluster",
        "fence.acquire.gpu",
        "fence.acquire.sync_restrict::shared::cluster.cluster",
        "nanosleep.u32 100",
        "pmevent 3",
        "pmevent.mask 3",
        "griddepcontrol.wait",
        "griddepcontrol.launch_dependents",
        "setmaxnreg.inc.sync.aligned.u32 40",
        "setmaxnreg.dec.sync.aligned.u32 40"})
    runClean(std::string(text) + ";", "%r0");
  LaneRun run = runLanes("brkpt;", "%r0");
  expectFinding(run.result, FindingKind::Trap, "trap");
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Seeded faults: a kernel that is right is clean, and each way of breaking it
// is found.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

namespace {
/// Reverses 64 integers through shared memory, copied there by cp.async; the
/// faults replace one line each.
std::string reverse(const std::string &from = "", const std::string &to = "") {
  std::string text = header() + R"(
.visible .entry k(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .pred %p<4>;
  .shared .align 16 .b8 tile[256];
  ld.param.u64 %rd0, [in];
  ld.param.u64 %rd1, [out];
  mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd2, %r0, 4;
  add.u64 %rd3, %rd0, %rd2;
  mov.u32 %r1, tile;
  mad.lo.u32 %r2, %r0, 4, %r1;
  cp.async.ca.shared.global [%r2], [%rd3], 4;
  cp.async.wait_all;
  bar.sync 0;
  sub.u32 %r3, 63, %r0;
  mad.lo.u32 %r4, %r3, 4, %r1;
  ld.shared.u32 %r5, [%r4];
  bar.sync 0;
  st.shared.u32 [%r2], %r5;
  bar.sync 0;
  ld.shared.u32 %r6, [%r2];
  add.u64 %rd4, %rd1, %rd2;
  st.global.u32 [%rd4], %r6;
  ret;
})";
  if (!from.empty()) {
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}
LaunchResult run(const std::string &text, uint32_t threads = 64,
                 uint32_t blocks = 1, LaunchConfig config = {}) {
  std::vector<uint8_t> in(256), out(256);
  for (unsigned i = 0; i < 64; ++i)
    std::memcpy(&in[i * 4], &i, 4);
  KernelRun r = runKernel(text, {blocks}, {threads}, {&in, &out}, config);
  EXPECT_TRUE(r.launched) << r.why.line << r.why.message;
  if (r.result.findings.empty() && threads == 64)
    for (unsigned i = 0; i < 64; ++i)
      EXPECT_EQ(*reinterpret_cast<uint32_t *>(&out[i * 4]), 63 - i);
  return r.result;
}
} // namespace

TEST(PTXChecker, TheRightKernelIsCleanInAnyOrder) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    LaunchConfig config;
    config.seed = seed;
    LaunchResult result = run(reverse(), 64, 1, config);
    EXPECT_TRUE(result.findings.empty());
  }
}

TEST(PTXChecker, MissingBarriers) {
  // In order, the first warp reads what the second has not written yet; with
  // the second warp first it is a plain race.
  std::string first = "bar.sync 0;\n  sub";
  for (const char *instead : {"sub", "bar.warp.sync -1;\n  sub"}) {
    LaunchResult result = run(reverse(first, instead));
    ASSERT_FALSE(result.findings.empty());
    for (const Finding &f : result.findings)
      EXPECT_TRUE(f.kind == FindingKind::Race ||
                  f.kind == FindingKind::Uninitialized)
          << f.message;
  }
  expectFinding(run(reverse("bar.sync 0;\n  st.shared", "st.shared")),
                FindingKind::Race, "unordered");
  // Without the last barrier each thread reads what it wrote: no fault.
  EXPECT_TRUE(run(reverse("bar.sync 0;\n  ld", "ld")).findings.empty());
}

TEST(PTXChecker, MissingWait) {
  for (const char *instead :
       {"", "cp.async.commit_group;",
        "cp.async.commit_group; cp.async.wait_group 1;"}) {
    LaunchResult result = run(reverse("cp.async.wait_all;", instead));
    ASSERT_FALSE(result.findings.empty());
    EXPECT_EQ(result.findings[0].kind, FindingKind::AsyncCopy);
  }
}

TEST(PTXChecker, Bounds) {
  expectFinding(run(reverse("sub.u32 %r3, 63", "sub.u32 %r3, 64")),
                FindingKind::OutOfBounds, "shared");
  expectFinding(run(reverse("mul.wide.u32 %rd2, %r0, 4", "mul.wide.u32 %rd2, "
                                                         "%r0, 8")),
                FindingKind::OutOfBounds, "outside of every allocation");
  expectFinding(run(reverse("st.global.u32 [%rd4]", "st.global.u32 [%rd2]")),
                FindingKind::OutOfBounds, "writes");
  expectFinding(run(reverse("[%r4];", "[%r4+2];")), FindingKind::Misaligned,
                "no multiple of 4");
}

TEST(PTXChecker, BoundsOfTheLastByte) {
  std::string text = header() + R"(
.visible .entry k(.param .u64 x) {
  .reg .b32 %r<4>; .reg .b64 %rd0;
  ld.param.u64 %rd0, [x];
  ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%rd0+16];
  st.global.u32 [%rd0], %r0;
  ret;
})";
  std::vector<uint8_t> whole(32), cut(28);
  EXPECT_TRUE(runKernel(text, {1}, {1}, {&whole}).result.findings.empty());
  expectFinding(runKernel(text, {1}, {1}, {&cut}).result,
                FindingKind::OutOfBounds, "outside of every allocation");
}

// Lanes are threads of their own: nothing orders them but bar.warp.sync.
TEST(PTXChecker, RacesInsideAWarp) {
  auto run = [](const std::string &before, const std::string &between) {
    std::string text = header() + R"(
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<8>; .reg .b64 %rd<4>;
  .shared .align 16 .b8 tile[128];
  ld.param.u64 %rd0, [out];
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, tile;
  mad.lo.u32 %r2, %r0, 4, %r1;
  sub.u32 %r3, 31, %r0;
  mad.lo.u32 %r4, %r3, 4, %r1;
  )" + before + R"(
  st.shared.u32 [%r2], %r0;
  )" + between + R"(
  ld.shared.u32 %r5, [%r4];
  mul.wide.u32 %rd1, %r0, 4;
  add.u64 %rd2, %rd0, %rd1;
  st.global.u32 [%rd2], %r5;
  ret;
})";
    std::vector<uint8_t> out(128);
    return runKernel(text, {1}, {32}, {&out}).result;
  };
  EXPECT_TRUE(run("", "bar.warp.sync -1;").findings.empty());
  expectFinding(run("", ""), FindingKind::Race, "unordered");
  expectFinding(
      run("st.shared.u32 [%r1], %r0; bar.warp.sync -1;", "bar.warp.sync -1;"),
      FindingKind::Race, "unordered");
}

TEST(PTXChecker, Uninitialized) {
  expectFinding(run(reverse("mov.u32 %r1, tile;", "")),
                FindingKind::Uninitialized, "%r1");
  std::string skipped = "setp.lt.u32 %p1, %r0, 63;\n  @%p1 cp.async.ca.shared";
  LaunchResult result = run(reverse("cp.async.ca.shared", skipped));
  expectFinding(result, FindingKind::Uninitialized, "never written");
  // A move carries it on; the use is what counts.
  EXPECT_TRUE(run(reverse("mov.u32 %r0,", "mov.u32 %r9, %r10;\n  mov.u32 %r0,"))
                  .findings.empty());
}

TEST(PTXChecker, DivergentBarriers) {
  std::string some = "setp.lt.u32 %p1, %r0, 40;\n  @%p1 bar.sync 0;\n  sub";
  expectFinding(run(reverse("bar.sync 0;\n  sub", some)),
                FindingKind::Divergence, "");
  std::string leave = "setp.gt.u32 %p1, %r0, 31;\n  @%p1 ret;\n  bar.sync 0;\n "
                      " sub";
  expectFinding(run(reverse("bar.sync 0;\n  sub", leave)),
                FindingKind::Divergence, "exited");
  std::string both = "setp.gt.u32 %p1, %r0, 9;\n  @%p1 bra ELSE;\n  bar.sync "
                     "0;\n  bra JOIN;\nELSE:\n  bar.sync 0;\nJOIN:\n  sub";
  expectFinding(run(reverse("bar.sync 0;\n  sub", both)),
                FindingKind::Divergence, "wait here");
  std::string shuffle = "setp.gt.u32 %p1, %r0, 9;\n  @%p1 shfl.sync.idx.b32 "
                        "%r7, %r0, 0, 31, -1;\n  sub";
  expectFinding(run(reverse("sub", shuffle)), FindingKind::Divergence, "");
}

TEST(PTXChecker, RacesBetweenBlocks) {
  // Both blocks write the same values: no race; different ones: one.
  EXPECT_TRUE(run(reverse(), 64, 2).findings.empty());
  expectFinding(
      run(reverse("st.global.u32 [%rd4], %r6",
                  "mov.u32 %r9, %ctaid.x;\n  add.u32 %r6, %r6, %r9;\n  "
                  "st.global.u32 [%rd4], %r6"),
          64, 2),
      FindingKind::Race, "of block");
}

TEST(PTXChecker, FlagsBetweenBlocksOrder) {
  // Block 0 writes, fences and raises a flag; block 1 spins on it. Without the
  // fence it is a race.
  auto text =
      [](const char *fence) {
        return header() + R"(
.global .u32 flag;
.visible .entry k(.param .u64 in, .param .u64 out) {
  .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [out];
  mov.u32 %r0, %ctaid.x;
  setp.ne.u32 %p1, %r0, 0;
  @%p1 bra WAIT;
  st.global.u32 [%rd1], 7;
  )" + fence + R"(
  atom.global.exch.b32 %r1, [flag], 1;
  ret;
WAIT:
  ld.volatile.global.u32 %r2, [flag];
  setp.eq.u32 %p2, %r2, 0;
  @%p2 bra WAIT;
  )" + fence + R"(
  ld.global.u32 %r3, [%rd1];
  ret;
})";
      };
  EXPECT_TRUE(run(text("membar.gl;"), 1, 2).findings.empty());
  expectFinding(run(text(""), 1, 2), FindingKind::Race, "unordered");
}

TEST(PTXChecker, SwappedFragmentChangesTheResult) {
  // The matrix instructions have no checker: a wrong fragment is a wrong value.
  Inputs in = randomInputs();
  std::string mma =
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r8, %r9, "
      "%r10, %r11}, {%r0, %r1, %r2, %r3}, ";
  std::string zero = ", {0, 0, 0, 0};";
  Lanes right = runClean(mma + "{%r4, %r5}" + zero, "%r8", in);
  Lanes swapped = runClean(mma + "{%r5, %r4}" + zero, "%r8", in);
  EXPECT_NE(right, swapped);
}

TEST(PTXChecker, TrapsAndLimits) {
  LaunchConfig config;
  config.maxSteps = 10000;
  expectFinding(run(header() +
                        ".visible .entry k(.param .u64 a, .param .u64 b) "
                        "{ L: bra L; }",
                    32, 1, config),
                FindingKind::StepLimit, "10000");
  expectFinding(run(reverse("ret;", "trap;")), FindingKind::Trap, "trap");
}

TEST(PTXChecker, ReadOnlyMemory) {
  Diagnostic why;
  auto emulator = Emulator::create(
      header() + ".visible .entry k(.param .u64 a) { .reg .b64 %rd0; "
                 "ld.param.u64 %rd0, [a]; st.global.u32 [%rd0], 1; }",
      why);
  ASSERT_TRUE(emulator);
  uint64_t a = emulator->allocate(16, true, false);
  LaunchConfig config;
  config.arguments = {{}};
  config.arguments[0].resize(8);
  std::memcpy(config.arguments[0].data(), &a, 8);
  LaunchResult result;
  ASSERT_TRUE(emulator->launch("k", config, result, why));
  expectFinding(result, FindingKind::ReadOnly, "read-only");
}

TEST(PTXCounters, BanksAndSectors) {
  auto counters = [](const std::string &text, const std::string &opcode) {
    LaunchConfig config;
    LaneRun r = runLanes("mov.u32 %r20, %tid.x; mul.wide.u32 %rd10, %r20, 4; "
                         "mul.wide.u32 %rd11, %r20, 128; add.u64 %rd10, %rd10, "
                         "%rd50; add.u64 %rd11, %rd11, %rd50; mad.lo.u32 %r21, "
                         "%r20, 4, %r50; mad.lo.u32 %r22, %r20, 128, %r50; "
                         "mad.lo.u32 %r23, %r20, 16, %r50;" +
                             text,
                         "%r20", randomInputs(), config);
    EXPECT_TRUE(r.launched) << r.why.message;
    SiteCounters sum;
    for (const LineReport &line : r.result.lines)
      if (line.opcode == opcode)
        sum.add(line.counters);
    return sum;
  };
  SiteCounters c =
      counters("ld.volatile.shared.u32 %r8, [%r21];", "ld.volatile.shared.u32");
  EXPECT_EQ(c.wavefronts, 1u);
  EXPECT_EQ(c.conflicts, 0u);
  EXPECT_EQ(c.bytes, 128u);
  c = counters("ld.volatile.shared.u32 %r8, [%r22];", "ld.volatile.shared.u32");
  EXPECT_EQ(c.wavefronts, 32u);
  EXPECT_EQ(c.conflicts, 31u);
  c = counters("ld.shared.v4.u32 {%r8, %r9, %r10, %r11}, [%r23];",
               "ld.shared.v4.u32");
  EXPECT_EQ(c.wavefronts, 4u);
  EXPECT_EQ(c.conflicts, 0u);
  c = counters("ld.shared.v2.u8 {%h8, %h9}, [%r50];", "ld.shared.v2.u8");
  EXPECT_EQ(c.wavefronts, 1u); // one word for all
  c = counters("ld.global.nc.u32 %r8, [%rd10];", "ld.global.nc.u32");
  EXPECT_EQ(c.sectors, 4u);
  EXPECT_EQ(c.idealSectors, 4u);
  c = counters("ld.global.nc.u32 %r8, [%rd11];", "ld.global.nc.u32");
  EXPECT_EQ(c.sectors, 32u);
  EXPECT_EQ(c.idealSectors, 4u);
}

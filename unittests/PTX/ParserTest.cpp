// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Texts that are wrong: an error with the line, never a crash.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

static void expectError(const std::string &text, const std::string &part,
                        unsigned line) {
  Diagnostic why;
  EXPECT_FALSE(parseModule(header() + text, why)) << text;
  EXPECT_NE(why.message.find(part), std::string::npos) << why.message;
  EXPECT_EQ(why.line, line) << why.message;
}

TEST(PTXParser, Errors) {
  expectError("\n.visible .entry k() { add.u32 %r1, %r2; ` }", "character", 5);
  expectError(".entry k() {\n bra NOWHERE;\n}", "unknown label", 5);
  expectError(".entry k() { L: L: ret; }", "stands twice", 4);
  expectError(".entry k() { ret;", "no '}'", 4);
  expectError(".entry k() { @%p1 ret; }", "unknown predicate", 4);
  expectError(".global .b8 x[99999999999];", "larger than 4 GiB", 4);
  expectError(".global .b32 x[1] = {1, 2};", "initial value", 4);
  expectError(".global .align 3 .b32 x;", "power of two", 4);
  expectError(".entry k() { .reg .b32 %r<9999999>; }", "registers", 4);
  expectError(".entry k() { mov.u32 {{a}}, b; }", "inside a list", 4);
  expectError(".entry k() { mov.u32 %r1, 0x; }", "number", 4);
  expectError(".entry k() { mov.f32 %f1, 0f12; }", "8 digits", 4);
  expectError("/* ", "comment", 4);
  expectError(".wrong", "unknown directive", 4);
  expectError(".func f(.reg .b32 x);", "not supported", 4);
}

TEST(PTXParser, EveryPrefixAndManyMutations) {
  std::string text =
      header() +
      ".global .b64 p = generic(q)+4; .global .b32 q[2] = {1, {2}};"
      ".visible .entry k(.param .u64 a) .maxntid 32 { .reg .b32 "
      "%r<4>; .loc 1 2 3, function_name $x, inlined_at 1 2 3\n"
      "@!%p1 ld.v2.u32 {%r1, _}, [a+-4]; L: .branchtargets L; brx.idx "
      "%r1, L; call (x), f, (y); mov.b64 %rd1, -0f3F800000; }";
  Diagnostic why;
  for (size_t n = 0; n < text.size(); ++n)
    parseModule(text.substr(0, n), why);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20000; ++i) {
    std::string other = text;
    for (int k = 0; k < 3; ++k)
      other[random() % other.size()] = char(32 + random() % 96);
    parseModule(other, why);
  }
}

TEST(PTXDecoder, Errors) {
  struct {
    const char *body, *part;
  } cases[] = {
      {"frobnicate.u32 %r1, %r2;", "unknown instruction 'frobnicate.u32'"},
      {"add.q32 %r8, %r0, %r1;", "unknown instruction"},
      {"add.u32 %r8, %r0;", "operands"},
      {"add.u32 %rd8, %r0, %r1;", "has 64 bits, expected 32"},
      {"add.u32 %r8, %r0, [%r1];", "no source"},
      {"add.u32 5, %r0, %r1;", "no destination"},
      {"mov.u32 %r8, nowhere;", "unknown symbol"},
      {"ld.global.u32 %r8, %rd1;", "no address"},
      {"ld.global.v2.u32 %r8, [%rd1];", "elements"},
      {"cvt.s32.f32 %r8, %r0;", ".rni"},
      {"setp.ltu.s32 %p1, %r0, %r1;", "unordered"},
      {"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r8}, {%r1}, {%r2}, "
       "{%r3};",
       "registers"},
      {"mma.sync.aligned.m16n8k64.row.col.s32.s8.s8.s32 {%r8}, {%r1}, {%r2}, "
       "{%r3};",
       "does not exist"},
      {"cp.async.cg.shared.global [%r1], [%rd1], 8;", "cannot be copied"},
      {"call nowhere;", "unknown function"},
      {"lop3.b32 %r8, %r0, %r1, %r2, %r3;", "constant"}};
  for (auto &c : cases) {
    LaneRun run = runLanes(c.body, "%r0");
    EXPECT_FALSE(run.launched) << c.body;
    EXPECT_NE(run.why.message.find(c.part), std::string::npos)
        << c.body << ": " << run.why.message;
    EXPECT_NE(run.why.line, 0u);
  }
}

TEST(PTXLaunch, Errors) {
  std::string text = header() + ".visible .entry k(.param .u64 a) .maxntid 64 "
                                "{ ret; }";
  Diagnostic why;
  auto emulator = Emulator::create(text, why);
  ASSERT_TRUE(emulator);
  LaunchResult result;
  auto fails = [&](const char *kernel, Dim3 grid, Dim3 block, size_t bytes,
                   uint64_t shared, const char *part) {
    LaunchConfig config;
    config.grid = grid;
    config.block = block;
    config.sharedBytes = shared;
    config.arguments.assign(bytes ? 1 : 0, std::vector<uint8_t>(bytes));
    EXPECT_FALSE(emulator->launch(kernel, config, result, why));
    EXPECT_NE(why.message.find(part), std::string::npos) << why.message;
  };
  fails("x", {1}, {1}, 8, 0, "no kernel");
  fails("k", {1}, {1}, 0, 0, "1 arguments");
  fails("k", {1}, {1}, 4, 0, "has 8 bytes");
  fails("k", {1}, {65}, 8, 0, ".maxntid");
  fails("k", {1}, {2048}, 8, 0, "2048 threads");
  fails("k", {0}, {1}, 8, 0, "0 blocks");
  fails("k", {1}, {1}, 8, 1 << 20, "shared memory");
}

TEST(PTXLaunch, MutatedPrograms) {
  // Whatever becomes of the program, it ends in an error or in findings.
  std::string body =
      "mov.u32 %r20, %tid.x; mad.wide.u32 %rd9, %r20, 64, %rd50;"
      "mad.lo.u32 %r9, %r20, 64, %r50; ld.global.v2.u32 {%r8, %r10}, [%rd9+8];"
      "setp.lt.u32 %p1, %r20, 9; @%p1 bra A; st.shared.b16 [%r9+2], %h1;"
      "bar.sync 0; A: shfl.sync.bfly.b32 %r11|%p2, %r8, 3, 31, -1;"
      "cp.async.ca.shared.global [%r9], [%rd9], 8; cp.async.wait_all;"
      "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r12, %r13}, [%r9];"
      "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%r14, %r15, %r16, "
      "%r17},"
      "{%r12, %r13}, {%r8}, {%r14, 0, 1, 2}; bfi.b32 %r8, %r1, %r2, 5, 9;"
      "atom.shared.add.u32 %r18, [%r50+4], %r3; cvt.rn.f16.f32 %h8, %r4;"
      "mbarrier.init.shared.b64 [%r50+64], 3; prmt.b32 %r8, %r1, %r2, 0x5410;"
      "T: .branchtargets A, A; brx.idx %r5, T; vote.sync.ballot.b32 %r8, %p1, "
      "-1;";
  std::mt19937_64 random(kSeed);
  LaunchConfig config;
  config.maxSteps = 2000;
  const std::string letters = "0123456789%rdhp,.[]{}-@!usb; ";
  for (int i = 0; i < 1500; ++i) {
    std::string other = body;
    for (int k = 0; k < 2; ++k) {
      size_t at = random() % other.size();
      other[at] = letters[random() % letters.size()];
    }
    if (i % 3 == 0) // an instruction less
      other.erase(random() % other.size(), random() % 40);
    runLanes(other, "%r8", randomInputs(uint64_t(i)), config);
  }
}

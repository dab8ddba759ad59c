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

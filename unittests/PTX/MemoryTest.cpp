// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mov, cvta, isspacep, ld, st, atom, red: every type and modifier of the table.

#include "RunLanes.h"

#include <sstream>

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

static std::string reg(unsigned bits, int n) {
  return (bits <= 16 ? "%h" : bits == 32 ? "%r" : "%rd") + std::to_string(n);
}
static std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> list;
  for (std::string word; stream >> word;)
    list.push_back(word);
  return list;
}
static const InstructionRow &row(std::string_view opcode) {
  static std::vector<InstructionRow> rows = listInstructions();
  for (const InstructionRow &r : rows)
    if (r.opcode == opcode)
      return r;
  ADD_FAILURE() << opcode;
  return rows[0];
}
/// This lane's 64 bytes in global (%rd9) and shared (%r9) memory.
static const char kAddresses[] =
    "mov.u32 %r20, %tid.x; mul.wide.u32 %rd9, %r20, 64; add.u64 %rd9, %rd9, "
    "%rd50; mad.lo.u32 %r9, %r20, 64, %r50;";

TEST(PTXMemory, LoadsAndStoresOfEveryType) {
  for (const char *t :
       {"b8", "u8", "s8", "b16", "u16", "s16", "f16", "bf16", "b32", "u32",
        "s32", "f32", "b64", "u64", "s64", "f64"}) {
    std::string name = t;
    unsigned bits = t[0] == 'b' && t[1] == 'f' ? 16 : std::stoi(t + 1);
    std::string type = "." + name + " ";
    auto want = [=](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
      uint64_t v = bits == 64 ? a : a & ((uint64_t{1} << bits) - 1);
      if (t[0] == 's' && bits == 8 && v >> 7)
        v |= 0xff00;
      return v;
    };
    std::string r = reg(bits, 8);
    expectLanes(kAddresses + ("ld.global" + type) + r + ", [%rd9];", r, want);
    expectLanes(kAddresses + ("ld.shared" + type) + r + ", [%r9];", r, want);
    // Stored over the next input, which is then loaded whole.
    auto over = [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
      uint64_t ones = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
      return (b & ~ones) | (a & ones);
    };
    expectLanes(kAddresses + ("st.global" + type) + "[%rd9+8], " +
                    reg(bits, 0) + "; ld.global.u64 %rd8, [%rd9+8];",
                "%rd8", over);
    expectLanes(kAddresses + ("st.shared" + type) + "[%r9+8], " + reg(bits, 0) +
                    "; ld.shared.u64 %rd8, [%r9+8];",
                "%rd8", over);
  }
  // A register wider than the type takes the value extended.
  expectLanes(kAddresses + std::string("ld.global.s8 %rd8, [%rd9];"), "%rd8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) {
                return uint64_t(int64_t(int8_t(a)));
              });
  expectLanes(kAddresses + std::string("ld.global.b128 %q0, [%rd9]; "
                                       "st.shared.b128 [%r9+16], %q0; "
                                       "mov.b128 %q1, %q0; mov.b128 {%rd8, "
                                       "%rd10}, %q1; "
                                       "ld.shared.u64 %rd11, [%r9+24]; "
                                       "xor.b64 %rd8, %rd8, %rd11;"),
              "%rd8",
              [](uint64_t a, uint64_t b, uint64_t, uint64_t) { return a ^ b; });
}

TEST(PTXMemory, Vectors) {
  expectLanes(kAddresses + std::string("ld.global.v2.u32 {%r8, %r10}, [%rd9]; "
                                       "sub.u32 %r8, %r10, %r8;"),
              "%r8", [](uint64_t a, uint64_t, uint64_t, uint64_t) {
                return (a >> 32) - (a & 0xffffffff) & 0xffffffff;
              });
  expectLanes(kAddresses +
                  std::string("ld.shared.v4.u16 {_, %h8, _, _}, [%r9+8];"),
              "%h8", [](uint64_t, uint64_t b, uint64_t, uint64_t) {
                return b >> 16 & 0xffff;
              });
  expectLanes(kAddresses +
                  std::string("st.global.v2.b64 [%rd9+16], {%rd1, %rd0}; "
                              "st.shared.v4.b32 [%r9], {%r0, %r1, %r2, %r3}; "
                              "ld.global.u64 %rd8, [%rd9+24]; ld.shared.u32 "
                              "%rd10, [%r9+12]; add.u64 %rd8, %rd8, %rd10;"),
              "%rd8", [](uint64_t a, uint64_t, uint64_t, uint64_t d) {
                return a + (d & 0xffffffff);
              });
  expectLanes(
      kAddresses +
          std::string("ld.global.v8.b32 {%r8, %r10, %r11, %r12, %r13, %r14, "
                      "%r15, %r16}, [%rd9]; st.global.v8.b32 [%rd9+32], {%r16, "
                      "%r15, %r14, %r13, %r12, %r11, %r10, %r8}; "
                      "ld.global.u32 %r8, [%rd9+60];"),
      "%r8",
      [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a & 0xffffffff; });
  expectLanes(kAddresses + std::string("ldu.global.v2.u64 {%rd8, _}, [%rd9]; "
                                       "ldu.global.v4.u8 {%h8, %h9, %h10, "
                                       "%h11}, [%rd9];"),
              "%rd8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a; });
  for (const std::string &t : words(row("ldu").types)) {
    if (t == "b128")
      runClean(kAddresses + ("ldu.global." + t) + " %q0, [%rd9];", "%r0");
    else {
      unsigned bits = t == "bf16" ? 16 : unsigned(std::stoi(t.substr(1)));
      runClean(kAddresses + ("ldu.global." + t) + " " + reg(bits, 8) +
                   ", [%rd9];",
               reg(bits, 8));
    }
  }
}

TEST(PTXMemory, EveryModifier) {
  auto load = [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a; };
  auto scope = [](const std::string &m) {
    return m == "cta" || m == "cluster" || m == "gpu" || m == "sys";
  };
  for (const char *opcode : {"ld", "st"})
    for (const std::string &m : words(row(opcode).modifiers)) {
      if (m[0] == 'v' && m.size() == 2)
        continue; // Vectors
      bool shared = m.rfind("shared", 0) == 0;
      bool other = m == "local" || m.rfind("param", 0) == 0 || m == "const";
      if (other)
        continue; // Spaces
      std::string space = shared          ? "." + m
                          : m == "global" ? ".global"
                          : scope(m)      ? ".relaxed." + m + ".global"
                          : m == "acquire" || m == "release" || m == "relaxed"
                              ? "." + m + ".gpu.global"
                          : m == "mmio" ? ".mmio.relaxed.sys.global"
                          : m == "volatile" || m == "weak" ? "." + m + ".global"
                                                           : ".global." + m;
      std::string address = shared ? "[%r9" : "[%rd9";
      std::string hint = m == "L2::cache_hint" ? ", %rd1" : "";
      if (opcode[0] == 'l')
        expectLanes(kAddresses + ("ld" + space) + ".u64 %rd8, " + address +
                        "]" + hint + ";",
                    "%rd8", load);
      else
        expectLanes(kAddresses + ("st" + space) + ".u64 " + address +
                        "+8], %rd0" + hint + "; ld" +
                        (shared ? ".shared" : ".global") + ".u64 %rd8, " +
                        address + "+8];",
                    "%rd8", load);
    }
}

TEST(PTXMemory, Spaces) {
  expectLanes(".local .align 8 .b8 stack[32]; mov.u64 %rd9, stack; "
              "st.local.u64 [%rd9+8], %rd0; cvta.local.u64 %rd10, %rd9; "
              "isspacep.local %p1, %rd10; selp.u64 %rd12, 0, 1, %p1; "
              "ld.u64 %rd11, [%rd10+8]; cvta.to.local.u64 %rd10, %rd10; "
              "ld.local.u64 %rd8, [%rd10+8]; xor.b64 %rd11, %rd11, %rd8; "
              "add.u64 %rd8, %rd8, %rd11; add.u64 %rd8, %rd8, %rd12;",
              "%rd8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a; });
  for (const char *s : {"shared", "shared::cta", "shared::cluster"}) {
    std::string name = s;
    expectLanes(
        std::string(kAddresses) + "cvt.u64.u32 %rd10, %r9; cvta." + name +
            ".u64 %rd11, %rd10; isspacep." + name +
            " %p1, %rd11; @!%p1 trap; ld.u64 %rd8, [%rd11]; cvta.to." + name +
            ".u64 %rd12, %rd11; setp.ne.u64 %p2, %rd12, %rd10; "
            "@%p2 trap;",
        "%rd8", [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a; });
  }
  for (const char *s : {"global", "const", "param", "param::entry"})
    runClean(std::string("cvta.to.") + s + ".u64 %rd8, %rd50; cvta." + s +
                 ".u64 %rd8, %rd8; cvta.global.u32 %r8, %r0;",
             "%rd8");
  runClean("isspacep.global %p1, %rd50; isspacep.const %p2, %rd50; @!%p1 trap;",
           "%p1");
  for (const char *t : {"b8", "b16", "b32", "b64"})
    runClean(std::string("ld.param::entry.") + t +
                 (t[1] == '6'   ? " %rd8"
                  : t[1] == '3' ? " %r8"
                                : " %h8") +
                 ", [memory];",
             t[1] == '6'   ? "%rd8"
             : t[1] == '3' ? "%r8"
                           : "%h8");
}

TEST(PTXMemory, ConstantsAndInitialValues) {
  std::string text = header() + R"(
.const .align 4 .b32 table[4] = {1, -2, 0x30, 4};
.global .align 8 .u64 pointer = generic(data)+4;
.global .align 4 .f32 data[3] = {1.5, 0f40000000, -3.0};
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<8>; .reg .b64 %rd<8>;
  ld.param.u64 %rd0, [out];
  ld.const.b32 %r0, [table+8];
  mov.u64 %rd1, table; ld.const.u32 %r1, [%rd1+4];
  ld.global.u64 %rd2, [pointer]; ld.f32 %r2, [%rd2]; ld.global.f32 %r3, [data+8];
  st.global.v4.b32 [%rd0], {%r0, %r1, %r2, %r3};
})";
  std::vector<uint8_t> out(16);
  KernelRun run = runKernel(text, {1}, {1}, {&out});
  ASSERT_TRUE(run.launched) << run.why.message;
  EXPECT_TRUE(run.result.findings.empty());
  uint32_t words[4];
  std::memcpy(words, out.data(), 16);
  EXPECT_EQ(words[0], 0x30u);
  EXPECT_EQ(words[1], uint32_t(-2));
  EXPECT_EQ(words[2], 0x40000000u);
  EXPECT_EQ(words[3], codeOf(-3.0f));
}

TEST(PTXMemory, Moves) {
  for (const char *t : {"b16", "u16", "s16", "f16", "bf16", "b32", "u32", "s32",
                        "f32", "b64", "u64", "s64", "f64"}) {
    unsigned bits = std::string(t) == "bf16" ? 16 : unsigned(std::stoi(t + 1));
    expectLanes(std::string("mov.") + t + " " + reg(bits, 8) + ", " +
                    reg(bits, 0) + ";",
                reg(bits, 8), [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                  return bits == 64 ? a : a & ((uint64_t{1} << bits) - 1);
                });
  }
  expectLanes("mov.b32 {%h8, %h9}, %r0; mov.b32 %r8, {%h9, %h8};", "%r8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) {
                return (a >> 16 & 0xffff) | (a & 0xffff) << 16;
              });
  expectLanes("mov.b64 %rd8, {%h0, %h1, %h2, %h3};", "%rd8",
              [](uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
                return (a & 0xffff) | (b & 0xffff) << 16 | (c & 0xffff) << 32 |
                       (d & 0xffff) << 48;
              });
  // Clocks go on, lanes know who they are.
  runClean("mov.u64 %rd8, %clock64; mov.u64 %rd9, %globaltimer; mov.u32 %r8, "
           "%clock; setp.lt.u64 %p1, %rd9, %rd8; @%p1 trap;",
           "%rd8");
  Lanes lanes = runClean("mov.u32 %r8, %laneid; mov.u32 %r9, %lanemask_lt; "
                         "popc.b32 %r9, %r9; sub.u32 %r8, %r8, %r9;",
                         "%r8");
  for (uint64_t l : lanes)
    EXPECT_EQ(l, 0u);
}

TEST(PTXMemory, Prefetches) {
  for (const char *text :
       {"prefetch.global.L1 [%rd50]", "prefetch.global.L2 [%rd50]",
        "prefetch.local.L1 [%rd50]", "prefetch.global.L2::evict_last [%rd50]",
        "prefetch.global.L2::evict_normal [%rd50]", "prefetchu.L1 [%rd50]"})
    runClean(std::string(text) + ";", "%r0");
  for (const char *policy : {"evict_first", "evict_last", "evict_normal"})
    runClean(std::string("createpolicy.fractional.L2::") + policy +
                 ".b64 %rd8, 0f3F800000;",
             "%rd8");
}

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

/// All lanes act on one word; the end is the same in any order.
static uint64_t sharedTotal(const std::string &space, const std::string &op,
                            const std::string &type, uint64_t start,
                            bool returns) {
  bool wide = type[1] == '6' || type == "f64";
  std::string r = wide                                ? "%rd"
                  : (type == "f16" || type == "bf16") ? "%h"
                                                      : "%r";
  std::string moved = wide ? "u64" : r == "%h" ? "u16" : "u32";
  std::string at = space == "shared" ? "[%r50]" : "[%rd50]";
  std::string body = "mov.u32 %r30, %tid.x; setp.eq.u32 %p1, %r30, 0; mov." +
                     moved + " " + r + "30, " + std::to_string(start) +
                     "; @%p1 st." + space + "." + moved + " " + at + ", " + r +
                     "30; bar.sync 0;";
  std::string name = returns ? "atom." : "red.";
  body += name + space + "." + op + "." + type + " " +
          (returns ? r + "31, " : "") + at + ", " + r + "0;";
  body += "bar.sync 0; ld." + space + "." + moved + " " + r + "8, " + at + ";";
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = type == "f32"                ? codeOf(float(l))
               : type == "f64"              ? codeOf(double(l))
               : type.rfind("f16", 0) == 0  ? 0x3c003c00 // ones
               : type.rfind("bf16", 0) == 0 ? 0x3f803f80
                                            : l * 7 + 1;
  return runClean(body, r + "8", in)[5];
}

TEST(PTXAtomics, Totals) {
  for (const char *space : {"global", "shared"})
    for (bool returns : {true, false}) {
      auto total = [&](const char *op, const char *t, uint64_t start) {
        return sharedTotal(space, op, t, start, returns);
      };
      for (const char *t : {"u32", "s32", "u64", "s64"}) {
        EXPECT_EQ(total("add", t, 5), 5u + 7 * 496 + 32);
        EXPECT_EQ(total("min", t, 1000), 1u);
        EXPECT_EQ(total("max", t, 3), 218u);
      }
      for (const char *t : {"b32", "b64"}) {
        EXPECT_EQ(total("or", t, 0), 255u);
        EXPECT_EQ(total("and", t, 1023), 0u);
        uint64_t x = 9;
        for (unsigned l = 0; l < 32; ++l)
          x ^= l * 7 + 1;
        EXPECT_EQ(total("xor", t, 9), x);
      }
      EXPECT_EQ(asFloat(total("add", "f32", codeOf(1.0f))), 497.0f);
      EXPECT_EQ(asDouble(total("add", "f64", codeOf(1.0))), 497.0);
      EXPECT_EQ(total("add.noftz", "f16x2", 0), 0x50005000u); // 32
      EXPECT_EQ(total("add.noftz", "bf16x2", 0), 0x42004200u);
      EXPECT_EQ(total("add.noftz", "f16", 0), 0x5000u);
      EXPECT_EQ(total("add.noftz", "bf16", 0), 0x4200u);
      total("inc", "u32", 0);
      total("dec", "u32", 0);
    }
}

TEST(PTXAtomics, ExchangeAndCompare) {
  // Each lane has its own word, so the old value is known.
  std::string at = kAddresses;
  for (const char *t : {"b32", "b64"}) {
    unsigned n = unsigned(std::stoi(t + 1));
    uint64_t ones = n == 64 ? ~uint64_t{0} : 0xffffffff;
    expectLanes(at + "atom.global.exch." + t + " " + reg(n, 10) + ", [%rd9], " +
                    reg(n, 1) + "; ld.global." + t + " " + reg(n, 8) +
                    ", [%rd9]; xor." + t + " " + reg(n, 8) + ", " + reg(n, 8) +
                    ", " + reg(n, 10) + ";",
                reg(n, 8), [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  return (a ^ b) & ones;
                });
    expectLanes(at + "atom.shared.cas." + t + " " + reg(n, 10) + ", [%r9], " +
                    reg(n, 0) + ", " + reg(n, 2) + "; atom.shared.cas." + t +
                    " " + reg(n, 10) + ", [%r9], " + reg(n, 1) +
                    ", 7; ld.shared." + t + " " + reg(n, 8) + ", [%r9];",
                reg(n, 8), [=](uint64_t, uint64_t b, uint64_t c, uint64_t) {
                  return (b & ones) == (c & ones) ? 7 : c & ones;
                });
  }
  expectLanes(at + "atom.global.cas.b16 %h10, [%rd9], %h0, %h1; ld.global.b16 "
                   "%h8, [%rd9];",
              "%h8", [](uint64_t, uint64_t b, uint64_t, uint64_t) {
                return b & 0xffff;
              });
  expectLanes(at + "mov.b128 %q0, {%rd2, %rd3}; atom.global.exch.b128 %q1, "
                   "[%rd9], %q0; mov.b128 {%rd8, %rd10}, %q1;",
              "%rd8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) { return a; });
  expectLanes(at + "mov.u32 %r10, 3; st.global.u32 [%rd9], %r10; "
                   "atom.global.inc.u32 %r11, [%rd9], 3; ld.global.u32 %r8, "
                   "[%rd9]; atom.global.dec.u32 %r11, [%rd9], 9; ld.global.u32 "
                   "%r12, [%rd9]; mad.lo.u32 %r8, %r8, 100, %r12;",
              "%r8", [](uint64_t, uint64_t, uint64_t, uint64_t) { return 9; });
  expectLanes(
      at + "mov.u32 %r10, 0; mov.u32 %r11, 0; st.global.v2.u32 [%rd9], "
           "{%r10, %r11}; atom.global.v2.add.f32 {%r12, %r13}, [%rd9], "
           "{0f3F800000, 0f40000000}; ld.global.u32 %r8, [%rd9+4];",
      "%r8", [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0x40000000; });
}

TEST(PTXAtomics, EveryModifier) {
  for (const char *opcode : {"atom", "red"})
    for (const std::string &m : words(row(opcode).modifiers)) {
      bool vector = m.size() == 2 && m[0] == 'v';
      bool operation = m == "exch" || m == "cas";
      std::string d = opcode[0] == 'a' ? "%r10, " : "";
      if (operation || m == "and" || m == "or" || m == "xor" || m == "inc" ||
          m == "dec" || m == "min" || m == "max" || m == "add" || m == "noftz")
        continue; // Totals
      if (vector) {
        unsigned n = unsigned(m[1] - '0');
        std::string list = "{", source = "{";
        for (unsigned k = 0; k < n; ++k) {
          list += (k ? ", %h1" : "%h1") + std::to_string(k);
          source += (k ? ", %h" : "%h") + std::to_string(k % 4);
        }
        runClean(kAddresses + std::string(opcode) + ".global." + m +
                     ".add.noftz.f16 " + (d.empty() ? "" : list + "}, ") +
                     "[%rd9], " + source + "};",
                 "%r0");
        continue;
      }
      bool shared = m.rfind("shared", 0) == 0;
      std::string hint = m == "L2::cache_hint" ? ", %rd1" : "";
      std::string text =
          shared          ? "." + m + ".add.u32 " + d + "[%r9+8], %r0"
          : m == "global" ? ".global.add.u32 " + d + "[%rd9+8], %r0"
          : m == "L2::cache_hint"
              ? ".global.add." + m + ".u32 " + d + "[%rd9+8], %r0"
              : "." + m + ".global.add.u32 " + d + "[%rd9+8], %r0";
      expectLanes(kAddresses + std::string(opcode) + text + hint + "; ld." +
                      (shared ? "shared.u32 %r8, [%r9+8];"
                              : "global.u32 %r8, [%rd9+8];"),
                  "%r8", [](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                    return (a + b) & 0xffffffff;
                  });
    }
}

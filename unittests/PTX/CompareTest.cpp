// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// setp, set, selp, slct, testp.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

namespace {
/// What a comparison says of "less", "equal", "greater" and "unordered".
struct Comparison {
  const char *name;
  bool less, equal, greater, unordered, onlyFloat, onlyUnsigned;
};
const Comparison kComparisons[] = {
    {"eq", 0, 1, 0, 0, 0, 0},  {"ne", 1, 0, 1, 0, 0, 0},
    {"lt", 1, 0, 0, 0, 0, 0},  {"le", 1, 1, 0, 0, 0, 0},
    {"gt", 0, 0, 1, 0, 0, 0},  {"ge", 0, 1, 1, 0, 0, 0},
    {"equ", 0, 1, 0, 1, 1, 0}, {"neu", 1, 0, 1, 1, 1, 0},
    {"ltu", 1, 0, 0, 1, 1, 0}, {"leu", 1, 1, 0, 1, 1, 0},
    {"gtu", 0, 0, 1, 1, 1, 0}, {"geu", 0, 1, 1, 1, 1, 0},
    {"num", 1, 1, 1, 0, 1, 0}, {"nan", 0, 0, 0, 1, 1, 0},
    {"lo", 1, 0, 0, 0, 0, 1},  {"ls", 1, 1, 0, 0, 0, 1},
    {"hi", 0, 0, 1, 0, 0, 1},  {"hs", 0, 1, 1, 0, 0, 1}};

std::string reg(unsigned bits, int n) {
  return (bits == 16 ? "%h" : bits == 32 ? "%r" : "%rd") + std::to_string(n);
}
template <typename T>
bool holds(const Comparison &c, T a, T b) {
  return a < b ? c.less : a == b ? c.equal : a > b ? c.greater : c.unordered;
}
double halfValue(uint64_t code, bool bf16) {
  code &= 0xffff;
  if (bf16)
    return asFloat(code << 16);
  int e = code >> 10 & 31, m = code & 1023;
  double v = e == 31 ? (m ? NAN : INFINITY)
                     : std::ldexp(e ? 1024 + m : m, (e ? e : 1) - 25);
  return code & 0x8000 ? -v : v;
}
/// Equal pairs, zeros of both signs and NaNs in the first lanes.
Inputs floatInputs() {
  Inputs in = randomInputs();
  const uint64_t specials[] = {0x0000000000000000, 0x8000800080008000,
                               0x7fff7fff7fff7fff, 0x3c003c003c003c00,
                               0xbf80bf80bf80bf80, 0x7c007c007c007c00};
  for (unsigned l = 0; l < 18; ++l) {
    in[0][l] = specials[l / 3];
    in[1][l] = specials[(l / 3 + l % 3) % 6];
  }
  return in;
}
} // namespace

TEST(PTXCompare, SetpIntegers) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 8; ++l)
    in[1][l] = in[0][l];
  for (unsigned n : {16u, 32u, 64u})
    for (char kind : {'b', 'u', 's'})
      for (const Comparison &c : kComparisons) {
        bool ordered = c.less != c.greater;
        if (c.onlyFloat || (kind == 'b' && ordered) ||
            (c.onlyUnsigned && kind != 'u'))
          continue;
        std::string text = std::string("setp.") + c.name + "." + kind +
                           std::to_string(n) + " %p3, " + reg(n, 0) + ", " +
                           reg(n, 1) + ";";
        expectLanes(
            text, "%p3",
            [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
              uint64_t up = 64 - n;
              if (kind == 's')
                return holds(c, int64_t(a << up), int64_t(b << up));
              return holds(c, a << up, b << up);
            },
            in);
      }
}

TEST(PTXCompare, SetpFloats) {
  Inputs in = floatInputs();
  for (const Comparison &c : kComparisons) {
    if (c.onlyUnsigned)
      continue;
    std::string op = std::string("setp.") + c.name;
    expectLanes(
        op + ".f32 %p3, %r0, %r1;", "%p3",
        [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
          return holds(c, asFloat(a), asFloat(b));
        },
        in);
    expectLanes(
        op + ".f64 %p3, %rd0, %rd1;", "%p3",
        [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
          return holds(c, asDouble(a), asDouble(b));
        },
        in);
    for (bool bf16 : {false, true}) {
      std::string t = bf16 ? ".bf16" : ".f16";
      auto half = [&](uint64_t a, uint64_t b, int h) -> uint64_t {
        return holds(c, halfValue(a >> 16 * h, bf16),
                     halfValue(b >> 16 * h, bf16));
      };
      expectLanes(
          op + t + " %p3, %h0, %h1;", "%p3",
          [&](uint64_t a, uint64_t b, uint64_t, uint64_t) {
            return half(a, b, 0);
          },
          in);
      expectLanes(
          op + t + "x2 %p3|%p4, %r0, %r1;", "%p4",
          [&](uint64_t a, uint64_t b, uint64_t, uint64_t) {
            return half(a, b, 1);
          },
          in);
    }
  }
  in[0].fill(1); // a subnormal
  in[1].fill(0);
  expectLanes(
      "setp.eq.ftz.f32 %p3, %r0, %r1;", "%p3",
      [](uint64_t, uint64_t, uint64_t, uint64_t) { return 1; }, in);
}

TEST(PTXCompare, CombinedPredicates) {
  for (const char *op : {"and", "or", "xor"})
    for (int which : {3, 4})
      expectLanes(
          "setp.lt.u32 %p1, %r2, %r3; setp.ge." + std::string(op) +
              ".s32 %p3|%p4, %r0, %r1, !%p1;",
          "%p" + std::to_string(which),
          [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) -> uint64_t {
            bool r = int32_t(a) >= int32_t(b);
            bool q = !(uint32_t(c) < uint32_t(d));
            r = which == 3 ? r : !r;
            return op[0] == 'a' ? r && q : op[0] == 'o' ? r || q : r != q;
          });
}

TEST(PTXCompare, Set) {
  Inputs in = floatInputs();
  expectLanes("set.lt.u32.s32 %r8, %r0, %r1;", "%r8",
              [](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
                return int32_t(a) < int32_t(b) ? 0xffffffff : 0;
              });
  expectLanes(
      "setp.eq.u32 %p1, %r2, %r3; set.gt.or.s32.f32 %r8, %r0, %r1, "
      "%p1;",
      "%r8",
      [](uint64_t a, uint64_t b, uint64_t c, uint64_t d) -> uint64_t {
        return asFloat(a) > asFloat(b) || uint32_t(c) == uint32_t(d)
                   ? 0xffffffff
                   : 0;
      },
      in);
  for (const char *t :
       {"u16", "s16", "u64", "s64", "b16", "b32", "b64", "u32"}) {
    unsigned n = unsigned(std::stoi(t + 1));
    expectLanes("set.ne.f32." + std::string(t) + " %r8, " + reg(n, 0) + ", " +
                    reg(n, 1) + ";",
                "%r8", [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  return (a ^ b) << (64 - n) ? 0x3f800000u : 0u;
                });
  }
  for (bool bf16 : {false, true}) {
    std::string t = bf16 ? "bf16" : "f16";
    uint64_t one = bf16 ? 0x3f80 : 0x3c00;
    auto le = [=](uint64_t a, uint64_t b) {
      return halfValue(a, bf16) <= halfValue(b, bf16);
    };
    expectLanes(
        "set.le." + t + "x2." + t + "x2 %r8, %r0, %r1;", "%r8",
        [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
          return (le(a, b) ? one : 0) | (le(a >> 16, b >> 16) ? one << 16 : 0);
        },
        in);
    expectLanes(
        "set.le." + t + "." + t + " %h8, %h0, %h1;", "%h8",
        [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
          return le(a, b) ? one : 0;
        },
        in);
    expectLanes(
        "set.le.u32." + t + "x2 %r8, %r0, %r1;", "%r8",
        [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
          return (le(a, b) ? 0xffffu : 0u) |
                 (le(a >> 16, b >> 16) ? 0xffff0000u : 0u);
        },
        in);
  }
  expectLanes(
      "set.lt.u32.f64 %r8, %rd0, %rd1;", "%r8",
      [](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
        return asDouble(a) < asDouble(b) ? 0xffffffff : 0;
      },
      in);
  // Every modifier of setp holds for set.
  for (const Comparison &c : kComparisons)
    if (!c.onlyFloat)
      runClean(std::string("set.") + c.name + ".u32.u32 %r8, %r0, %r1;", "%r8");
    else
      runClean(std::string("set.") + c.name + ".ftz.u32.f32 %r8, %r0, %r1;",
               "%r8");
  for (const char *op : {"and", "xor"})
    runClean("setp.eq.u32 %p1, %r2, %r3; set.eq." + std::string(op) +
                 ".u32.u32 %r8, %r0, %r1, %p1;",
             "%r8");
}

TEST(PTXCompare, SelpSlct) {
  for (const char *t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64",
                        "u64", "s64", "f64"}) {
    unsigned n = unsigned(std::stoi(t + 1));
    std::string list = "." + std::string(t) + " " + reg(n, 8) + ", " +
                       reg(n, 0) + ", " + reg(n, 1) + ", ";
    uint64_t ones = n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
    expectLanes("setp.lt.s32 %p1, %r2, 0; selp" + list + "%p1;", reg(n, 8),
                [=](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  return (int32_t(c) < 0 ? a : b) & ones;
                });
    std::string both = "slct." + std::string(t);
    std::string operands = list.substr(1 + std::strlen(t));
    expectLanes(both + ".s32" + operands + "%r2;", reg(n, 8),
                [=](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  return (int32_t(c) >= 0 ? a : b) & ones;
                });
    expectLanes("slct.ftz." + std::string(t) + ".f32" + operands + "%r2;",
                reg(n, 8), [=](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  return (asFloat(c) >= 0 ? a : b) & ones;
                });
  }
}

TEST(PTXCompare, Testp) {
  Inputs in = randomInputs();
  const uint64_t codes[] = {0,          1,          0x3f800000, 0x7f800000,
                            0x7fc00000, 0x80000000, 0x807fffff, 0xff800000};
  for (unsigned l = 0; l < 8; ++l)
    in[0][l] = codes[l];
  struct {
    const char *name;
    std::function<bool(int)> f;
  } properties[] = {
      {"finite", [](int c) { return c != FP_NAN && c != FP_INFINITE; }},
      {"infinite", [](int c) { return c == FP_INFINITE; }},
      {"number", [](int c) { return c != FP_NAN; }},
      {"notanumber", [](int c) { return c == FP_NAN; }},
      {"normal", [](int c) { return c == FP_NORMAL || c == FP_ZERO; }},
      {"subnormal", [](int c) { return c == FP_SUBNORMAL; }}};
  for (auto &p : properties) {
    expectLanes(
        std::string("testp.") + p.name + ".f32 %p3, %r0;", "%p3",
        [&](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
          return p.f(std::fpclassify(asFloat(a)));
        },
        in);
    expectLanes(
        std::string("testp.") + p.name + ".f64 %p3, %rd0;", "%p3",
        [&](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
          return p.f(std::fpclassify(asDouble(a)));
        },
        in);
  }
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer arithmetic of every type against 128-bit arithmetic.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

namespace {
__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UWide;

/// Modulo 2^128: products of u64 leave the signed range.
Wide times(Wide a, Wide b) { return Wide(UWide(a) * UWide(b)); }
Wide plus(Wide a, Wide b) { return Wide(UWide(a) + UWide(b)); }

struct IntType {
  const char *name;
  unsigned bits;
  bool isSigned;
};
const IntType kTypes[] = {{"u16", 16, false}, {"s16", 16, true},
                          {"u32", 32, false}, {"s32", 32, true},
                          {"u64", 64, false}, {"s64", 64, true}};

std::string reg(unsigned bits, int n) {
  return (bits == 16 ? "%h" : bits == 32 ? "%r" : "%rd") + std::to_string(n);
}
Wide value(uint64_t code, const IntType &t) {
  if (t.bits < 64)
    code &= (uint64_t{1} << t.bits) - 1;
  if (t.isSigned && (code >> (t.bits - 1) & 1))
    return Wide(code) - (Wide(1) << t.bits);
  return Wide(code);
}
uint64_t code(Wide v, unsigned bits) {
  return bits == 64 ? uint64_t(v) : uint64_t(v) & ((uint64_t{1} << bits) - 1);
}

/// `op.type d, a, b[, c]` of three operands of one type.
template <typename F>
void check(const std::string &op, const IntType &t, int sources, F f,
           unsigned outBits = 0, unsigned cBits = 0) {
  unsigned bits = outBits ? outBits : t.bits;
  std::string text = op + "." + t.name + " " + reg(bits, 8);
  for (int k = 0; k < sources; ++k)
    text += ", " + reg(k == 2 && cBits ? cBits : t.bits, k);
  expectLanes(text + ";", reg(bits, 8),
              [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                IntType ct = {"", cBits ? cBits : t.bits, t.isSigned};
                return code(f(value(a, t), value(b, t), value(c, ct)), bits);
              });
}
} // namespace

TEST(PTXInteger, AddSubMulMadDivRem) {
  for (const IntType &t : kTypes) {
    unsigned n = t.bits;
    check("add", t, 2, [](Wide a, Wide b, Wide) { return a + b; });
    check("sub", t, 2, [](Wide a, Wide b, Wide) { return a - b; });
    check("mul.lo", t, 2, [](Wide a, Wide b, Wide) { return times(a, b); });
    check("mul.hi", t, 2,
          [n](Wide a, Wide b, Wide) { return times(a, b) >> n; });
    check("mad.lo", t, 3,
          [](Wide a, Wide b, Wide c) { return plus(times(a, b), c); });
    check("mad.hi", t, 3,
          [n](Wide a, Wide b, Wide c) { return (times(a, b) >> n) + c; });
    check("min", t, 2, [](Wide a, Wide b, Wide) { return a < b ? a : b; });
    check("max", t, 2, [](Wide a, Wide b, Wide) { return a > b ? a : b; });
    check("sad", t, 3,
          [](Wide a, Wide b, Wide c) { return c + (a > b ? a - b : b - a); });
    check("div", t, 2, [](Wide a, Wide b, Wide) { return b ? a / b : -1; });
    check("rem", t, 2, [](Wide a, Wide b, Wide) { return b ? a % b : a; });
    if (n < 64) {
      check(
          "mul.wide", t, 2, [](Wide a, Wide b, Wide) { return times(a, b); },
          2 * n);
      check(
          "mad.wide", t, 3,
          [](Wide a, Wide b, Wide c) { return plus(times(a, b), c); }, 2 * n,
          2 * n);
    }
    if (t.isSigned) {
      check("abs", t, 1, [](Wide a, Wide, Wide) { return a < 0 ? -a : a; });
      check("neg", t, 1, [](Wide a, Wide, Wide) { return -a; });
    }
  }
}

TEST(PTXInteger, SaturationAndRelu) {
  const IntType s32 = kTypes[3];
  auto clamp = [](Wide x) {
    return x > INT32_MAX   ? Wide(INT32_MAX)
           : x < INT32_MIN ? Wide(INT32_MIN)
                           : x;
  };
  check("add.sat", s32, 2, [&](Wide a, Wide b, Wide) { return clamp(a + b); });
  check("sub.sat", s32, 2, [&](Wide a, Wide b, Wide) { return clamp(a - b); });
  check("mad.hi.sat", s32, 3,
        [&](Wide a, Wide b, Wide c) { return clamp((times(a, b) >> 32) + c); });
  check("min.relu", s32, 2, [](Wide a, Wide b, Wide) {
    Wide m = a < b ? a : b;
    return m < 0 ? 0 : m;
  });
  check("max.relu", s32, 2, [](Wide a, Wide b, Wide) {
    Wide m = a > b ? a : b;
    return m < 0 ? 0 : m;
  });
}

TEST(PTXInteger, Packed16) {
  struct {
    const char *text;
    bool isSigned;
    std::function<int(int, int)> f;
  } cases[] = {{"add.u16x2", false, [](int a, int b) { return a + b; }},
               {"add.s16x2", true, [](int a, int b) { return a + b; }},
               {"min.u16x2", false, [](int a, int b) { return a < b ? a : b; }},
               {"min.s16x2", true, [](int a, int b) { return a < b ? a : b; }},
               {"max.u16x2", false, [](int a, int b) { return a > b ? a : b; }},
               {"max.s16x2", true, [](int a, int b) { return a > b ? a : b; }}};
  for (auto &c : cases)
    expectLanes(std::string(c.text) + " %r8, %r0, %r1;", "%r8",
                [&](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  uint64_t r = 0;
                  for (int h = 0; h < 2; ++h) {
                    int x = a >> 16 * h & 0xffff, y = b >> 16 * h & 0xffff;
                    if (c.isSigned)
                      x = int16_t(x), y = int16_t(y);
                    r |= uint64_t(c.f(x, y) & 0xffff) << 16 * h;
                  }
                  return r;
                });
}

TEST(PTXInteger, Mul24) {
  const IntType u24 = {"u32", 24, false}, s24 = {"s32", 24, true};
  for (const IntType &t : {u24, s24})
    for (bool high : {false, true}) {
      std::string part = high ? ".hi." : ".lo.";
      auto product = [&](uint64_t a, uint64_t b) {
        return uint64_t((value(a, t) * value(b, t)) >> (high ? 16 : 0)) &
               0xffffffff;
      };
      expectLanes("mul24" + part + t.name + " %r8, %r0, %r1;", "%r8",
                  [&](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                    return product(a, b);
                  });
      expectLanes("mad24" + part + t.name + " %r8, %r0, %r1, %r2;", "%r8",
                  [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                    return (product(a, b) + c) & 0xffffffff;
                  });
    }
}

TEST(PTXInteger, DotProducts) {
  for (const char *ta : {"u32", "s32"})
    for (const char *tb : {"u32", "s32"}) {
      bool sa = ta[0] == 's', sb = tb[0] == 's';
      std::string types = std::string(".") + ta + "." + tb;
      auto byte = [](uint64_t x, int k, bool isSigned) {
        int v = x >> 8 * k & 0xff;
        return isSigned && v > 127 ? v - 256 : v;
      };
      auto half = [](uint64_t x, int k, bool isSigned) {
        int v = x >> 16 * k & 0xffff;
        return isSigned && v > 32767 ? v - 65536 : v;
      };
      expectLanes("dp4a" + types + " %r8, %r0, %r1, %r2;", "%r8",
                  [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                    int64_t sum = int32_t(c);
                    for (int k = 0; k < 4; ++k)
                      sum += byte(a, k, sa) * byte(b, k, sb);
                    return uint64_t(sum) & 0xffffffff;
                  });
      for (int high : {0, 1})
        expectLanes(std::string("dp2a.") + (high ? "hi" : "lo") + types +
                        " %r8, %r0, %r1, %r2;",
                    "%r8", [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                      int64_t sum = int32_t(c);
                      for (int k = 0; k < 2; ++k)
                        sum +=
                            int64_t(half(a, k, sa)) * byte(b, k + 2 * high, sb);
                      return uint64_t(sum) & 0xffffffff;
                    });
    }
}

TEST(PTXInteger, CarryChains) {
  for (const char *t : {"u32", "s32", "u64", "s64"}) {
    bool wide = t[1] == '6';
    std::string r = wide ? "%rd" : "%r", type = std::string(".") + t;
    auto three = [&](const std::string &op, int d, int a, int b) {
      return op + type + " " + r + std::to_string(d) + ", " + r +
             std::to_string(a) + ", " + r + std::to_string(b) + ";";
    };
    // The high word of (a, b) +- (c, d), and the carry after it.
    uint64_t ones = wide ? ~uint64_t{0} : 0xffffffff;
    for (bool subtract : {false, true}) {
      std::string cc = subtract ? "sub.cc" : "add.cc";
      std::string next = subtract ? "subc" : "addc";
      std::string body = three(cc, 8, 0, 2) + three(next + ".cc", 9, 1, 3) +
                         three(next, 10, 4, 4);
      for (int out : {9, 10}) {
        Inputs in = randomInputs();
        in[4].fill(0);
        expectLanes(
            body, r + std::to_string(out),
            [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
              a &= ones, b &= ones, c &= ones, d &= ones;
              Wide low = subtract ? Wide(a) - Wide(c) : Wide(a) + Wide(c);
              int carry = low < 0 || low > Wide(ones);
              Wide high = subtract ? Wide(b) - Wide(d) - carry
                                   : Wide(b) + Wide(d) + carry;
              int last = high < 0 || high > Wide(ones);
              return out == 9 ? uint64_t(high) & ones
                              : uint64_t(subtract ? -last : last) & ones;
            },
            in);
      }
    }
    auto mad = [&](const std::string &op, int d, int c) {
      return op + type + " " + r + std::to_string(d) + ", " + r + "0, " + r +
             "1, " + r + std::to_string(c) + ";";
    };
    expectLanes(
        mad("mad.lo.cc", 8, 2) + mad("madc.hi.cc", 9, 3) +
            mad("madc.lo", 10, 3) + mad("mad.hi.cc", 11, 3),
        r + "9", [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
          IntType it = {"", wide ? 64u : 32u, t[0] == 's'};
          Wide product = times(value(a, it), value(b, it));
          uint64_t low = uint64_t(product) & ones;
          int carry = Wide(low) + Wide(c & ones) > Wide(ones);
          return uint64_t((product >> it.bits) + Wide(d & ones) + carry) & ones;
        });
  }
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bit operations against loops over bits.

#include "RunLanes.h"

using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

static std::string reg(unsigned bits, int n) {
  return (bits == 16 ? "%h" : bits == 32 ? "%r" : "%rd") + std::to_string(n);
}
static uint64_t ones(unsigned bits) {
  return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}
static bool bit(uint64_t x, int64_t at) {
  return at >= 0 && at < 64 && (x >> at & 1);
}

TEST(PTXLogic, Bitwise) {
  for (unsigned n : {16u, 32u, 64u}) {
    std::string t =
        ".b" + std::to_string(n) + " " + reg(n, 8) + ", " + reg(n, 0);
    std::string two = t + ", " + reg(n, 1) + ";", out = reg(n, 8);
    uint64_t all = ones(n);
    expectLanes("and" + two, out,
                [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  return a & b & all;
                });
    expectLanes("or" + two, out,
                [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  return (a | b) & all;
                });
    expectLanes("xor" + two, out,
                [=](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                  return (a ^ b) & all;
                });
    expectLanes(
        "not" + t + ";", out,
        [=](uint64_t a, uint64_t, uint64_t, uint64_t) { return ~a & all; });
    expectLanes("cnot" + t + ";", out,
                [=](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
                  return (a & all) == 0;
                });
  }
}

TEST(PTXLogic, Predicates) {
  std::string set = "setp.lt.s32 %p1, %r0, %r1; setp.lt.s32 %p2, %r2, %r3;";
  auto p = [](uint64_t a, uint64_t b) { return int32_t(a) < int32_t(b); };
  expectLanes(set + "and.pred %p3, %p1, !%p2;", "%p3",
              [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) -> uint64_t {
                return p(a, b) && !p(c, d);
              });
  expectLanes(set + "or.pred %p3, %p1, %p2;", "%p3",
              [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) -> uint64_t {
                return p(a, b) || p(c, d);
              });
  expectLanes(set + "xor.pred %p3, %p1, %p2;", "%p3",
              [&](uint64_t a, uint64_t b, uint64_t c, uint64_t d) -> uint64_t {
                return p(a, b) != p(c, d);
              });
  expectLanes(set + "not.pred %p4, %p1; mov.pred %p3, %p4;", "%p3",
              [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
                return !p(a, b);
              });
}

TEST(PTXLogic, Shifts) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l)
    in[1][l] = l % 5 == 0 ? 200 : l * 3 % 70;
  for (unsigned n : {16u, 32u, 64u})
    for (const char *kind : {"b", "u", "s"}) {
      std::string t = std::string(".") + kind + std::to_string(n) + " " +
                      reg(n, 8) + ", " + reg(n, 0) + ", %r1;";
      if (kind[0] == 'b')
        expectLanes(
            "shl" + t, reg(n, 8),
            [=](uint64_t a, uint64_t s, uint64_t, uint64_t) -> uint64_t {
              s &= 0xffffffff;
              return s < n ? a << s & ones(n) : 0;
            },
            in);
      bool isSigned = kind[0] == 's';
      expectLanes(
          "shr" + t, reg(n, 8),
          [=](uint64_t a, uint64_t s, uint64_t, uint64_t) {
            s &= 0xffffffff;
            uint64_t r = 0;
            for (unsigned k = 0; k < n; ++k) {
              bool on = k + s < n ? bit(a, int64_t(k + s))
                                  : isSigned && bit(a, n - 1);
              r |= uint64_t{on} << k;
            }
            return r;
          },
          in);
    }
  for (bool left : {true, false})
    for (bool clamp : {true, false})
      expectLanes(
          std::string("shf.") + (left ? "l" : "r") +
              (clamp ? ".clamp" : ".wrap") + ".b32 %r8, %r0, %r2, %r1;",
          "%r8",
          [=](uint64_t a, uint64_t s, uint64_t b, uint64_t) {
            s &= 0xffffffff;
            s = clamp ? (s > 32 ? 32 : s) : s % 32;
            uint64_t r = 0, both = b << 32 | (a & 0xffffffff);
            for (int64_t k = 0; k < 32; ++k)
              r |= uint64_t{bit(both,
                                left ? k + 32 - int64_t(s) : k + int64_t(s))}
                   << k;
            return r;
          },
          in);
}

TEST(PTXLogic, Lop3AllTables) {
  for (int table : {0x00, 0xc0, 0xea, 0x96, 0x80, 0xfe, 0x1b, 0xff})
    expectLanes("lop3.b32 %r8, %r0, %r1, %r2, " + std::to_string(table) + ";",
                "%r8", [=](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  uint64_t r = 0;
                  for (int k = 0; k < 32; ++k) {
                    int index = bit(a, k) * 4 + bit(b, k) * 2 + bit(c, k);
                    r |= uint64_t(table >> index & 1) << k;
                  }
                  return r;
                });
}

TEST(PTXLogic, Prmt) {
  auto byte = [](uint64_t a, uint64_t b, int k) {
    return (k < 4 ? a >> 8 * k : b >> 8 * (k - 4)) & 0xff;
  };
  expectLanes("prmt.b32 %r8, %r0, %r1, %r2;", "%r8",
              [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                uint64_t r = 0;
                for (int k = 0; k < 4; ++k) {
                  uint64_t s = c >> 4 * k & 15, x = byte(a, b, s & 7);
                  r |= (s & 8 ? (x & 128 ? 255u : 0u) : x) << 8 * k;
                }
                return r;
              });
  struct {
    const char *mode;
    std::function<int(int, int)> pick; // result byte k, selector c
  } modes[] = {{"f4e", [](int k, int c) { return k + c; }},
               {"b4e", [](int k, int c) { return (8 + c - k) % 8; }},
               {"rc8", [](int, int c) { return c; }},
               {"ecl", [](int k, int c) { return k > c ? k : c; }},
               {"ecr", [](int k, int c) { return k < c ? k : c; }},
               {"rc16", [](int k, int c) { return k % 2 + 2 * (c % 2); }}};
  for (auto &m : modes)
    expectLanes(std::string("prmt.b32.") + m.mode + " %r8, %r0, %r1, %r2;",
                "%r8", [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  uint64_t r = 0;
                  for (int k = 0; k < 4; ++k)
                    r |= byte(a, b, m.pick(k, int(c & 3))) << 8 * k;
                  return r;
                });
}

TEST(PTXLogic, BitFields) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l) {
    in[2][l] = l * 7 % 80;
    in[3][l] = l * 11 % 75;
  }
  for (unsigned n : {32u, 64u}) {
    for (const char *kind : {"u", "s"}) {
      bool isSigned = kind[0] == 's';
      expectLanes(
          std::string("bfe.") + kind + std::to_string(n) + " " + reg(n, 8) +
              ", " + reg(n, 0) + ", %r2, %r3;",
          reg(n, 8),
          [=](uint64_t a, uint64_t, uint64_t pos, uint64_t len) {
            uint64_t r = 0;
            uint64_t end = pos + len - 1;
            bool sign = isSigned && len && bit(a, end < n ? end : n - 1);
            for (unsigned k = 0; k < n; ++k) {
              bool on = k < len && pos + k < n ? bit(a, pos + k) : sign;
              r |= uint64_t{on} << k;
            }
            return r;
          },
          in);
    }
    expectLanes(
        "bfi.b" + std::to_string(n) + " " + reg(n, 8) + ", " + reg(n, 0) +
            ", " + reg(n, 1) + ", %r2, %r3;",
        reg(n, 8),
        [=](uint64_t a, uint64_t b, uint64_t pos, uint64_t len) {
          uint64_t r = b & ones(n);
          for (uint64_t k = 0; k < len && pos + k < n; ++k) {
            r &= ~(uint64_t{1} << (pos + k));
            r |= uint64_t{bit(a, k)} << (pos + k);
          }
          return r;
        },
        in);
  }
}

TEST(PTXLogic, Counting) {
  for (unsigned n : {32u, 64u}) {
    std::string a = ", " + reg(n, 0) + ";", b = std::to_string(n);
    expectLanes("popc.b" + b + " %r8" + a, "%r8",
                [=](uint64_t x, uint64_t, uint64_t, uint64_t) {
                  uint64_t c = 0;
                  for (unsigned k = 0; k < n; ++k)
                    c += bit(x, k);
                  return c;
                });
    auto highest = [=](uint64_t x) {
      int at = -1;
      for (unsigned k = 0; k < n; ++k)
        if (bit(x, k))
          at = int(k);
      return at;
    };
    expectLanes("clz.b" + b + " %r8" + a, "%r8",
                [=](uint64_t x, uint64_t, uint64_t, uint64_t) {
                  return uint64_t(int(n) - 1 - highest(x));
                });
    expectLanes("brev.b" + b + " " + reg(n, 8) + a, reg(n, 8),
                [=](uint64_t x, uint64_t, uint64_t, uint64_t) {
                  uint64_t r = 0;
                  for (unsigned k = 0; k < n; ++k)
                    r |= uint64_t{bit(x, k)} << (n - 1 - k);
                  return r;
                });
    for (const char *kind : {"u", "s"})
      for (bool amount : {false, true})
        expectLanes(std::string("bfind.") + (amount ? "shiftamt." : "") + kind +
                        b + " %r8" + a,
                    "%r8", [=](uint64_t x, uint64_t, uint64_t, uint64_t) {
                      if (kind[0] == 's' && bit(x, n - 1))
                        x = ~x;
                      int at = highest(x & ones(n));
                      return uint64_t(uint32_t(at < 0   ? -1
                                               : amount ? int(n) - 1 - at
                                                        : at));
                    });
  }
}

TEST(PTXLogic, FnsBmskSzext) {
  Inputs in = randomInputs();
  for (unsigned l = 0; l < 32; ++l) {
    in[1][l] = l * 5 % 32;
    in[2][l] = uint64_t(int64_t(l % 9) - 4);
    in[3][l] = l * 3 % 40;
  }
  expectLanes(
      "fns.b32 %r8, %r0, %r1, %r2;", "%r8",
      [](uint64_t x, uint64_t base, uint64_t n, uint64_t) -> uint64_t {
        int left = int(n), at = int(base);
        if (left == 0)
          return bit(x & 0xffffffff, at) ? base : 0xffffffff;
        int step = left > 0 ? 1 : -1;
        left *= step;
        for (; at >= 0 && at < 32; at += step)
          if (bit(x, at) && --left == 0)
            return uint64_t(at);
        return 0xffffffff;
      },
      in);
  for (bool clamp : {true, false}) {
    std::string mode = clamp ? "clamp" : "wrap";
    expectLanes(
        "bmsk." + mode + ".b32 %r8, %r1, %r3;", "%r8",
        [=](uint64_t, uint64_t pos, uint64_t, uint64_t len) {
          if (!clamp)
            len %= 32;
          uint64_t r = 0;
          for (uint64_t k = 0; k < len && pos + k < 32; ++k)
            r |= uint64_t{1} << (pos + k);
          return r;
        },
        in);
    for (const char *t : {"s32", "u32"})
      expectLanes(
          "szext." + mode + "." + t + " %r8, %r0, %r3;", "%r8",
          [=](uint64_t x, uint64_t, uint64_t, uint64_t n) {
            if (!clamp)
              n %= 32;
            uint64_t r = 0;
            for (unsigned k = 0; k < 32; ++k) {
              bool sign = t[0] == 's' && n && bit(x, n - 1);
              r |= uint64_t{k < n ? bit(x, k) : sign} << k;
            }
            return r;
          },
          in);
  }
}

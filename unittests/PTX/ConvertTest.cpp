// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt: integers, floats, rounding modes, saturation, packed and minifloats.

#include "QDialect/Numerics/Format.h"
#include "RunLanes.h"

#include <cmath>

using namespace qdialect;
using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

static std::string reg(unsigned bits, int n) {
  return (bits <= 16 ? "%h" : bits == 32 ? "%r" : "%rd") + std::to_string(n);
}
static uint64_t low(uint64_t x, unsigned bits) {
  return bits == 64 ? x : x & ((uint64_t{1} << bits) - 1);
}

TEST(PTXConvert, IntegersToIntegers) {
  const char *types[] = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"};
  for (const char *to : types)
    for (const char *from : types)
      for (bool sat : {false, true}) {
        unsigned tb = unsigned(std::stoi(to + 1)),
                 fb = unsigned(std::stoi(from + 1));
        std::string text = std::string("cvt.") + (sat ? "sat." : "") + to +
                           "." + from + " " + reg(tb, 8) + ", " + reg(fb, 0) +
                           ";";
        expectLanes(text, reg(tb, 8),
                    [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                      __extension__ typedef __int128 Wide;
                      Wide v = from[0] == 's'
                                   ? Wide(int64_t(a << (64 - fb)) >> (64 - fb))
                                   : Wide(low(a, fb));
                      Wide top = to[0] == 's' ? (Wide(1) << (tb - 1)) - 1
                                              : (Wide(1) << tb) - 1;
                      Wide bottom = to[0] == 's' ? -top - 1 : 0;
                      if (sat)
                        v = v < bottom ? bottom : v > top ? top : v;
                      // 8 bits in a register of 16 are extended.
                      uint64_t r = low(uint64_t(v), tb);
                      if (tb == 8 && to[0] == 's' && r >> 7)
                        r |= 0xff00;
                      return r;
                    });
      }
}

TEST(PTXConvert, FloatsToIntegers) {
  Inputs in = randomInputs();
  const float floats[] = {0.5f,  1.5f,  2.5f,  -0.5f,   -1.5f, 3e9f,
                          -3e9f, 1e20f, NAN,   -2.7f,   2.7f,  300,
                          -200,  0,     -0.0f, INFINITY};
  for (unsigned l = 0; l < 32; ++l)
    in[0][l] = codeOf(floats[l % 16]);
  struct {
    const char *mode;
    double (*f)(double);
  } modes[] = {{"rni", std::nearbyint},
               {"rzi", std::trunc},
               {"rmi", std::floor},
               {"rpi", std::ceil}};
  for (auto &m : modes)
    for (const char *to :
         {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"}) {
      unsigned tb = unsigned(std::stoi(to + 1));
      bool isSigned = to[0] == 's';
      auto want = [=](uint64_t a, bool wide) -> uint64_t {
        double x = asFloat(a);
        if (std::isnan(x))
          return tb == 64 || wide ? low(uint64_t{1} << (tb - 1), tb) : 0;
        x = m.f(x);
        double top = std::ldexp(1.0, int(isSigned ? tb - 1 : tb));
        uint64_t max =
            isSigned ? (uint64_t{1} << (tb - 1)) - 1 : low(~uint64_t{0}, tb);
        if (x >= top)
          return max;
        if (x <= (isSigned ? -top : 0))
          return isSigned ? low(~max, tb) : 0;
        return low(isSigned ? uint64_t(int64_t(x)) : uint64_t(x), tb);
      };
      std::string t = std::string("cvt.") + m.mode + "." + to;
      std::string out = reg(tb, 8);
      std::string narrow = tb == 8 ? "and.b16 %h8, %h8, 255;" : "";
      expectLanes(
          t + ".f32 " + out + ", %r0;" + narrow, out,
          [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
            return want(a, false);
          },
          in);
      expectLanes(
          "cvt.f64.f32 %rd9, %r0;" + t + ".f64 " + out + ", %rd9;" + narrow,
          out,
          [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
            return want(a, true);
          },
          in);
    }
  runClean("cvt.rzi.s32.f16 %r8, %h0;", "%r8");
  runClean("cvt.rni.ftz.s32.f32 %r8, %r0;", "%r8");
  expectLanes(
      "cvt.rni.f32.f32 %r8, %r0;", "%r8",
      [](uint64_t a, uint64_t, uint64_t, uint64_t) {
        float r = std::nearbyintf(asFloat(a));
        return std::isnan(r) ? 0x7fffffff : codeOf(r);
      },
      in);
}

TEST(PTXConvert, IntegersToFloats) {
  for (const char *from :
       {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"}) {
    unsigned fb = unsigned(std::stoi(from + 1));
    auto value = [=](uint64_t a) -> long double {
      if (from[0] == 's')
        return int64_t(a << (64 - fb)) >> (64 - fb);
      return low(a, fb);
    };
    std::string t = std::string(".") + from + " ";
    expectLanes("cvt.rn.f32" + t + "%r8, " + reg(fb, 0) + ";", "%r8",
                [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                  return codeOf(float(value(a)));
                });
    expectLanes("cvt.rn.f64" + t + "%rd8, " + reg(fb, 0) + ";", "%rd8",
                [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                  return codeOf(double(value(a)));
                });
    expectLanes("cvt.rz.f32" + t + "%r8, " + reg(fb, 0) + ";", "%r8",
                [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                  long double v = value(a);
                  float f = float(v);
                  if (std::fabs((long double)f) > std::fabs(v))
                    f = std::nextafterf(f, 0);
                  return codeOf(f);
                });
    expectLanes("cvt.rp.f64" + t + "%rd8, " + reg(fb, 0) + ";", "%rd8",
                [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
                  long double v = value(a);
                  double f = double(v);
                  if (f < v)
                    f = std::nextafter(f, INFINITY);
                  return codeOf(f);
                });
  }
}

TEST(PTXConvert, FloatsToFloats) {
  Inputs in = randomInputs();
  for (uint64_t &a : in[0]) // the range of f16 and around it
    a = codeOf(float(std::ldexp(1 + double(a & 0xffffff) / 0x1000000,
                                int(a >> 24 & 63) - 40)) *
               (a >> 63 ? -1 : 1));
  struct {
    const char *mode;
    Rounding rounding;
    bool negate;
  } modes[] = {{"rn", Rounding::HalfEven, false},
               {"rz", Rounding::Trunc, false},
               {"rm", Rounding::Floor, false},
               {"rp", Rounding::Floor, true}};
  for (bool bf16 : {false, true}) {
    Format format = bf16 ? Format::minifloat(8, 7, Specials::IEEE)
                         : Format::minifloat(5, 10, Specials::IEEE);
    std::string t = bf16 ? "bf16" : "f16";
    for (auto &m : modes)
      expectLanes(
          std::string("cvt.") + m.mode + "." + t + ".f32 %h8, %r0;", "%h8",
          [&](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
            double x = asFloat(a);
            double inside = std::fabs(x) <= format.maxFinite();
            uint64_t c = m.negate ? format.encode(-x, m.rounding) ^ 0x8000
                                  : format.encode(x, m.rounding);
            // Beyond the largest number the directed modes part ways.
            if (!inside && m.rounding != Rounding::Trunc) {
              bool up = m.mode[1] == 'n' ? std::fabs(x) >= 65520 || bf16
                        : m.negate       ? x > 0
                                         : x < 0;
              uint64_t inf = bf16 ? 0x7f80 : 0x7c00;
              if (up)
                c = inf | (x < 0 ? 0x8000 : 0);
            }
            return c;
          },
          in);
    expectLanes("cvt.f32." + t + " %r8, %h1;", "%r8",
                [&](uint64_t, uint64_t b, uint64_t, uint64_t) -> uint64_t {
                  double x = format.decode(uint32_t(b & 0xffff));
                  return std::isnan(x) ? 0x7fffffff : codeOf(float(x));
                });
    expectLanes("cvt.rn.relu." + t + ".f32 %h8, 0fC0000000;", "%h8",
                [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0; });
    runClean("cvt.f64." + t + " %rd8, %h1; cvt.rn." + t + ".f64 %h8, %rd8;",
             "%h8");
  }
  expectLanes("cvt.rn.f32.f64 %r8, %rd0;", "%r8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
                float f = float(asDouble(a));
                return std::isnan(f) ? 0x7fffffff : codeOf(f);
              });
  expectLanes("cvt.rn.sat.f32.f64 %r8, %rd0;", "%r8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
                double x = asDouble(a);
                return codeOf(x > 0 ? float(x < 1 ? x : 1) : 0.0f);
              });
  runClean("cvt.rna.f16.f32 %h8, %r0;", "%h8");
}

TEST(PTXConvert, PackedPairs) {
  Inputs in = randomInputs();
  for (int k = 0; k < 2; ++k)
    for (uint64_t &a : in[k])
      a = codeOf(float(int(a % 4001) - 2000) / 64);
  struct {
    const char *type;
    Format format;
    unsigned shift;
    bool satfinite;
  } formats[] = {{"f16x2", Format::minifloat(5, 10, Specials::IEEE), 16, false},
                 {"bf16x2", Format::minifloat(8, 7, Specials::IEEE), 16, false},
                 {"e4m3x2", Format::minifloat(4, 3, Specials::OCP), 8, true},
                 {"e5m2x2", Format::minifloat(5, 2, Specials::IEEE), 8, true},
                 {"e2m3x2", Format::minifloat(2, 3), 8, true},
                 {"e3m2x2", Format::minifloat(3, 2), 8, true},
                 {"e2m1x2", Format::minifloat(2, 1), 4, true}};
  for (auto &f : formats) {
    std::string out = f.shift == 16 ? "%r8" : "%h8";
    expectLanes(
        std::string("cvt.rn.") + (f.satfinite ? "satfinite." : "") + f.type +
            ".f32 " + out + ", %r0, %r1;",
        out,
        [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
          return f.format.encode(asFloat(a)) << f.shift |
                 f.format.encode(asFloat(b));
        },
        in);
    expectLanes(
        std::string("cvt.rn.") + (f.satfinite ? "satfinite." : "") + "relu." +
            f.type + ".f32 " + out + ", %r0, %r1;",
        out,
        [&](uint64_t a, uint64_t b, uint64_t, uint64_t) -> uint64_t {
          return f.format.encode(std::fmax(asFloat(a), 0)) << f.shift |
                 f.format.encode(std::fmax(asFloat(b), 0));
        },
        in);
    if (!f.satfinite)
      continue;
    Format half = Format::minifloat(5, 10, Specials::IEEE);
    expectLanes(
        std::string("cvt.rn.f16x2.") + f.type + " %r8, %h2;", "%r8",
        [&](uint64_t, uint64_t, uint64_t c, uint64_t) -> uint64_t {
          uint64_t keep = (1u << f.shift) - 1;
          auto one = [&](uint64_t code) -> uint64_t {
            double x = f.format.decode(uint32_t(code & keep));
            return std::isnan(x)
                       ? 0x7fff
                       : half.encode(x, Rounding::HalfEven, Overflow::Wrap);
          };
          return one(c) | one(c >> f.shift) << 16;
        },
        in);
  }
  expectLanes("cvt.rn.satfinite.e4m3x2.f16x2 %h8, 0xC9004248;", "%h8",
              [](uint64_t, uint64_t, uint64_t, uint64_t) -> uint64_t {
                Format e4m3 = Format::minifloat(4, 3, Specials::OCP);
                return e4m3.encode(-10.0) << 8 | e4m3.encode(3.140625);
              });
  // A power of two and what lies between two of them.
  expectLanes(
      "cvt.rp.satfinite.ue8m0x2.f32 %h8, 0f40000000, 0f40400000;", "%h8",
      [](uint64_t, uint64_t, uint64_t, uint64_t) { return 128u << 8 | 129u; });
  expectLanes(
      "cvt.rz.satfinite.ue8m0x2.f32 %h8, 0f40000000, 0f40400000;", "%h8",
      [](uint64_t, uint64_t, uint64_t, uint64_t) { return 128u << 8 | 128u; });
  expectLanes(
      "cvt.rn.bf16x2.ue8m0x2 %r8, 32895;", "%r8", // 0x807f
      [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0x40003f80u; });
}

TEST(PTXConvert, Tf32AndPack) {
  expectLanes("cvt.rna.tf32.f32 %r8, %r0;", "%r8",
              [](uint64_t a, uint64_t, uint64_t, uint64_t) -> uint64_t {
                if (std::isnan(asFloat(a)))
                  return 0x7fffffff;
                uint32_t c = uint32_t(a);
                if ((c & 0x7f800000) == 0x7f800000)
                  return c;
                return (c + 0x1000) & 0xffffe000;
              });
  expectLanes(
      "cvt.rn.tf32.f32 %r8, 0f3F801000;", "%r8",
      [](uint64_t, uint64_t, uint64_t, uint64_t) { return 0x3f800000; });
  struct {
    const char *type;
    unsigned bits;
    bool isSigned, third;
  } packs[] = {{"u16", 16, false, false}, {"s16", 16, true, false},
               {"u8", 8, false, true},    {"s8", 8, true, true},
               {"u4", 4, false, true},    {"s4", 4, true, true}};
  for (auto &p : packs)
    expectLanes(std::string("cvt.pack.sat.") + p.type + ".s32" +
                    (p.third ? ".b32 %r8, %r0, %r1, %r2;" : " %r8, %r0, %r1;"),
                "%r8", [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
                  int64_t top = (1 << (p.isSigned ? p.bits - 1 : p.bits)) - 1;
                  int64_t bottom = p.isSigned ? -top - 1 : 0;
                  auto clamp = [&](uint64_t x) {
                    int64_t v = int32_t(x);
                    v = v < bottom ? bottom : v > top ? top : v;
                    return uint64_t(v) & ((1u << p.bits) - 1);
                  };
                  uint64_t r = clamp(a) << p.bits | clamp(b);
                  if (p.third)
                    r |= c << 2 * p.bits;
                  return r & 0xffffffff;
                });
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float arithmetic: f32 and f64 in all rounding modes against the host's wider
// types, f16 and bf16 against exact values rounded by Numerics.

#include "QDialect/Numerics/Format.h"
#include "RunLanes.h"

#include <cmath>

using namespace qdialect;
using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

namespace {
/// Floats of moderate size in the upper inputs' bits, random patterns below.
Inputs floatInputs(bool wild) {
  Inputs in = randomInputs();
  std::mt19937_64 random(kSeed + 1);
  for (unsigned k = 0; k < 4 && !wild; ++k)
    for (unsigned l = 0; l < 32; ++l) {
      float f = float(int64_t(random() % 20001) - 10000) / 64;
      in[k][l] = codeOf(f);
    }
  return in;
}
bool sameFloat(uint64_t code, float want) {
  return std::isnan(want) ? code == 0x7fffffff : code == codeOf(want);
}
void expectFloats(const std::string &body,
                  const std::function<float(float, float, float)> &f,
                  bool wild = true) {
  Inputs in = floatInputs(wild);
  Lanes out = runClean(body, "%r8", in);
  for (unsigned l = 0; l < 32; ++l) {
    float want = f(asFloat(in[0][l]), asFloat(in[1][l]), asFloat(in[2][l]));
    ASSERT_TRUE(sameFloat(out[l], want)) << body << " lane " << l << " got "
                                         << asFloat(out[l]) << " want " << want;
  }
}
void expectDoubles(const std::string &body,
                   const std::function<double(double, double, double)> &f) {
  Inputs in = randomInputs();
  Lanes out = runClean(body, "%rd8", in);
  for (unsigned l = 0; l < 32; ++l) {
    double want = f(asDouble(in[0][l]), asDouble(in[1][l]), asDouble(in[2][l]));
    double got = asDouble(out[l]);
    ASSERT_TRUE(std::isnan(want) ? std::isnan(got) : out[l] == codeOf(want))
        << body << " lane " << l << " got " << got << " want " << want;
  }
}
/// The f32 on the right side of an exact value.
float directed(long double exact, char mode) {
  float f = float(exact);
  long double g = f;
  if (mode == 'd' && g > exact)
    f = std::nextafterf(f, -INFINITY);
  if (mode == 'u' && g < exact)
    f = std::nextafterf(f, INFINITY);
  if (mode == 'z' && std::fabs(g) > std::fabs(exact))
    f = std::nextafterf(f, 0);
  return f;
}
} // namespace

TEST(PTXFloat, SingleNearest) {
  for (const char *rn : {"", ".rn"}) {
    std::string m = rn;
    expectFloats("add" + m + ".f32 %r8, %r0, %r1;",
                 [](float a, float b, float) { return a + b; });
    expectFloats("sub" + m + ".f32 %r8, %r0, %r1;",
                 [](float a, float b, float) { return a - b; });
    expectFloats("mul" + m + ".f32 %r8, %r0, %r1;",
                 [](float a, float b, float) { return a * b; });
  }
  auto fma = [](float a, float b, float c) { return std::fmaf(a, b, c); };
  expectFloats("fma.rn.f32 %r8, %r0, %r1, %r2;", fma);
  expectFloats("fma.rn.f32 %r8, %r0, %r1, %r2;", fma, false);
  expectFloats("mad.rn.f32 %r8, %r0, %r1, %r2;", fma);
  auto div = [](float a, float b, float) { return a / b; };
  expectFloats("div.rn.f32 %r8, %r0, %r1;", div);
  expectFloats("div.approx.f32 %r8, %r0, %r1;", div);
  expectFloats("div.full.f32 %r8, %r0, %r1;", div);
  expectFloats("rcp.rn.f32 %r8, %r0;",
               [](float a, float, float) { return 1 / a; });
  expectFloats("sqrt.rn.f32 %r8, %r0;",
               [](float a, float, float) { return std::sqrt(a); });
}

TEST(PTXFloat, Double) {
  expectDoubles("add.f64 %rd8, %rd0, %rd1;",
                [](double a, double b, double) { return a + b; });
  expectDoubles("sub.f64 %rd8, %rd0, %rd1;",
                [](double a, double b, double) { return a - b; });
  expectDoubles("mul.f64 %rd8, %rd0, %rd1;",
                [](double a, double b, double) { return a * b; });
  expectDoubles("fma.rn.f64 %rd8, %rd0, %rd1, %rd2;",
                [](double a, double b, double c) { return std::fma(a, b, c); });
  expectDoubles("mad.rn.f64 %rd8, %rd0, %rd1, %rd2;",
                [](double a, double b, double c) { return std::fma(a, b, c); });
  expectDoubles("div.rn.f64 %rd8, %rd0, %rd1;",
                [](double a, double b, double) { return a / b; });
  expectDoubles("rcp.rn.f64 %rd8, %rd0;",
                [](double a, double, double) { return 1 / a; });
  expectDoubles("sqrt.rn.f64 %rd8, %rd0;",
                [](double a, double, double) { return std::sqrt(a); });
}

TEST(PTXFloat, DirectedModes) {
  // Moderate values: sums and products are exact in long double.
  for (char mode : {'z', 'd', 'u'}) {
    std::string m = mode == 'z' ? ".rz" : mode == 'd' ? ".rm" : ".rp";
    expectFloats(
        "add" + m + ".f32 %r8, %r0, 0f2F000000;",
        [=](float a, float, float) {
          return directed((long double)a + 0x1p-33L, mode);
        },
        false);
    expectFloats(
        "sub" + m + ".f32 %r8, %r0, 0f2F000000;",
        [=](float a, float, float) {
          return directed((long double)a - 0x1p-33L, mode);
        },
        false);
    expectFloats(
        "mul" + m + ".f32 %r8, %r0, 0f3F800001;",
        [=](float a, float, float) {
          return directed((long double)a * asFloat(0x3f800001), mode);
        },
        false);
    expectFloats(
        "fma" + m + ".f32 %r8, %r0, 0f3F800001, %r1;",
        [=](float a, float b, float) {
          return directed((long double)a * asFloat(0x3f800001) + b, mode);
        },
        false);
    expectFloats(
        "mad" + m + ".f32 %r8, %r0, 0f3F800001, %r1;",
        [=](float a, float b, float) {
          return directed((long double)a * asFloat(0x3f800001) + b, mode);
        },
        false);
    expectFloats(
        "div" + m + ".f32 %r8, %r0, 0f40400000;",
        [=](float a, float, float) {
          return directed((long double)a / 3, mode);
        },
        false);
    expectFloats(
        "rcp" + m + ".f32 %r8, 0f40400000;",
        [=](float, float, float) { return directed(1 / 3.0L, mode); }, false);
    expectFloats(
        "sqrt" + m + ".f32 %r8, 0f40400000;",
        [=](float, float, float) { return directed(std::sqrt(3.0L), mode); },
        false);
  }
}

TEST(PTXFloat, FlushAndSaturate) {
  auto flush = [](float x) {
    return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
  };
  auto sat = [](float x) { return x > 0 ? std::fmin(x, 1.0f) : 0.0f; };
  auto two = [&](const char *op, float (*f)(float, float)) {
    std::string o = op;
    expectFloats(o + ".ftz.f32 %r8, %r0, %r1;", [=](float a, float b, float) {
      return flush(f(flush(a), flush(b)));
    });
    expectFloats(o + ".sat.f32 %r8, %r0, %r1;",
                 [=](float a, float b, float) { return sat(f(a, b)); });
    expectFloats(o + ".ftz.f32 %r8, 0f00400000, 0f00000000;",
                 [=](float, float, float) { return f(0, 0); });
  };
  two("add", [](float a, float b) { return a + b; });
  two("sub", [](float a, float b) { return a - b; });
  two("mul", [](float a, float b) { return a * b; });
  expectFloats("fma.rn.ftz.sat.f32 %r8, %r0, %r1, %r2;",
               [=](float a, float b, float c) {
                 return sat(flush(std::fmaf(flush(a), flush(b), flush(c))));
               });
  expectFloats("mad.rn.ftz.sat.f32 %r8, %r0, %r1, %r2;",
               [=](float a, float b, float c) {
                 return sat(flush(std::fmaf(flush(a), flush(b), flush(c))));
               });
  expectFloats("div.rn.ftz.f32 %r8, %r0, %r1;", [=](float a, float b, float) {
    return flush(flush(a) / flush(b));
  });
  expectFloats("rcp.rn.ftz.f32 %r8, %r0;",
               [=](float a, float, float) { return flush(1 / flush(a)); });
  expectFloats("sqrt.rn.ftz.f32 %r8, %r0;",
               [=](float a, float, float) { return std::sqrt(flush(a)); });
  expectFloats("abs.ftz.f32 %r8, 0f80400000;",
               [](float, float, float) { return 0.0f; });
  expectFloats("neg.ftz.f32 %r8, 0f00400000;",
               [](float, float, float) { return -0.0f; });
}

TEST(PTXFloat, SignsAndExtremes) {
  auto code = [](uint64_t mask, bool flip) {
    return [=](uint64_t a, uint64_t, uint64_t, uint64_t) {
      uint64_t x = a & (mask | (mask - 1) | (flip ? mask : 0));
      return flip ? x ^ mask : x & ~mask;
    };
  };
  expectLanes("abs.f32 %r8, %r0;", "%r8", code(0x80000000, false));
  expectLanes("neg.f32 %r8, %r0;", "%r8", code(0x80000000, true));
  expectLanes("abs.f64 %rd8, %rd0;", "%rd8", code(uint64_t{1} << 63, false));
  expectLanes("neg.f64 %rd8, %rd0;", "%rd8", code(uint64_t{1} << 63, true));
  expectLanes("copysign.f32 %r8, %r0, %r1;", "%r8",
              [](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                return (a & 0x80000000) | (b & 0x7fffffff);
              });
  expectLanes("copysign.f64 %rd8, %rd0, %rd1;", "%rd8",
              [](uint64_t a, uint64_t b, uint64_t, uint64_t) {
                uint64_t s = uint64_t{1} << 63;
                return (a & s) | (b & ~s);
              });
  for (bool max : {false, true}) {
    std::string op = max ? "max" : "min";
    auto pick = [=](double a, double b) {
      return std::isnan(a)   ? b
             : std::isnan(b) ? a
             : max           ? (a > b ? a : b)
                             : (a < b ? a : b);
    };
    auto f = [=](float a, float b, float) { return float(pick(a, b)); };
    expectFloats(op + ".f32 %r8, %r0, %r1;", f);
    expectFloats(op + ".ftz.f32 %r8, %r0, %r1;", f, false);
    expectFloats(op + ".NaN.f32 %r8, %r0, %r1;", [=](float a, float b, float) {
      return std::isnan(a) || std::isnan(b) ? NAN : float(pick(a, b));
    });
    expectFloats(
        op + ".xorsign.abs.f32 %r8, %r0, %r1;",
        [=](float a, float b, float) {
          float r = float(pick(std::fabs(a), std::fabs(b)));
          return std::signbit(a) != std::signbit(b) ? -r : r;
        },
        false);
    expectDoubles(op + ".f64 %rd8, %rd0, %rd1;",
                  [=](double a, double b, double) { return pick(a, b); });
    // -0 is less than +0, in either order.
    expectFloats(op + ".f32 %r8, 0f80000000, 0f00000000;",
                 [=](float, float, float) { return max ? 0.0f : -0.0f; });
    expectFloats(op + ".f32 %r8, 0f00000000, 0f80000000;",
                 [=](float, float, float) { return max ? 0.0f : -0.0f; });
  }
}

TEST(PTXFloat, PackedSingle) {
  for (const char *op : {"add", "sub", "mul", "fma"}) {
    bool three = op[0] == 'f';
    for (const char *mods : {".rn", ".rz", ".rn.ftz"}) {
      std::string text = std::string(op) + mods + ".f32x2 %rd8, %rd0, %rd1" +
                         (three ? ", %rd2;" : ";");
      std::string one = std::string(op) + mods + ".f32 %r8, %r0, %r1" +
                        (three ? ", %r2;" : ";");
      std::string high = "mov.b64 {_, %r0}, %rd0; mov.b64 {_, %r1}, %rd1; "
                         "mov.b64 {_, %r2}, %rd2;";
      Lanes both = runClean(text, "%rd8");
      Lanes low = runClean(one, "%r8"), up = runClean(high + one, "%r8");
      for (unsigned l = 0; l < 32; ++l)
        EXPECT_EQ(both[l], low[l] | up[l] << 32) << text << " lane " << l;
    }
  }
}

TEST(PTXFloat, Halves) {
  for (bool bf16 : {false, true}) {
    Format format = bf16 ? Format::minifloat(8, 7, Specials::IEEE)
                         : Format::minifloat(5, 10, Specials::IEEE);
    std::string t = bf16 ? "bf16" : "f16";
    auto encode = [&](double x) -> uint64_t {
      return std::isnan(x)
                 ? 0x7fff
                 : format.encode(x, Rounding::HalfEven, Overflow::Wrap);
    };
    auto flush = [&](uint64_t c) {
      return c & (bf16 ? 0x7f80 : 0x7c00) ? c : c & 0x8000;
    };
    struct {
      std::string op;
      int sources;
      std::function<uint64_t(uint64_t, uint64_t, uint64_t)> f;
    } cases[] = {
        {"add", 2,
         [&](uint64_t a, uint64_t b, uint64_t) {
           return encode(format.decode(a) + format.decode(b));
         }},
        {"sub.rn", 2,
         [&](uint64_t a, uint64_t b, uint64_t) {
           return encode(format.decode(a) - format.decode(b));
         }},
        {"mul", 2,
         [&](uint64_t a, uint64_t b, uint64_t) {
           return encode(format.decode(a) * format.decode(b));
         }},
        {"add.ftz", 2,
         [&](uint64_t a, uint64_t b, uint64_t) {
           return flush(
               encode(format.decode(flush(a)) + format.decode(flush(b))));
         }},
        {"neg", 1, [&](uint64_t a, uint64_t, uint64_t) { return a ^ 0x8000; }},
        {"abs", 1, [&](uint64_t a, uint64_t, uint64_t) { return a & 0x7fff; }},
        {"neg.ftz", 1,
         [&](uint64_t a, uint64_t, uint64_t) { return flush(a) ^ 0x8000; }},
        {"abs.ftz", 1,
         [&](uint64_t a, uint64_t, uint64_t) { return flush(a) & 0x7fff; }},
        {"max.NaN", 2,
         [&](uint64_t a, uint64_t b, uint64_t) -> uint64_t {
           double x = format.decode(a), y = format.decode(b);
           if (std::isnan(x) || std::isnan(y))
             return 0x7fff;
           return x > y || (x == y && !(a & 0x8000)) ? a : b;
         }},
        {"min", 2, [&](uint64_t a, uint64_t b, uint64_t) -> uint64_t {
           double x = format.decode(a), y = format.decode(b);
           if (std::isnan(x) && std::isnan(y))
             return 0x7fff;
           if (std::isnan(x) || std::isnan(y))
             return std::isnan(x) ? b : a;
           return x < y || (x == y && a & 0x8000) ? a : b;
         }}};
    for (auto &c : cases) {
      std::string sources = c.sources == 2 ? "0, %r1;" : "0;";
      expectLanes(
          c.op + "." + t + "x2 %r8, %r" + sources, "%r8",
          [&](uint64_t a, uint64_t b, uint64_t d, uint64_t) {
            return c.f(a & 0xffff, b & 0xffff, d & 0xffff) |
                   c.f(a >> 16 & 0xffff, b >> 16 & 0xffff, d >> 16 & 0xffff)
                       << 16;
          });
      sources = c.sources == 2 ? "0, %h1;" : "0;";
      expectLanes(c.op + "." + t + " %h8, %h" + sources, "%h8",
                  [&](uint64_t a, uint64_t b, uint64_t d, uint64_t) {
                    return c.f(a & 0xffff, b & 0xffff, d & 0xffff);
                  });
    }
    for (const char *x2 : {"", "x2"})
      for (const char *op :
           {"fma.rn.ftz", "fma.rn.sat", "fma.rn.relu", "add.sat", "sub.ftz",
            "sub.sat", "mul.rn.ftz", "mul.sat", "add.rn", "max", "max.ftz",
            "min.ftz", "min.NaN", "min.xorsign.abs", "max.xorsign.abs"}) {
        std::string r = *x2 ? "%r" : "%h";
        std::string text = std::string(op) + "." + t + x2 + " " + r + "8, " +
                           r + "0, " + r + "1";
        runClean(text + (op[0] == 'f' ? ", " + r + "2;" : ";"), r + "8");
      }
    // One rounding: in f64 these moderate products and sums are exact.
    Inputs in = randomInputs();
    for (int k = 0; k < 3; ++k)
      for (uint64_t &v : in[k])
        v = encode(double(int(v % 4001) - 2000) / 8);
    expectLanes(
        "fma.rn." + t + " %h8, %h0, %h1, %h2;", "%h8",
        [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
          return encode(format.decode(a) * format.decode(b) + format.decode(c));
        },
        in);
    expectLanes(
        "fma.rn." + t + "x2 %r8, %r0, %r1, %r2;", "%r8",
        [&](uint64_t a, uint64_t b, uint64_t c, uint64_t) {
          return encode(format.decode(a) * format.decode(b) + format.decode(c));
        },
        in);
  }
}

TEST(PTXFloat, Approximations) {
  struct {
    const char *op;
    double (*f)(double);
  } cases[] = {{"ex2.approx", [](double x) { return std::exp2(x); }},
               {"lg2.approx", [](double x) { return std::log2(x); }},
               {"sin.approx", [](double x) { return std::sin(x); }},
               {"cos.approx", [](double x) { return std::cos(x); }},
               {"tanh.approx", [](double x) { return std::tanh(x); }},
               {"rsqrt.approx", [](double x) { return 1 / std::sqrt(x); }},
               {"rcp.approx", [](double x) { return 1 / x; }},
               {"sqrt.approx", [](double x) { return std::sqrt(x); }}};
  for (auto &c : cases) {
    auto f = [&](float a, float, float) { return float(c.f(a)); };
    expectFloats(std::string(c.op) + ".f32 %r8, %r0;", f);
    expectFloats(std::string(c.op) + ".f32 %r8, %r0;", f, false);
    if (c.op[0] != 't')
      expectFloats(std::string(c.op) + ".ftz.f32 %r8, 0f3F000000;",
                   [&](float, float, float) { return float(c.f(0.5)); });
  }
  for (const char *op : {"ex2.approx", "tanh.approx"})
    for (const char *t : {"f16", "bf16"}) {
      uint64_t half = t[0] == 'b' ? 0x3f00 : 0x3800;
      Format format = t[0] == 'b' ? Format::minifloat(8, 7, Specials::IEEE)
                                  : Format::minifloat(5, 10, Specials::IEEE);
      double exact = op[0] == 'e' ? std::exp2(0.5) : std::tanh(0.5);
      uint64_t want = format.encode(exact);
      std::string name = std::string(op) + "." + t;
      expectLanes(name + " %h8, " + std::to_string(half) + ";", "%h8",
                  [=](uint64_t, uint64_t, uint64_t, uint64_t) { return want; });
      expectLanes(name + "x2 %r8, " + std::to_string(half << 16 | half) + ";",
                  "%r8", [=](uint64_t, uint64_t, uint64_t, uint64_t) {
                    return want << 16 | want;
                  });
    }
  for (bool root : {true, false}) {
    std::string op = root ? "rsqrt" : "rcp";
    expectLanes(op + ".approx.ftz.f64 %rd8, 0d4008000000000000;", "%rd8",
                [=](uint64_t, uint64_t, uint64_t, uint64_t) {
                  double exact = root ? 1 / std::sqrt(3.0) : 1 / 3.0;
                  return codeOf(exact) & ~uint64_t{0xffffffff};
                });
  }
}

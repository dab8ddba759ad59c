// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix instructions against products of whole matrices. The fragment maps
// here are tables of the ISA's formulas for each shape, written as scatter
// loops over lanes; the emulator's are one general formula.

#include "QDialect/Numerics/Format.h"
#include "RunLanes.h"

#include <cmath>

using namespace qdialect;
using namespace qdialect::ptx;
using namespace qdialect::ptx::test;

namespace {
struct Shape {
  int m, n, k;
};
/// Bits of an element, its value, and the text of its type.
struct Element {
  const char *name;
  int bits;
  std::function<double(uint32_t)> value;
};
double minifloat(const Format &f, uint32_t code) { return f.decode(code); }

Element element(const std::string &name) {
  static const Format f16 = Format::minifloat(5, 10, Specials::IEEE);
  static const Format bf16 = Format::minifloat(8, 7, Specials::IEEE);
  static const Format e4m3 = Format::minifloat(4, 3, Specials::OCP);
  static const Format e5m2 = Format::minifloat(5, 2, Specials::IEEE);
  if (name == "s8")
    return {"s8", 8, [](uint32_t c) { return double(int8_t(c)); }};
  if (name == "u8")
    return {"u8", 8, [](uint32_t c) { return double(c & 255); }};
  if (name == "s4")
    return {"s4", 4, [](uint32_t c) { return c & 8 ? double(c) - 16 : c; }};
  if (name == "u4")
    return {"u4", 4, [](uint32_t c) { return double(c & 15); }};
  if (name == "b1")
    return {"b1", 1, [](uint32_t c) { return double(c & 1); }};
  if (name == "f16")
    return {"f16", 16, [](uint32_t c) { return minifloat(f16, c); }};
  if (name == "bf16")
    return {"bf16", 16, [](uint32_t c) { return minifloat(bf16, c); }};
  if (name == "e4m3")
    return {"e4m3", 8, [](uint32_t c) { return minifloat(e4m3, c); }};
  if (name == "e5m2")
    return {"e5m2", 8, [](uint32_t c) { return minifloat(e5m2, c); }};
  return {"tf32", 32,
          [](uint32_t c) { return double(asFloat(c & 0xffffe000)); }};
}

/// The ISA's tables, element by element: i counts the elements of a lane.
void mapA(const Shape &s, int bits, int lane, int i, int &row, int &column) {
  int group = lane >> 2, thread = lane % 4, per = 32 / bits;
  int reg = i / per, inner = i % per;
  row = group;
  column = thread * per + inner;
  if (s.m == 8)
    return;
  if (reg == 1 || reg == 3)
    row = group + 8;
  if (reg >= 2)
    column += s.k / 2;
}
void mapB(const Shape &s, int bits, int lane, int i, int &row, int &column) {
  int per = 32 / bits, reg = i / per, inner = i % per;
  column = lane >> 2;
  row = (lane % 4) * per + inner + (reg ? s.k / 2 : 0);
}
void mapC(int lane, int i, int &row, int &column) {
  row = (lane >> 2) + (i >= 2 ? 8 : 0);
  column = (lane % 4) * 2 + (i & 1);
}

std::string registers(int first, int count) {
  std::string text = "{";
  for (int r = 0; r < count; ++r)
    text += (r ? ", %r" : "%r") + std::to_string(first + r);
  return text + "}";
}

/// Small codes, so that float sums are exact in any order.
uint32_t smallCode(const Element &e, std::mt19937_64 &random) {
  if (e.bits <= 4)
    return uint32_t(random()) & ((1u << e.bits) - 1);
  if (e.name[0] == 's' || e.name[0] == 'u')
    return uint32_t(random()) & 255;
  double x = double(int(random() % 9) - 4);
  if (std::string(e.name) == "tf32")
    return uint32_t(codeOf(float(x)));
  for (uint32_t c = 0; c < (1u << e.bits); ++c)
    if (e.value(c) == x)
      return c;
  return 0;
}

void checkMma(const Shape &s, const std::string &ta, const std::string &tb,
              const std::string &tc, const std::string &extra = "",
              bool wrap = false) {
  std::mt19937_64 random(kSeed + uint64_t(s.k));
  Element a = element(ta), b = element(tb);
  bool isInt = tc == "s32", halfC = tc == "f16", bit = ta == "b1";
  std::vector<uint32_t> A(s.m * s.k), B(s.k * s.n);
  std::vector<double> C(s.m * s.n);
  for (uint32_t &c : A)
    c = smallCode(a, random);
  for (uint32_t &c : B)
    c = smallCode(b, random);
  for (double &c : C)
    c = wrap ? 2147483647.0 : double(int(random() % 201) - 100);
  int na = s.m * s.k * a.bits / 1024, nb = s.n * s.k * b.bits / 1024;
  int nc = s.m * s.n / 32;
  // Registers of all lanes, put into the eight inputs of 64 bits.
  std::vector<std::array<uint32_t, 16>> regs(32);
  Format f16 = Format::minifloat(5, 10, Specials::IEEE);
  for (int lane = 0; lane < 32; ++lane) {
    auto &r = regs[lane];
    r.fill(0);
    int row, column;
    for (int i = 0; i < na * 32 / a.bits; ++i) {
      mapA(s, a.bits, lane, i, row, column);
      r[i * a.bits / 32] |= A[row * s.k + column] << i * a.bits % 32;
    }
    for (int i = 0; i < nb * 32 / b.bits; ++i) {
      mapB(s, b.bits, lane, i, row, column);
      r[4 + i * b.bits / 32] |= B[row * s.n + column] << i * b.bits % 32;
    }
    for (int i = 0; i < nc; ++i) {
      mapC(lane, i, row, column);
      double c = C[row * s.n + column];
      if (halfC)
        r[8 + i / 2] |= f16.encode(c) << i % 2 * 16;
      else
        r[8 + i] = isInt ? uint32_t(int64_t(c)) : uint32_t(codeOf(float(c)));
    }
  }
  Inputs in = {};
  for (int lane = 0; lane < 32; ++lane)
    for (int k = 0; k < 6; ++k)
      in[k][lane] = regs[lane][2 * k] | uint64_t(regs[lane][2 * k + 1]) << 32;
  std::string body;
  for (int k = 0; k < 6; ++k)
    body += "mov.b64 " + registers(70 + 2 * k, 2) + ", %rd" +
            std::to_string(k) + ";";
  int regsC = halfC ? nc / 2 : nc;
  body += "mma.sync.aligned.m" + std::to_string(s.m) + "n8k" +
          std::to_string(s.k) + ".row.col" +
          (extra == ".satfinite" ? extra : "") + "." + tc + "." + ta + "." +
          tb + "." + tc + (extra == ".satfinite" ? "" : extra) + " " +
          registers(90, regsC) + ", " + registers(70, na) + ", " +
          registers(74, nb) + ", " + registers(78, regsC) + ";";
  for (int i = 0; i < nc; ++i) {
    Lanes out =
        runClean(body, "%r" + std::to_string(90 + (halfC ? i / 2 : i)), in);
    for (int lane = 0; lane < 32; ++lane) {
      int row, column;
      mapC(lane, i, row, column);
      double sum = C[row * s.n + column];
      for (int k = 0; k < s.k; ++k) {
        uint32_t x = A[row * s.k + k], y = B[k * s.n + column];
        sum += !bit                   ? a.value(x) * b.value(y)
               : extra == ".and.popc" ? double(x & y)
                                      : double(x ^ y);
      }
      uint64_t want;
      if (isInt) {
        int64_t v = int64_t(sum);
        if (extra == ".satfinite")
          v = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v;
        want = uint32_t(v);
      } else if (halfC) {
        ASSERT_EQ(out[lane] >> i % 2 * 16 & 0xffff, f16.encode(sum)) << body;
        continue;
      } else {
        want = codeOf(float(sum));
      }
      ASSERT_EQ(out[lane], want) << body << " lane " << lane << " " << i;
    }
  }
}
} // namespace

TEST(PTXMatrix, MmaIntegers) {
  for (const char *a : {"s8", "u8"})
    for (const char *b : {"s8", "u8"})
      for (Shape s : {Shape{8, 8, 16}, {16, 8, 16}, {16, 8, 32}})
        checkMma(s, a, b, "s32");
  for (const char *a : {"s4", "u4"})
    for (const char *b : {"s4", "u4"})
      for (Shape s : {Shape{8, 8, 32}, {16, 8, 32}, {16, 8, 64}})
        checkMma(s, a, b, "s32");
  for (Shape s : {Shape{8, 8, 128}, {16, 8, 128}, {16, 8, 256}})
    for (const char *op : {".xor.popc", ".and.popc"})
      checkMma(s, "b1", "b1", "s32", op);
  checkMma({16, 8, 32}, "s8", "s8", "s32", ".satfinite", true);
  checkMma({16, 8, 32}, "s8", "s8", "s32", "", true); // wraps
}

TEST(PTXMatrix, MmaFloats) {
  for (const char *c : {"f16", "f32"}) {
    checkMma({16, 8, 8}, "f16", "f16", c);
    checkMma({16, 8, 16}, "f16", "f16", c);
  }
  checkMma({16, 8, 8}, "bf16", "bf16", "f32");
  checkMma({16, 8, 16}, "bf16", "bf16", "f32");
  checkMma({16, 8, 4}, "tf32", "tf32", "f32");
  checkMma({16, 8, 8}, "tf32", "tf32", "f32");
  for (const char *a : {"e4m3", "e5m2"})
    for (const char *b : {"e4m3", "e5m2"})
      checkMma({16, 8, 32}, a, b, "f32");
}

TEST(PTXMatrix, MmaDouble) {
  // m8n8k4: A row g column t, B row t column g, C row g columns 2t, 2t + 1.
  Inputs in = {};
  double A[8][4], B[4][8], C[8][8];
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      C[i][j] = i * 10 - j;
      if (j < 4) {
        A[i][j] = i - 2 * j;
        B[j][i] = 3 * i + j;
      }
    }
  for (int l = 0; l < 32; ++l) {
    in[0][l] = codeOf(A[l / 4][l % 4]);
    in[1][l] = codeOf(B[l % 4][l / 4]);
    in[2][l] = codeOf(C[l / 4][l % 4 * 2]);
    in[3][l] = codeOf(C[l / 4][l % 4 * 2 + 1]);
  }
  for (const char *op : {"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64"}) {
    Lanes out = runClean(std::string(op) +
                             " {%rd8, %rd9}, {%rd0}, {%rd1}, {%rd2, %rd3};",
                         "%rd9", in);
    for (int l = 0; l < 32; ++l) {
      double want = C[l / 4][l % 4 * 2 + 1];
      for (int k = 0; k < 4; ++k)
        want += A[l / 4][k] * B[k][l % 4 * 2 + 1];
      EXPECT_EQ(asDouble(out[l]), want);
    }
  }
}

TEST(PTXMatrix, LoadStoreMoveMatrix) {
  // Matrix m's row r is at 128 m + 16 r of shared memory: the inputs' bytes.
  Inputs in = randomInputs();
  std::vector<uint8_t> memory(2048);
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned k = 0; k < 8; ++k)
      std::memcpy(&memory[l * 64 + k * 8], &in[k][l], 8);
  auto at = [&](int m, int row, int column) -> uint64_t {
    return bits<uint16_t>(*reinterpret_cast<uint16_t *>(
        &memory[m * 128 + row * 16 + column * 2]));
  };
  std::string rows = "mov.u32 %r20, %laneid; mad.lo.u32 %r20, %r20, 16, %r50;";
  for (int count : {1, 2, 4})
    for (bool trans : {false, true}) {
      std::string suffix = ".sync.aligned.m8n8.x" + std::to_string(count) +
                           (trans ? ".trans" : "");
      for (int m = 0; m < count; ++m) {
        Lanes out = runClean(rows + "ldmatrix" + suffix + ".shared.b16 " +
                                 registers(70, count) + ", [%r20];",
                             "%r" + std::to_string(70 + m), in);
        for (int l = 0; l < 32; ++l) {
          int i = l / 4, j = l % 4 * 2;
          uint64_t want = trans ? at(m, j, i) | at(m, j + 1, i) << 16
                                : at(m, i, j) | at(m, i, j + 1) << 16;
          ASSERT_EQ(out[l], want) << suffix << " " << m << " " << l;
        }
      }
      // Stored and loaded again: the same registers.
      Lanes back = runClean(
          rows + "bar.sync 0; ldmatrix" + suffix + ".shared::cta.b16 " +
              registers(70, count) + ", [%r20]; bar.sync 0; stmatrix" + suffix +
              ".shared.b16 [%r20+2048], " + registers(70, count) +
              "; bar.sync 0; ldmatrix" + suffix + ".shared.b16 " +
              registers(80, count) + ", [%r20+2048]; stmatrix" + suffix +
              ".shared::cta.b16 [%r20+3072], " + registers(70, count) +
              "; xor.b32 %r8, %r70, %r80;",
          "%r8", in);
      for (uint64_t v : back)
        EXPECT_EQ(v, 0u);
    }
  Lanes moved = runClean("movmatrix.sync.aligned.m8n8.trans.b16 %r8, %r0; "
                         "movmatrix.sync.aligned.m8n8.trans.b16 %r9, %r8; "
                         "setp.ne.u32 %p1, %r9, %r0; @%p1 trap;",
                         "%r8", in);
  for (int l = 0; l < 32; ++l) {
    auto element = [&](int row, int column) {
      return in[0][row * 4 + column / 2] >> column % 2 * 16 & 0xffff;
    };
    EXPECT_EQ(moved[l],
              element(l % 4 * 2, l / 4) | element(l % 4 * 2 + 1, l / 4) << 16);
  }
}

//===----------------------------------------------------------------------===//
// wmma
//===----------------------------------------------------------------------===//

namespace {
struct WmmaCase {
  const char *shape, *a, *b, *c;
  int m, n, k, regsA, regsB, regsC;
  const char *extra;
};

std::string wide(const char *prefix, int first, int count) {
  std::string text = "{";
  for (int r = 0; r < count; ++r)
    text += (r ? ", " : "") + std::string(prefix) + std::to_string(first + r);
  return text + "}";
}

/// D = A B + C with A by rows, B by columns, through global memory.
void checkWmma(const WmmaCase &w) {
  std::mt19937_64 random(kSeed);
  bool isDouble = std::string(w.a) == "f64";
  Element a = element(isDouble ? "s8" : w.a),
          b = element(isDouble ? "s8" : w.b);
  if (isDouble)
    a.bits = b.bits = 64;
  bool isInt = std::string(w.c) == "s32", halfC = std::string(w.c) == "f16";
  int bytesC = isDouble ? 8 : halfC ? 2 : 4;
  std::vector<uint32_t> A(w.m * w.k), B(w.k * w.n);
  std::vector<uint8_t> memA(w.m * w.k * a.bits / 8),
      memB(w.n * w.k * b.bits / 8);
  std::vector<uint8_t> memC(w.m * w.n * bytesC), memD(memC.size());
  auto fill = [&](std::vector<uint32_t> &codes, std::vector<uint8_t> &memory,
                  const Element &e) {
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = smallCode(isDouble ? element("s8") : e, random);
      if (isDouble) {
        double x = e.value(codes[i]);
        std::memcpy(&memory[i * 8], &x, 8);
      } else if (e.bits < 8) {
        memory[i * e.bits / 8] |= uint8_t(codes[i] << i * e.bits % 8);
      } else {
        std::memcpy(&memory[i * e.bits / 8], &codes[i], e.bits / 8);
      }
    }
  };
  fill(A, memA, a); // [m][k]
  fill(B, memB, b); // [n][k]
  std::vector<double> C(w.m * w.n);
  Format f16 = Format::minifloat(5, 10, Specials::IEEE);
  auto code = [&](double x) -> uint64_t {
    return isDouble ? codeOf(x)
           : halfC  ? f16.encode(x)
           : isInt  ? uint32_t(int64_t(x))
                    : codeOf(float(x));
  };
  for (size_t i = 0; i < C.size(); ++i) {
    C[i] = double(int(i % 40) - 20);
    uint64_t bits = code(C[i]);
    std::memcpy(&memC[i * bytesC], &bits, bytesC);
  }
  const char *reg = isDouble ? "%rd" : "%r";
  std::string shape = w.shape;
  bool named = std::string(w.a) != "f16";
  std::string types = named
                          ? std::string(w.c) + "." + w.a + "." + w.b + "." + w.c
                          : std::string(w.c) + "." + w.c;
  std::string extra = w.extra;
  std::string sat = extra == ".satfinite" ? extra : "";
  std::string popc = extra == ".satfinite" ? "" : extra;
  auto regs = [&](int first, int count) { return wide(reg, first, count); };
  std::string text = header() +
                     ".visible .entry k(.param .u64 a, .param .u64 b, "
                     ".param .u64 c, .param .u64 d) {\n.reg .b32 "
                     "%r<64>; .reg .b64 %rd<64>;\n"
                     "ld.param.u64 %rd40, [a]; ld.param.u64 %rd41, [b]; "
                     "ld.param.u64 %rd42, [c]; ld.param.u64 %rd43, [d];\n"
                     "mov.u32 %r40, " +
                     std::to_string(w.k) + "; mov.u32 %r41, " +
                     std::to_string(w.n) + ";\n";
  text += "wmma.load.a.sync.aligned.row." + shape + ".global." + w.a + " " +
          regs(0, w.regsA) + ", [%rd40], %r40;\n";
  text += "wmma.load.b.sync.aligned.col." + shape + "." + w.b + " " +
          regs(8, w.regsB) + ", [%rd41], %r40;\n";
  text += "wmma.load.c.sync.aligned.row." + shape + ".global." + w.c + " " +
          regs(16, w.regsC) + ", [%rd42], %r41;\n";
  text += "wmma.mma" + popc + ".sync.aligned.row.col." + shape + "." + types +
          sat + " " + regs(24, w.regsC) + ", " + regs(0, w.regsA) + ", " +
          regs(8, w.regsB) + ", " + regs(16, w.regsC) + ";\n";
  text += "wmma.store.d.sync.aligned.row." + shape + ".global." + w.c +
          " [%rd43], " + regs(24, w.regsC) + ", %r41;\n}\n";
  KernelRun run = runKernel(text, {1}, {32}, {&memA, &memB, &memC, &memD});
  ASSERT_TRUE(run.launched) << run.why.message << text;
  for (const Finding &f : run.result.findings)
    ADD_FAILURE() << f.message;
  for (int i = 0; i < w.m; ++i)
    for (int j = 0; j < w.n; ++j) {
      double sum = C[i * w.n + j];
      for (int k = 0; k < w.k; ++k) {
        uint32_t x = A[i * w.k + k], y = B[j * w.k + k];
        sum += popc == ".xor.popc"   ? double(x ^ y)
               : popc == ".and.popc" ? double(x & y)
                                     : a.value(x) * b.value(y);
      }
      uint64_t got = 0;
      std::memcpy(&got, &memD[(i * w.n + j) * bytesC], bytesC);
      ASSERT_EQ(got, code(sum)) << text << i << " " << j;
    }
}
} // namespace

TEST(PTXMatrix, Wmma) {
  for (const char *c : {"f16", "f32"})
    for (auto [shape, m, n] : {std::tuple{"m16n16k16", 16, 16},
                               {"m32n8k16", 32, 8},
                               {"m8n32k16", 8, 32}})
      checkWmma(
          {shape, "f16", "f16", c, m, n, 16, 8, 8, c[1] == '1' ? 4 : 8, ""});
  checkWmma({"m16n16k16", "bf16", "bf16", "f32", 16, 16, 16, 4, 4, 8, ""});
  checkWmma({"m16n16k8", "tf32", "tf32", "f32", 16, 16, 8, 4, 4, 8, ""});
  for (const char *t : {"s8", "u8"}) {
    checkWmma({"m16n16k16", t, t, "s32", 16, 16, 16, 2, 2, 8, ""});
    checkWmma({"m32n8k16", t, t, "s32", 32, 8, 16, 4, 1, 8, ".satfinite"});
    checkWmma({"m8n32k16", t, t, "s32", 8, 32, 16, 1, 4, 8, ""});
  }
  for (const char *t : {"s4", "u4"})
    checkWmma({"m8n8k32", t, t, "s32", 8, 8, 32, 1, 1, 2, ""});
  for (const char *op : {".xor.popc", ".and.popc"})
    checkWmma({"m8n8k128", "b1", "b1", "s32", 8, 8, 128, 1, 1, 2, op});
  checkWmma({"m8n8k4", "f64", "f64", "f64", 8, 8, 4, 1, 1, 2, ""});
  // Through shared memory, by columns.
  for (const char *space : {"shared", "shared::cta"})
    runClean(std::string("wmma.load.a.sync.aligned.col.m16n16k16.") + space +
                 ".s8 {%r8, %r9}, [%r50], 16; wmma.load.c.sync.aligned.col."
                 "m16n16k16." +
                 space + ".s32 " + registers(70, 8) +
                 ", [%r50]; bar.sync 0; wmma.store.d.sync.aligned.col."
                 "m16n16k16." +
                 space + ".s32 [%r50], " + registers(70, 8) + ", 16;",
             "%r8");
}

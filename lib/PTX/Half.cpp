// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 and bf16, alone and in pairs: add, sub, mul, fma, min, max, abs, neg.

#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr uint32_t kFtz = 1, kSat = 2, kRelu = 4, kPropagateNaN = 8,
                   kXorSign = 16;

struct Half {
  static float from(uint16_t x) { return fromHalf(x); }
  static uint16_t to(float x) { return toHalfNearest(x); }
  static constexpr uint16_t exponent = 0x7c00;
};
struct Bfloat {
  static float from(uint16_t x) { return fromBfloat(x); }
  static uint16_t to(float x) { return toBfloatNearest(x); }
  static constexpr uint16_t exponent = 0x7f80;
};

template <typename F>
uint16_t flush16(uint16_t x) {
  return x & F::exponent ? x : x & 0x8000;
}
template <typename F>
float load(uint16_t x, uint32_t aux) {
  return F::from(aux & kFtz ? flush16<F>(x) : x);
}
template <typename F>
uint16_t store(float x, uint32_t aux) {
  if (aux & kSat)
    x = saturate(x);
  if ((aux & kRelu) && x < 0)
    x = 0;
  uint16_t bits = F::to(x);
  return aux & kFtz ? flush16<F>(bits) : bits;
}

struct Add {
  static float apply(float a, float b) { return a + b; }
};
struct Sub {
  static float apply(float a, float b) { return a - b; }
};
struct Mul {
  static float apply(float a, float b) { return a * b; }
};

template <typename F, typename Op, unsigned E>
void binary(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t aux = i.aux;
  mapLanes<E>(
      mask,
      [aux](uint16_t a, uint16_t b) {
        return store<F>(Op::apply(load<F>(a, aux), load<F>(b, aux)), aux);
      },
      w.lanes<uint16_t>(i.op[0]), w.lanes<uint16_t>(i.op[1]),
      w.lanes<uint16_t>(i.op[2]));
}
template <typename F, unsigned E>
void fma(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t aux = i.aux;
  mapLanes<E>(
      mask,
      [aux](uint16_t a, uint16_t b, uint16_t c) {
        double exact =
            fmaToOdd(load<F>(a, aux), load<F>(b, aux), load<F>(c, aux));
        return store<F>(toOddSingle(exact), aux);
      },
      w.lanes<uint16_t>(i.op[0]), w.lanes<uint16_t>(i.op[1]),
      w.lanes<uint16_t>(i.op[2]), w.lanes<uint16_t>(i.op[3]));
}
template <typename F, unsigned E, bool IsMax>
void minMax(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t aux = i.aux;
  mapLanes<E>(
      mask,
      [aux](uint16_t a, uint16_t b) -> uint16_t {
        if (aux & kFtz) {
          a = flush16<F>(a);
          b = flush16<F>(b);
        }
        uint16_t sign = (a ^ b) & 0x8000;
        if (aux & kXorSign) {
          a &= 0x7fff;
          b &= 0x7fff;
        }
        float x = F::from(a), y = F::from(b);
        uint16_t r;
        if (std::isnan(x) || std::isnan(y)) {
          if ((aux & kPropagateNaN) || (std::isnan(x) && std::isnan(y)))
            return kNaN16;
          r = std::isnan(x) ? b : a;
        } else if (x == y) {
          r = IsMax ? a & b : a | b; // -0 is less than +0
        } else {
          r = (x < y) != IsMax ? a : b;
        }
        return aux & kXorSign ? static_cast<uint16_t>(r | sign) : r;
      },
      w.lanes<uint16_t>(i.op[0]), w.lanes<uint16_t>(i.op[1]),
      w.lanes<uint16_t>(i.op[2]));
}
struct Abs {
  static uint16_t apply(uint16_t a) { return a & 0x7fff; }
};
struct Neg {
  static uint16_t apply(uint16_t a) { return a ^ 0x8000; }
};
template <typename F, typename Op>
struct FtzSign {
  static uint16_t apply(uint16_t a) { return Op::apply(flush16<F>(a)); }
};

uint32_t flags(const Decoder &d) {
  return (d.has("ftz") ? kFtz : 0) | (d.has("sat") ? kSat : 0) |
         (d.has("relu") ? kRelu : 0) | (d.has("NaN") ? kPropagateNaN : 0) |
         (d.has("xorsign") ? kXorSign : 0);
}
Handler choose(Type t, Handler f16, Handler f16x2, Handler bf16,
               Handler bf16x2) {
  return t == Type::F16     ? f16
         : t == Type::F16x2 ? f16x2
         : t == Type::BF16  ? bf16
                            : bf16x2;
}
template <typename Op>
void decodeBinary(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t});
  d.out.aux = flags(d);
  d.out.exec = choose(t, binary<Half, Op, 1>, binary<Half, Op, 2>,
                      binary<Bfloat, Op, 1>, binary<Bfloat, Op, 2>);
}
void decodeFma(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t, t});
  d.out.aux = flags(d);
  d.out.exec =
      choose(t, fma<Half, 1>, fma<Half, 2>, fma<Bfloat, 1>, fma<Bfloat, 2>);
}
template <bool IsMax>
void decodeMinMax(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t});
  d.out.aux = flags(d);
  if (d.has("xorsign") != d.has("abs"))
    d.fail(".xorsign and .abs go together");
  d.out.exec = choose(t, minMax<Half, 1, IsMax>, minMax<Half, 2, IsMax>,
                      minMax<Bfloat, 1, IsMax>, minMax<Bfloat, 2, IsMax>);
}
template <typename Op>
void decodeSign(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t});
  if (d.has("ftz"))
    d.out.exec = choose(t, unaryHandler<uint16_t, FtzSign<Half, Op>>,
                        unaryHandler<uint16_t, FtzSign<Half, Op>, 2>,
                        unaryHandler<uint16_t, FtzSign<Bfloat, Op>>,
                        unaryHandler<uint16_t, FtzSign<Bfloat, Op>, 2>);
  else
    d.out.exec =
        choose(t, unaryHandler<uint16_t, Op>, unaryHandler<uint16_t, Op, 2>,
               unaryHandler<uint16_t, Op>, unaryHandler<uint16_t, Op, 2>);
}
} // namespace

static const char kHalves[] = "f16 f16x2 bf16 bf16x2";

static const InstructionInfo kTable[] = {
    {"add", kHalves, "rn ftz sat", InstructionClass::Float, decodeBinary<Add>},
    {"sub", kHalves, "rn ftz sat", InstructionClass::Float, decodeBinary<Sub>},
    {"mul", kHalves, "rn ftz sat", InstructionClass::Float, decodeBinary<Mul>},
    {"fma", kHalves, "rn ftz sat relu", InstructionClass::Float, decodeFma},
    {"min", kHalves, "ftz NaN xorsign abs", InstructionClass::Float,
     decodeMinMax<false>},
    {"max", kHalves, "ftz NaN xorsign abs", InstructionClass::Float,
     decodeMinMax<true>},
    {"abs", kHalves, "ftz", InstructionClass::Float, decodeSign<Abs>},
    {"neg", kHalves, "ftz", InstructionClass::Float, decodeSign<Neg>},
};

InstructionList ptx::halfInstructions() { return kTable; }

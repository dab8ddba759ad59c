// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f32 and f64: add, sub, mul, fma, mad, div, rcp, sqrt, min, max, abs, neg,
// copysign; f32x2 for the first of them.
//
// Results of f32 that are NaN have PTX's one pattern. Nearest rounding without
// .sat goes through loops that vectorise; everything else through `slow`.

#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// aux of the slow way: operation, mode, flags.
constexpr uint32_t kModeShift = 4, kFtz = 1 << 8, kSat = 1 << 9;
/// aux of min and max.
constexpr uint32_t kPropagateNaN = 1, kXorSign = 2, kMinMaxFtz = 4, kMax = 8;

float finish(float x) { return canonical(x); }
double finish(double x) { return x; }

struct Add {
  template <typename T>
  static T apply(T a, T b) {
    return finish(a + b);
  }
};
struct Sub {
  template <typename T>
  static T apply(T a, T b) {
    return finish(a - b);
  }
};
struct Mul {
  template <typename T>
  static T apply(T a, T b) {
    return finish(a * b);
  }
};
struct Div {
  template <typename T>
  static T apply(T a, T b) {
    return finish(a / b);
  }
};
struct Sqrt {
  template <typename T>
  static T apply(T a) {
    return finish(std::sqrt(a));
  }
};
struct Rcp {
  template <typename T>
  static T apply(T a) {
    return finish(T(1) / a);
  }
};
struct Fma {
  template <typename T>
  static T apply(T a, T b, T c) {
    return finish(std::fma(a, b, c));
  }
};
struct FtzAdd {
  static float apply(float a, float b) {
    return flush(Add::apply(flush(a), flush(b)));
  }
};
struct FtzSub {
  static float apply(float a, float b) {
    return flush(Sub::apply(flush(a), flush(b)));
  }
};
struct FtzMul {
  static float apply(float a, float b) {
    return flush(Mul::apply(flush(a), flush(b)));
  }
};

#if defined(__x86_64__)
/// The same loop with the processor's own fma: libm's is a call a lane.
template <typename T, unsigned E>
__attribute__((target("avx2,fma"))) void hardwareFma(Warp &w, const Inst &i,
                                                     uint32_t mask) {
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  const T *c = w.lanes<T>(i.op[3]);
  T r[kWarpSize * E];
  for (unsigned l = 0; l < kWarpSize * E; ++l) {
    T x = __builtin_fma(a[l], b[l], c[l]);
    if constexpr (sizeof(T) == 4) {
      x = __builtin_fmaf(a[l], b[l], c[l]);
      uint32_t bits;
      __builtin_memcpy(&bits, &x, 4);
      bits = __builtin_isnan(x) ? kNaN32 : bits;
      __builtin_memcpy(&x, &bits, 4);
    }
    r[l] = x;
  }
  if (mask == kAllLanes) {
    __builtin_memcpy(d, r, sizeof(r));
    return;
  }
  for (; mask; mask &= mask - 1)
    for (unsigned l = __builtin_ctz(mask) * E, e = 0; e < E; ++e)
      d[l + e] = r[l + e];
}
template <typename T, unsigned E = 1>
Handler fmaHandler() {
  static const bool has =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has ? hardwareFma<T, E> : ternaryHandler<T, Fma, E>;
}
#else
template <typename T, unsigned E = 1>
Handler fmaHandler() {
  return ternaryHandler<T, Fma, E>;
}
#endif

/// Any mode, .ftz and .sat; two elements a lane for f32x2.
template <typename T, unsigned E>
void slow(Warp &w, const Inst &i, uint32_t mask) {
  auto op = static_cast<FloatOp>(i.aux & 15);
  auto mode = static_cast<FloatRounding>(i.aux >> kModeShift & 15);
  bool ftz = i.aux & kFtz, sat = i.aux & kSat;
  auto in = [&](uint32_t slot, unsigned k) {
    T x = slot == kNoSlot ? T(0) : w.lanes<T>(slot)[k];
    if constexpr (sizeof(T) == 4)
      return ftz ? flush(x) : x;
    return x;
  };
  forLanes(mask, [&](unsigned lane) {
    for (unsigned k = lane * E; k < lane * E + E; ++k) {
      T r =
          directed<T>(op, in(i.op[1], k), in(i.op[2], k), in(i.op[3], k), mode);
      if (sat)
        r = saturate(r);
      r = finish(r);
      if constexpr (sizeof(T) == 4)
        r = ftz ? flush(r) : r;
      w.lanes<T>(i.op[0])[k] = r;
    }
  });
}

template <FloatOp Op>
Handler fastHandler(Type t, bool ftz) {
  if (t == Type::F64) {
    if constexpr (Op == FloatOp::Add)
      return binaryHandler<double, Add>;
    else if constexpr (Op == FloatOp::Sub)
      return binaryHandler<double, Sub>;
    else if constexpr (Op == FloatOp::Mul)
      return binaryHandler<double, Mul>;
    else if constexpr (Op == FloatOp::Div)
      return binaryHandler<double, Div>;
    else if constexpr (Op == FloatOp::Sqrt)
      return unaryHandler<double, Sqrt>;
    else
      return fmaHandler<double>();
  }
  if (t == Type::F32x2) {
    if (ftz)
      return slow<float, 2>;
    if constexpr (Op == FloatOp::Add)
      return binaryHandler<float, Add, 2>;
    else if constexpr (Op == FloatOp::Mul)
      return binaryHandler<float, Mul, 2>;
    else if constexpr (Op == FloatOp::Sub)
      return binaryHandler<float, Sub, 2>;
    else
      return fmaHandler<float, 2>();
  }
  if constexpr (Op == FloatOp::Add)
    return ftz ? binaryHandler<float, FtzAdd> : binaryHandler<float, Add>;
  else if constexpr (Op == FloatOp::Sub)
    return ftz ? binaryHandler<float, FtzSub> : binaryHandler<float, Sub>;
  else if constexpr (Op == FloatOp::Mul)
    return ftz ? binaryHandler<float, FtzMul> : binaryHandler<float, Mul>;
  else if constexpr (Op == FloatOp::Div)
    return ftz ? slow<float, 1> : binaryHandler<float, Div>;
  else if constexpr (Op == FloatOp::Sqrt)
    return ftz ? slow<float, 1> : unaryHandler<float, Sqrt>;
  else
    return ftz ? slow<float, 1> : fmaHandler<float>();
}

template <FloatOp Op, unsigned Sources>
void decodeArithmetic(Decoder &d) {
  Type t = d.type();
  if (Sources == 1)
    d.simple(t, {t});
  else if (Sources == 2)
    d.simple(t, {t, t});
  else
    d.simple(t, {t, t, t});
  int mode = d.choice("rn rz rm rp", 0);
  bool ftz = d.has("ftz"), sat = d.has("sat");
  if (t == Type::F64 && (ftz || sat)) {
    d.fail(".ftz and .sat are of f32 only");
    return;
  }
  d.out.aux = static_cast<uint32_t>(Op) |
              static_cast<uint32_t>(mode) << kModeShift | (ftz ? kFtz : 0) |
              (sat ? kSat : 0);
  if (mode == 0 && !sat)
    d.out.exec = fastHandler<Op>(t, ftz);
  else
    d.out.exec = t == Type::F64     ? slow<double, 1>
                 : t == Type::F32x2 ? slow<float, 2>
                                    : slow<float, 1>;
}

/// .approx and .full divide as .rn does (hardware: 2 ulp).
void decodeDiv(Decoder &d) { decodeArithmetic<FloatOp::Div, 2>(d); }

template <typename T>
void reciprocal(Warp &w, const Inst &i, uint32_t mask) {
  auto mode = static_cast<FloatRounding>(i.aux >> kModeShift & 15);
  forLanes(mask, [&](unsigned l) {
    T a = w.lanes<T>(i.op[1])[l];
    if constexpr (sizeof(T) == 4)
      a = i.aux & kFtz ? flush(a) : a;
    T r = finish(directed<T>(FloatOp::Div, T(1), a, T(0), mode));
    if constexpr (sizeof(T) == 4)
      r = i.aux & kFtz ? flush(r) : r;
    w.lanes<T>(i.op[0])[l] = r;
  });
}
void decodeRcp(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t});
  int mode = d.choice("rn rz rm rp", 0);
  d.out.aux =
      static_cast<uint32_t>(mode) << kModeShift | (d.has("ftz") ? kFtz : 0);
  bool fast = mode == 0 && !d.has("ftz");
  if (t == Type::F64)
    d.out.exec = fast ? unaryHandler<double, Rcp> : reciprocal<double>;
  else
    d.out.exec = fast ? unaryHandler<float, Rcp> : reciprocal<float>;
}

template <typename T, typename Bits>
void minMax(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t aux = i.aux;
  mapLanes<1>(
      mask,
      [aux](T a, T b) {
        if constexpr (sizeof(T) == 4)
          if (aux & kMinMaxFtz) {
            a = flush(a);
            b = flush(b);
          }
        Bits sign = Bits(1) << (sizeof(T) * 8 - 1);
        Bits xored = (bitCast<Bits>(a) ^ bitCast<Bits>(b)) & sign;
        if (aux & kXorSign) {
          a = std::fabs(a);
          b = std::fabs(b);
        }
        T r;
        if (std::isnan(a) || std::isnan(b)) {
          if ((aux & kPropagateNaN) || (std::isnan(a) && std::isnan(b))) {
            r = std::isnan(a) ? a : b;
            if constexpr (sizeof(T) == 4)
              return canonical(r);
            return r;
          }
          r = std::isnan(a) ? b : a;
        } else if (a == b) { // -0 is less than +0
          bool negative = aux & kMax ? std::signbit(a) && std::signbit(b)
                                     : std::signbit(a) || std::signbit(b);
          r = std::copysign(a, negative ? T(-1) : T(1));
        } else {
          r = (a < b) != bool(aux & kMax) ? a : b;
        }
        return aux & kXorSign ? bitCast<T>(Bits(bitCast<Bits>(r) | xored)) : r;
      },
      w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<T>(i.op[2]));
}
template <bool IsMax>
void decodeMinMax(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t});
  d.out.aux = (d.has("NaN") ? kPropagateNaN : 0) |
              (d.has("xorsign") ? kXorSign : 0) |
              (d.has("ftz") ? kMinMaxFtz : 0) | (IsMax ? kMax : 0);
  if (d.has("xorsign") != d.has("abs"))
    d.fail(".xorsign and .abs go together");
  d.out.exec =
      t == Type::F32 ? minMax<float, uint32_t> : minMax<double, uint64_t>;
}

struct Abs {
  static uint32_t apply(uint32_t a) { return a & 0x7fffffff; }
  static uint64_t apply(uint64_t a) { return a & ~(uint64_t{1} << 63); }
};
struct Neg {
  static uint32_t apply(uint32_t a) { return a ^ 0x80000000; }
  static uint64_t apply(uint64_t a) { return a ^ uint64_t{1} << 63; }
};
template <typename Op>
struct FtzSign {
  static uint32_t apply(uint32_t a) {
    return Op::apply(bitCast<uint32_t>(flush(bitCast<float>(a))));
  }
};
template <typename Op>
void decodeSign(Decoder &d) {
  d.simple(d.type(), {d.type()});
  if (d.type() == Type::F64)
    d.out.exec = unaryHandler<uint64_t, Op>;
  else
    d.out.exec = d.has("ftz") ? unaryHandler<uint32_t, FtzSign<Op>>
                              : unaryHandler<uint32_t, Op>;
}
/// The sign of a on the magnitude of b.
struct CopySign {
  static uint32_t apply(uint32_t a, uint32_t b) {
    return (a & 0x80000000) | (b & 0x7fffffff);
  }
  static uint64_t apply(uint64_t a, uint64_t b) {
    uint64_t sign = uint64_t{1} << 63;
    return (a & sign) | (b & ~sign);
  }
};
void decodeCopysign(Decoder &d) {
  d.simple(d.type(), {d.type(), d.type()});
  d.out.exec = d.type() == Type::F64 ? binaryHandler<uint64_t, CopySign>
                                     : binaryHandler<uint32_t, CopySign>;
}
} // namespace

static const char kModes[] = "rn rz rm rp ftz sat";

static const InstructionInfo kTable[] = {
    {"add", "f32 f64 f32x2", kModes, InstructionClass::Float,
     decodeArithmetic<FloatOp::Add, 2>},
    {"sub", "f32 f64 f32x2", kModes, InstructionClass::Float,
     decodeArithmetic<FloatOp::Sub, 2>},
    {"mul", "f32 f64 f32x2", kModes, InstructionClass::Float,
     decodeArithmetic<FloatOp::Mul, 2>},
    {"fma", "f32 f64 f32x2", kModes, InstructionClass::Float,
     decodeArithmetic<FloatOp::Fma, 3>},
    {"mad", "f32 f64", kModes, InstructionClass::Float,
     decodeArithmetic<FloatOp::Fma, 3>},
    {"div", "f32 f64", "rn rz rm rp ftz approx full", InstructionClass::Float,
     decodeDiv},
    {"rcp", "f32 f64", "rn rz rm rp ftz", InstructionClass::Float, decodeRcp},
    {"sqrt", "f32 f64", "rn rz rm rp ftz", InstructionClass::Float,
     decodeArithmetic<FloatOp::Sqrt, 1>},
    {"min", "f32 f64", "ftz NaN xorsign abs", InstructionClass::Float,
     decodeMinMax<false>},
    {"max", "f32 f64", "ftz NaN xorsign abs", InstructionClass::Float,
     decodeMinMax<true>},
    {"abs", "f32 f64", "ftz", InstructionClass::Float, decodeSign<Abs>},
    {"neg", "f32 f64", "ftz", InstructionClass::Float, decodeSign<Neg>},
    {"copysign", "f32 f64", "", InstructionClass::Float, decodeCopysign},
};

InstructionList ptx::floatInstructions() { return kTable; }

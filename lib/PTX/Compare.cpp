// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// setp, set, selp, slct, testp.

#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Comparison : uint32_t {
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  Equ,
  Neu,
  Ltu,
  Leu,
  Gtu,
  Geu,
  Num,
  Nan,
};
constexpr char kComparisons[] =
    "eq ne lt le gt ge equ neu ltu leu gtu geu num nan";
constexpr char kUnsignedComparisons[] = "lo ls hi hs";
constexpr char kAllComparisons[] =
    "eq ne lt le gt ge equ neu ltu leu gtu geu num nan lo ls hi hs";

/// aux: comparison, combination with c, flushing of subnormals.
constexpr uint32_t kComparisonMask = 0xff, kCombineShift = 8, kFtz = 1 << 12,
                   kNegated = 1 << 13, kHasC = 1 << 14;

template <typename T>
bool isNaN(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::isnan(x);
  return false;
}

template <typename T>
uint32_t compare(uint32_t op, uint32_t mask, const T *a, const T *b) {
  switch (op) {
  case Eq:
    return testLanes(mask, [](T x, T y) { return x == y; }, a, b);
  case Ne:
    return testLanes(
        mask, [](T x, T y) { return !isNaN(x) && !isNaN(y) && x != y; }, a, b);
  case Lt:
    return testLanes(mask, [](T x, T y) { return x < y; }, a, b);
  case Le:
    return testLanes(mask, [](T x, T y) { return x <= y; }, a, b);
  case Gt:
    return testLanes(mask, [](T x, T y) { return x > y; }, a, b);
  case Ge:
    return testLanes(mask, [](T x, T y) { return x >= y; }, a, b);
  case Equ:
    return testLanes(mask, [](T x, T y) { return !(x < y || x > y); }, a, b);
  case Neu:
    return testLanes(mask, [](T x, T y) { return x != y; }, a, b);
  case Ltu:
    return testLanes(mask, [](T x, T y) { return !(x >= y); }, a, b);
  case Leu:
    return testLanes(mask, [](T x, T y) { return !(x > y); }, a, b);
  case Gtu:
    return testLanes(mask, [](T x, T y) { return !(x <= y); }, a, b);
  case Geu:
    return testLanes(mask, [](T x, T y) { return !(x < y); }, a, b);
  case Num:
    return testLanes(
        mask, [](T x, T y) { return !isNaN(x) && !isNaN(y); }, a, b);
  default:
    return testLanes(mask, [](T x, T y) { return isNaN(x) || isNaN(y); }, a, b);
  }
}

/// Element `half` of the two (or the only) f16 or bf16 of each lane, as f32.
void widen(const uint16_t *in, unsigned elements, unsigned half, bool isBf16,
           float *out) {
  for (unsigned l = 0; l < kWarpSize; ++l) {
    uint16_t h = in[l * elements + half];
    out[l] = isBf16 ? fromBfloat(h) : fromHalf(h);
  }
}

/// The result for the operands in op[2] and op[3] (op[0], op[1] are for p, q).
template <typename T>
uint32_t compareLanes(Warp &w, const Inst &i, uint32_t mask) {
  const T *a = w.lanes<T>(i.op[2]), *b = w.lanes<T>(i.op[3]);
  if constexpr (sizeof(T) == 4 && !std::is_integral_v<T>) {
    if (i.aux & kFtz) {
      T fa[kWarpSize], fb[kWarpSize];
      for (unsigned l = 0; l < kWarpSize; ++l) {
        fa[l] = flush(a[l]);
        fb[l] = flush(b[l]);
      }
      return compare(i.aux & kComparisonMask, mask, fa, fb);
    }
  }
  return compare(i.aux & kComparisonMask, mask, a, b);
}
uint32_t compareHalves(Warp &w, const Inst &i, uint32_t mask, unsigned half,
                       unsigned elements, bool isBf16) {
  float a[kWarpSize], b[kWarpSize];
  widen(w.lanes<uint16_t>(i.op[2]), elements, half, isBf16, a);
  widen(w.lanes<uint16_t>(i.op[3]), elements, half, isBf16, b);
  return compare(i.aux & kComparisonMask, mask, a, b);
}

/// p = r op c, q = !r op c.
void store(Warp &w, const Inst &i, uint32_t mask, uint32_t r, uint32_t q) {
  if (i.aux & kHasC) {
    uint32_t c = w.mask(i.op[4]) ^ (i.aux & kNegated ? ~0u : 0);
    switch (i.aux >> kCombineShift & 3) {
    case 0:
      r &= c, q &= c;
      break;
    case 1:
      r |= c, q |= c;
      break;
    default:
      r ^= c, q ^= c;
    }
  }
  if (i.op[0] != kNoSlot)
    setMask(w.mask(i.op[0]), mask, r);
  if (i.op[1] != kNoSlot)
    setMask(w.mask(i.op[1]), mask, q);
}

template <typename T>
struct SetPredicate {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    uint32_t r = compareLanes<T>(w, i, mask);
    store(w, i, mask, r, ~r);
  };
};
template <bool IsBf16, bool Packed>
void setPredicateHalf(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t r = compareHalves(w, i, mask, 0, Packed ? 2 : 1, IsBf16);
  // Of a pair, p is the low half's and q the high half's.
  uint32_t q = Packed ? compareHalves(w, i, mask, 1, 2, IsBf16) : ~r;
  store(w, i, mask, r, q);
}

Handler predicateHandler(Type t) {
  switch (t) {
  case Type::F32:
    return SetPredicate<float>::handler;
  case Type::F64:
    return SetPredicate<double>::handler;
  case Type::F16:
    return setPredicateHalf<false, false>;
  case Type::BF16:
    return setPredicateHalf<true, false>;
  case Type::F16x2:
    return setPredicateHalf<false, true>;
  case Type::BF16x2:
    return setPredicateHalf<true, true>;
  default:
    return integerHandler<SetPredicate>(t);
  }
}

bool decodeComparison(Decoder &d, Type t) {
  int op = d.choice(kComparisons);
  if (op < 0) {
    int ordered = d.choice(kUnsignedComparisons);
    static const uint32_t map[] = {Lt, Le, Gt, Ge};
    if (ordered >= 0)
      op = static_cast<int>(map[ordered]);
  }
  if (op < 0)
    return d.fail("a comparison is needed");
  if (static_cast<uint32_t>(op) > Ge && !isFloat(t))
    return d.fail("an unordered comparison needs floats");
  d.out.aux = static_cast<uint32_t>(op) | (d.has("ftz") ? kFtz : 0);
  return true;
}

/// The optional third source, combined with the result.
void decodeCombination(Decoder &d, unsigned k) {
  int combine = d.choice("and or xor");
  if ((combine >= 0) != (d.operands() > k)) {
    d.fail("a combination needs a third source, and a third source one");
    return;
  }
  if (combine < 0)
    return;
  bool negated;
  d.out.op[4] = d.predicate(k, negated);
  d.out.aux |= kHasC | static_cast<uint32_t>(combine) << kCombineShift |
               (negated ? kNegated : 0);
}

void decodeSetp(Decoder &d) {
  Type t = d.type();
  if (!d.expectOperands(3, 4) || !decodeComparison(d, t))
    return;
  d.out.op[0] = d.dst(0u, Type::Pred);
  if (!d.operand(0).second.empty())
    d.out.op[1] = d.dst(d.operand(0).second[0], Type::Pred);
  d.out.op[2] = d.src(1, t);
  d.out.op[3] = d.src(2, t);
  decodeCombination(d, 3);
  d.out.exec = predicateHandler(t);
}

/// The words of a true result.
uint32_t truth(Type t) {
  switch (t) {
  case Type::F32:
    return 0x3f800000;
  case Type::F16:
  case Type::F16x2:
    return 0x3c00;
  case Type::BF16:
  case Type::BF16x2:
    return 0x3f80;
  default:
    return ~0u;
  }
}
template <typename T>
struct SetWord {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    uint32_t r = compareLanes<T>(w, i, mask);
    if (i.aux & kHasC) {
      uint32_t c = w.mask(i.op[4]) ^ (i.aux & kNegated ? ~0u : 0);
      uint32_t kind = i.aux >> kCombineShift & 3;
      r = kind == 0 ? r & c : kind == 1 ? r | c : r ^ c;
    }
    forLanes(mask, [&](unsigned l) {
      uint32_t value = r >> l & 1 ? i.aux2 : 0;
      if (i.imm == 2)
        w.lanes<uint16_t>(i.op[0])[l] = static_cast<uint16_t>(value);
      else
        w.lanes<uint32_t>(i.op[0])[l] = value;
    });
  };
};
template <bool IsBf16, bool Packed>
void setHalf(Warp &w, const Inst &i, uint32_t mask) {
  constexpr unsigned elements = Packed ? 2 : 1;
  for (unsigned half = 0; half < elements; ++half) {
    uint32_t r = compareHalves(w, i, mask, half, elements, IsBf16);
    forLanes(mask, [&](unsigned l) {
      uint32_t value = r >> l & 1 ? i.aux2 : 0;
      // imm: bytes of a result element.
      if (i.imm == 2)
        w.lanes<uint16_t>(i.op[0])[l * elements + half] =
            static_cast<uint16_t>(value);
      else
        w.lanes<uint32_t>(i.op[0])[l] = value;
    });
  }
}
void decodeSet(Decoder &d) {
  if (d.typeCount() != 2) {
    d.fail("two types are needed");
    return;
  }
  Type to = d.type(0), t = d.type(1);
  if (!d.expectOperands(3, 4) || !decodeComparison(d, t))
    return;
  bool packed = t == Type::F16x2 || t == Type::BF16x2;
  if (packed && bitWidth(to) != 32) {
    d.fail("a pair is compared into 32 bits");
    return;
  }
  d.out.op[0] = d.dst(0u, to);
  d.out.op[2] = d.src(1, t);
  d.out.op[3] = d.src(2, t);
  d.out.aux2 = truth(to);
  d.out.imm = packed ? 2 : bitWidth(to) / 8;
  bool half = packed || t == Type::F16 || t == Type::BF16;
  if (half && d.operands() > 3) {
    d.fail("a third source is not supported here");
    return;
  }
  decodeCombination(d, 3);
  if (t == Type::F16x2)
    d.out.exec = setHalf<false, true>;
  else if (t == Type::BF16x2)
    d.out.exec = setHalf<true, true>;
  else if (half)
    d.out.exec = t == Type::F16 ? setHalf<false, false> : setHalf<true, false>;
  else if (isFloat(t))
    d.out.exec =
        t == Type::F32 ? SetWord<float>::handler : SetWord<double>::handler;
  else
    d.out.exec = integerHandler<SetWord>(t);
}

template <typename T>
void select(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t p = w.mask(i.op[3]) ^ (i.aux ? ~0u : 0);
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  forLanes(mask, [&](unsigned l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
}
Handler selectHandler(Type t) {
  return bitWidth(t) == 16   ? select<uint16_t>
         : bitWidth(t) == 32 ? select<uint32_t>
                             : select<uint64_t>;
}
void decodeSelp(Decoder &d) {
  Type t = d.type();
  if (!d.expectOperands(4, 4))
    return;
  d.out.op[0] = d.dst(0u, t);
  d.out.op[1] = d.src(1, t);
  d.out.op[2] = d.src(2, t);
  bool negated;
  d.out.op[3] = d.predicate(3, negated);
  d.out.aux = negated;
  d.out.propagates = true;
  d.out.exec = selectHandler(t);
}

/// a where c >= 0, else b; NaN chooses b.
template <typename T, typename C>
void selectSign(Warp &w, const Inst &i, uint32_t mask) {
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  const C *c = w.lanes<C>(i.op[3]);
  forLanes(mask, [&](unsigned l) { d[l] = c[l] >= 0 ? a[l] : b[l]; });
}
void decodeSlct(Decoder &d) {
  Type t = d.type(0), c = d.type(1);
  if (c != Type::S32 && c != Type::F32) {
    d.fail("the second type must be .s32 or .f32");
    return;
  }
  d.simple(t, {t, t, c});
  bool isFloat = c == Type::F32;
  switch (bitWidth(t)) {
  case 16:
    d.out.exec =
        isFloat ? selectSign<uint16_t, float> : selectSign<uint16_t, int32_t>;
    break;
  case 32:
    d.out.exec =
        isFloat ? selectSign<uint32_t, float> : selectSign<uint32_t, int32_t>;
    break;
  default:
    d.out.exec =
        isFloat ? selectSign<uint64_t, float> : selectSign<uint64_t, int32_t>;
  }
}

template <typename T>
void testProperty(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t r = 0;
  const T *a = w.lanes<T>(i.op[1]);
  forLanes(mask, [&](unsigned l) {
    int c = std::fpclassify(a[l]);
    bool holds = false;
    switch (i.aux) {
    case 0:
      holds = c != FP_NAN && c != FP_INFINITE;
      break;
    case 1:
      holds = c == FP_INFINITE;
      break;
    case 2:
      holds = c != FP_NAN;
      break;
    case 3:
      holds = c == FP_NAN;
      break;
    case 4: // zero is normal
      holds = c == FP_NORMAL || c == FP_ZERO;
      break;
    default:
      holds = c == FP_SUBNORMAL;
    }
    r |= uint32_t{holds} << l;
  });
  setMask(w.mask(i.op[0]), mask, r);
}
void decodeTestp(Decoder &d) {
  d.simple(Type::Pred, {d.type()});
  int property = d.choice("finite infinite number notanumber normal subnormal");
  if (property < 0)
    d.fail("a property is needed");
  d.out.aux = static_cast<uint32_t>(property);
  d.out.exec =
      d.type() == Type::F32 ? testProperty<float> : testProperty<double>;
}
} // namespace

static const char kCompared[] = "b16 b32 b64 u16 u32 u64 s16 s32 s64 f16 bf16 "
                                "f16x2 bf16x2 f32 f64";
static const std::string kModifiers =
    std::string(kAllComparisons) + " and or xor ftz";

static const InstructionInfo kTable[] = {
    {"setp", kCompared, kModifiers, InstructionClass::Logic, decodeSetp},
    {"set", kCompared, kModifiers, InstructionClass::Logic, decodeSet},
    {"selp", "b16 b32 b64 u16 u32 u64 s16 s32 s64 f32 f64", "",
     InstructionClass::Logic, decodeSelp},
    {"slct", "b16 b32 b64 u16 u32 u64 s16 s32 s64 f32 f64", "ftz",
     InstructionClass::Logic, decodeSlct},
    {"testp", "f32 f64", "finite infinite number notanumber normal subnormal",
     InstructionClass::Float, decodeTestp},
};

InstructionList ptx::compareInstructions() { return kTable; }

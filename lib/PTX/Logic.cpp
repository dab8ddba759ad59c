// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits: and, or, xor, not, cnot, shl, shr, shf, lop3, prmt, bfe, bfi, bfind,
// brev, popc, clz, fns, bmsk, szext.

#include "Decoder.h"
#include "Lanes.h"

#include <type_traits>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
struct And {
  template <typename T>
  static T apply(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <typename T>
  static T apply(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <typename T>
  static T apply(T a, T b) {
    return a ^ b;
  }
};
struct Not {
  template <typename T>
  static T apply(T a) {
    return static_cast<T>(~a);
  }
};
struct CNot {
  template <typename T>
  static T apply(T a) {
    return a == 0;
  }
};
struct Brev {
  static uint32_t apply(uint32_t a) {
    uint32_t r = 0;
    for (int i = 0; i < 32; ++i)
      r |= (a >> i & 1) << (31 - i);
    return r;
  }
  static uint64_t apply(uint64_t a) {
    return uint64_t{apply(static_cast<uint32_t>(a))} << 32 |
           apply(static_cast<uint32_t>(a >> 32));
  }
};

template <typename Op>
void binaryMask(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t a = w.mask(i.op[1]) ^ (i.aux & 1 ? ~0u : 0);
  uint32_t b = w.mask(i.op[2]) ^ (i.aux & 2 ? ~0u : 0);
  setMask(w.mask(i.op[0]), mask, Op::apply(a, b));
}
void notMask(Warp &w, const Inst &i, uint32_t mask) {
  setMask(w.mask(i.op[0]), mask, ~w.mask(i.op[1]));
}

template <typename Op>
void decodeBitwise(Decoder &d) {
  Type t = d.type();
  if (t == Type::Pred) {
    if (!d.expectOperands(3, 3))
      return;
    bool na, nb;
    d.out.op[0] = d.dst(0u, t);
    d.out.op[1] = d.predicate(1, na);
    d.out.op[2] = d.predicate(2, nb);
    d.out.aux = (na ? 1 : 0) | (nb ? 2 : 0);
    d.out.exec = binaryMask<Op>;
    return;
  }
  d.simple(t, {t, t});
  d.out.exec = t == Type::B16   ? binaryHandler<uint16_t, Op>
               : t == Type::B32 ? binaryHandler<uint32_t, Op>
                                : binaryHandler<uint64_t, Op>;
}
template <typename Op>
void decodeUnary(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t});
  d.out.exec = t == Type::Pred  ? notMask
               : t == Type::B16 ? unaryHandler<uint16_t, Op>
               : t == Type::B32 ? unaryHandler<uint32_t, Op>
                                : unaryHandler<uint64_t, Op>;
}
void decodeBrev(Decoder &d) {
  d.simple(d.type(), {d.type()});
  d.out.exec = d.type() == Type::B32 ? unaryHandler<uint32_t, Brev>
                                     : unaryHandler<uint64_t, Brev>;
}

/// Amounts of the width and more give 0 (or the sign).
template <typename T, bool Left>
struct Shift {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    mapLanes<1>(
        mask,
        [](T a, uint32_t n) {
          constexpr uint32_t bits = sizeof(T) * 8;
          if (Left)
            return static_cast<T>(n < bits ? std::make_unsigned_t<T>(a) << n
                                           : 0);
          if (std::is_signed_v<T>)
            return static_cast<T>(a >> (n < bits ? n : bits - 1));
          return static_cast<T>(n < bits ? a >> n : 0);
        },
        w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<uint32_t>(i.op[2]));
  };
};
template <typename T>
using ShiftLeft = Shift<T, true>;
template <typename T>
using ShiftRight = Shift<T, false>;

template <template <typename> class Make>
void decodeShift(Decoder &d) {
  d.simple(d.type(), {d.type(), Type::B32});
  d.out.exec = integerHandler<Make>(d.type());
}

/// The 64 bits b:a shifted; .l keeps the high word, .r the low one.
template <bool Left, bool Clamp>
struct Funnel {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t n = Clamp ? (c < 32 ? c : 32) : c & 31;
    uint64_t both = uint64_t{b} << 32 | a;
    return static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
  }
};
void decodeFunnel(Decoder &d) {
  Type t = Type::B32;
  d.simple(t, {t, t, t});
  if (d.has("l") == d.has("r") || d.has("clamp") == d.has("wrap"))
    d.fail(".l or .r and .clamp or .wrap are needed");
  if (d.has("l"))
    d.out.exec = d.has("clamp") ? ternaryHandler<uint32_t, Funnel<true, true>>
                                : ternaryHandler<uint32_t, Funnel<true, false>>;
  else
    d.out.exec = d.has("clamp")
                     ? ternaryHandler<uint32_t, Funnel<false, true>>
                     : ternaryHandler<uint32_t, Funnel<false, false>>;
}

/// Bit k of the table is the result where the bits of a, b, c spell k.
void lop3(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t m[8];
  for (unsigned k = 0; k < 8; ++k)
    m[k] = i.aux >> k & 1 ? ~0u : 0;
  mapLanes<1>(
      mask,
      [&m](uint32_t a, uint32_t b, uint32_t c) {
        return (~a & ((~b & ((~c & m[0]) | (c & m[1]))) |
                      (b & ((~c & m[2]) | (c & m[3]))))) |
               (a & ((~b & ((~c & m[4]) | (c & m[5]))) |
                     (b & ((~c & m[6]) | (c & m[7])))));
      },
      w.lanes<uint32_t>(i.op[0]), w.lanes<uint32_t>(i.op[1]),
      w.lanes<uint32_t>(i.op[2]), w.lanes<uint32_t>(i.op[3]));
}
void decodeLop3(Decoder &d) {
  int64_t table;
  if (!d.expectOperands(5, 5) || !d.immediate(4, table))
    return;
  d.out.op[0] = d.dst(0u, Type::B32);
  for (unsigned k = 1; k < 4; ++k)
    d.out.op[k] = d.src(k, Type::B32);
  d.out.aux = static_cast<uint32_t>(table) & 0xff;
  d.out.exec = lop3;
}

/// Picks four of the eight bytes b:a; bit 3 of a selector repeats the sign.
uint32_t permute(uint32_t a, uint32_t b, uint32_t selectors) {
  uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (unsigned k = 0; k < 4; ++k) {
    uint32_t s = selectors >> 4 * k & 15;
    uint32_t byte = bytes >> 8 * (s & 7) & 0xff;
    if (s & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << 8 * k;
  }
  return result;
}
/// The selectors of prmt's modes, by the low two bits of c.
uint32_t permuteSelectors(uint32_t mode, uint32_t c) {
  static const uint32_t table[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543},  // f4e
      {0x5670, 0x6701, 0x7012, 0x0123},  // b4e
      {0x0000, 0x1111, 0x2222, 0x3333},  // rc8
      {0x3210, 0x3211, 0x3222, 0x3333},  // ecl
      {0x0000, 0x1110, 0x2210, 0x3210},  // ecr
      {0x1010, 0x3232, 0x1010, 0x3232}}; // rc16
  return mode == 6 ? c : table[mode][c & 3];
}
void prmt(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t mode = i.aux;
  mapLanes<1>(
      mask,
      [mode](uint32_t a, uint32_t b, uint32_t c) {
        return permute(a, b, permuteSelectors(mode, c));
      },
      w.lanes<uint32_t>(i.op[0]), w.lanes<uint32_t>(i.op[1]),
      w.lanes<uint32_t>(i.op[2]), w.lanes<uint32_t>(i.op[3]));
}
void decodePrmt(Decoder &d) {
  Type t = Type::B32;
  d.simple(t, {t, t, t});
  d.out.aux = static_cast<uint32_t>(d.choice("f4e b4e rc8 ecl ecr rc16", 6));
  d.out.exec = prmt;
}

/// Bits [pos, pos + len) of a; beyond the width the sign (or 0) goes on.
template <typename T>
struct Extract {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    mapLanes<1>(
        mask,
        [](T a, uint32_t pos, uint32_t len) {
          constexpr uint32_t bits = sizeof(T) * 8;
          pos &= 0xff;
          len &= 0xff;
          if (!len)
            return T(0);
          using U = std::make_unsigned_t<T>;
          uint32_t last = pos + len - 1 < bits ? pos + len - 1 : bits - 1;
          U sign = std::is_signed_v<T> ? U(a) >> last & 1 : 0;
          U value = pos < bits ? U(a) >> pos : 0;
          U keep = len >= bits ? U(~U(0)) : U((U(1) << len) - 1);
          // What lies beyond the width is the sign.
          if (pos < bits && pos + len > bits)
            keep = U(~U(0)) >> pos;
          else if (pos >= bits)
            keep = 0;
          return static_cast<T>((value & keep) | (sign ? U(~keep) : U(0)));
        },
        w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<uint32_t>(i.op[2]),
        w.lanes<uint32_t>(i.op[3]));
  };
};
void decodeExtract(Decoder &d) {
  d.simple(d.type(), {d.type(), Type::B32, Type::B32});
  d.out.exec = integerHandler<Extract>(d.type());
}

/// Puts the low `len` bits of a into b at `pos`.
template <typename T>
void insertBits(Warp &w, const Inst &i, uint32_t mask) {
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  const uint32_t *c = w.lanes<uint32_t>(i.op[3]);
  const uint32_t *e = w.lanes<uint32_t>(i.op[4]);
  forLanes(mask, [&](unsigned l) {
    constexpr uint32_t bits = sizeof(T) * 8;
    uint32_t pos = c[l] & 0xff, len = e[l] & 0xff;
    T ones = len >= bits ? T(~T(0)) : T((T(1) << len) - 1);
    T field = pos < bits ? T(ones << pos) : T(0);
    T moved = pos < bits ? T(a[l] << pos) : T(0);
    d[l] = (b[l] & ~field) | (moved & field);
  });
}
void decodeInsert(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t, Type::B32, Type::B32});
  d.out.exec = t == Type::B32 ? insertBits<uint32_t> : insertBits<uint64_t>;
}

template <typename T, typename F>
void countBits(Warp &w, const Inst &i, uint32_t mask, F f) {
  mapLanes<1>(mask, f, w.lanes<uint32_t>(i.op[0]), w.lanes<T>(i.op[1]));
}
template <typename T>
void popc(Warp &w, const Inst &i, uint32_t mask) {
  countBits<T>(w, i, mask, [](T a) {
    return static_cast<uint32_t>(__builtin_popcountll(a));
  });
}
template <typename T>
uint32_t leadingZeros(T a) {
  return a ? static_cast<uint32_t>(__builtin_clzll(a)) - (64 - sizeof(T) * 8)
           : sizeof(T) * 8;
}
template <typename T>
void clz(Warp &w, const Inst &i, uint32_t mask) {
  countBits<T>(w, i, mask, [](T a) { return leadingZeros(a); });
}
/// The position of the highest bit that is not the sign; all ones for none.
template <typename T>
struct FindBit {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    bool amount = i.aux;
    countBits<T>(w, i, mask, [amount](T a) {
      using U = std::make_unsigned_t<T>;
      U bits = a < 0 ? U(~a) : U(a);
      if (!bits)
        return ~0u;
      uint32_t zeros = leadingZeros(bits);
      return amount ? zeros : static_cast<uint32_t>(sizeof(T)) * 8 - 1 - zeros;
    });
  };
};
void decodeCount(Decoder &d, Handler word, Handler pair) {
  d.simple(Type::U32, {d.type()});
  d.out.exec = bitWidth(d.type()) == 32 ? word : pair;
}
void decodePopc(Decoder &d) { decodeCount(d, popc<uint32_t>, popc<uint64_t>); }
void decodeClz(Decoder &d) { decodeCount(d, clz<uint32_t>, clz<uint64_t>); }
void decodeFindBit(Decoder &d) {
  d.simple(Type::U32, {d.type()});
  d.out.aux = d.has("shiftamt");
  d.out.exec = integerHandler<FindBit>(d.type());
}

/// The position of the n-th set bit of `bits` from `base` on (n < 0:
/// downwards), all ones where there is none.
struct FindNthSet {
  static uint32_t apply(uint32_t bits, uint32_t base, uint32_t count) {
    int32_t n = static_cast<int32_t>(count);
    if (base > 31)
      return ~0u;
    if (n == 0)
      return bits >> base & 1 ? base : ~0u;
    int step = n > 0 ? 1 : -1;
    for (int at = static_cast<int>(base); at >= 0 && at < 32; at += step)
      if (bits >> at & 1 && (n -= step) == 0)
        return static_cast<uint32_t>(at);
    return ~0u;
  }
};
/// A mask of b bits from bit a on.
template <bool Clamp>
struct BitMask {
  static uint32_t apply(uint32_t a, uint32_t b) {
    uint32_t pos = Clamp ? a : a & 31, len = Clamp ? b : b & 31;
    if (pos > 31)
      return 0;
    uint32_t ones = len > 31 ? ~0u : (1u << len) - 1;
    return ones << pos;
  }
};
void decodeBitMask(Decoder &d) {
  d.simple(Type::B32, {Type::B32, Type::B32});
  d.out.exec = d.has("clamp") ? binaryHandler<uint32_t, BitMask<true>>
                              : binaryHandler<uint32_t, BitMask<false>>;
}
template <typename T, bool Clamp>
struct SignExtend {
  static T apply(T a, T b) {
    uint32_t n = static_cast<uint32_t>(b);
    if (!Clamp)
      n &= 31;
    if (n == 0)
      return 0;
    if (n > 31)
      return a;
    return static_cast<T>(static_cast<T>(uint32_t(a) << (32 - n)) >> (32 - n));
  }
};
void decodeSignExtend(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, Type::U32});
  bool clamp = d.has("clamp");
  if (t == Type::S32)
    d.out.exec = clamp ? binaryHandler<int32_t, SignExtend<int32_t, true>>
                       : binaryHandler<int32_t, SignExtend<int32_t, false>>;
  else
    d.out.exec = clamp ? binaryHandler<uint32_t, SignExtend<uint32_t, true>>
                       : binaryHandler<uint32_t, SignExtend<uint32_t, false>>;
}
void decodeFns(Decoder &d) {
  Type t = Type::B32;
  d.simple(t, {t, t, t});
  d.out.exec = ternaryHandler<uint32_t, FindNthSet>;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"and", "pred b16 b32 b64", "", InstructionClass::Logic,
     decodeBitwise<And>},
    {"or", "pred b16 b32 b64", "", InstructionClass::Logic, decodeBitwise<Or>},
    {"xor", "pred b16 b32 b64", "", InstructionClass::Logic,
     decodeBitwise<Xor>},
    {"not", "pred b16 b32 b64", "", InstructionClass::Logic, decodeUnary<Not>},
    {"cnot", "b16 b32 b64", "", InstructionClass::Logic, decodeUnary<CNot>},
    {"shl", "b16 b32 b64", "", InstructionClass::Logic, decodeShift<ShiftLeft>},
    {"shr", "b16 b32 b64 u16 u32 u64 s16 s32 s64", "", InstructionClass::Logic,
     decodeShift<ShiftRight>},
    {"shf", "b32", "l r clamp wrap", InstructionClass::Logic, decodeFunnel},
    {"lop3", "b32", "", InstructionClass::Logic, decodeLop3},
    {"prmt", "b32", "f4e b4e rc8 ecl ecr rc16", InstructionClass::Logic,
     decodePrmt},
    {"bfe", "u32 u64 s32 s64", "", InstructionClass::Logic, decodeExtract},
    {"bfi", "b32 b64", "", InstructionClass::Logic, decodeInsert},
    {"bfind", "u32 u64 s32 s64", "shiftamt", InstructionClass::Logic,
     decodeFindBit},
    {"brev", "b32 b64", "", InstructionClass::Logic, decodeBrev},
    {"popc", "b32 b64", "", InstructionClass::Logic, decodePopc},
    {"clz", "b32 b64", "", InstructionClass::Logic, decodeClz},
    {"fns", "b32", "", InstructionClass::Logic, decodeFns},
    {"bmsk", "b32", "clamp wrap", InstructionClass::Logic, decodeBitMask},
    {"szext", "u32 s32", "clamp wrap", InstructionClass::Logic,
     decodeSignExtend},
};

InstructionList ptx::logicInstructions() { return kTable; }

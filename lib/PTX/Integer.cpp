// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// add, sub, mul, mad, div, rem, min, max, abs, neg, sad, mul24, mad24 and the
// dot products of packed bytes.

#include "Decoder.h"
#include "Lanes.h"

#include <limits>
#include <type_traits>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
template <typename T>
using Unsigned = std::make_unsigned_t<T>;

/// The type twice as wide, as signed as T.
template <typename T>
struct WideOf {
  using type = std::conditional_t<
      sizeof(T) == 2,
      std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
      std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
};
__extension__ typedef __int128 Wide64;
__extension__ typedef unsigned __int128 UWide64;
template <>
struct WideOf<int64_t> {
  using type = Wide64;
};
template <>
struct WideOf<uint64_t> {
  using type = UWide64;
};
template <typename T>
using Wide = typename WideOf<T>::type;

struct Add {
  template <typename T>
  static T apply(T a, T b) {
    return static_cast<T>(Unsigned<T>(a) + Unsigned<T>(b));
  }
};
struct Sub {
  template <typename T>
  static T apply(T a, T b) {
    return static_cast<T>(Unsigned<T>(a) - Unsigned<T>(b));
  }
};
struct AddSat {
  static int32_t apply(int32_t a, int32_t b) {
    int32_t r;
    return !__builtin_add_overflow(a, b, &r) ? r
           : a < 0                           ? INT32_MIN
                                             : INT32_MAX;
  }
};
struct SubSat {
  static int32_t apply(int32_t a, int32_t b) {
    int32_t r;
    return !__builtin_sub_overflow(a, b, &r) ? r
           : a < 0                           ? INT32_MIN
                                             : INT32_MAX;
  }
};
struct MulLo {
  template <typename T>
  static T apply(T a, T b) {
    // uint16_t would be multiplied as int and could overflow.
    using U = std::conditional_t<sizeof(T) == 2, uint32_t, Unsigned<T>>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
struct MulHi {
  template <typename T>
  static T apply(T a, T b) {
    return static_cast<T>((Wide<T>(a) * Wide<T>(b)) >> (sizeof(T) * 8));
  }
};
struct MadLo {
  template <typename T>
  static T apply(T a, T b, T c) {
    return Add::apply(MulLo::apply(a, b), c);
  }
};
struct MadHi {
  template <typename T>
  static T apply(T a, T b, T c) {
    return Add::apply(MulHi::apply(a, b), c);
  }
};
struct MadHiSat {
  static int32_t apply(int32_t a, int32_t b, int32_t c) {
    return AddSat::apply(MulHi::apply(a, b), c);
  }
};
/// Division by zero: all ones, as the hardware's sequence gives.
struct Div {
  template <typename T>
  static T apply(T a, T b) {
    if (b == 0)
      return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return Sub::apply(T(0), a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <typename T>
  static T apply(T a, T b) {
    if (b == 0)
      return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <typename T>
  static T apply(T a, T b) {
    return a < b ? a : b;
  }
};
struct Max {
  template <typename T>
  static T apply(T a, T b) {
    return a > b ? a : b;
  }
};
struct MinRelu {
  template <typename T>
  static T apply(T a, T b) {
    return Max::apply(Min::apply(a, b), T(0));
  }
};
struct MaxRelu {
  template <typename T>
  static T apply(T a, T b) {
    return Max::apply(Max::apply(a, b), T(0));
  }
};
struct Abs {
  template <typename T>
  static T apply(T a) {
    return a < 0 ? Sub::apply(T(0), a) : a;
  }
};
struct Neg {
  template <typename T>
  static T apply(T a) {
    return Sub::apply(T(0), a);
  }
};
struct Sad {
  template <typename T>
  static T apply(T a, T b, T c) {
    return Add::apply(c, a < b ? Sub::apply(b, a) : Sub::apply(a, b));
  }
};
/// The low 24 bits of each factor; bits 0..31 or 16..47 of the product.
template <bool High>
struct Mul24 {
  static int64_t product(int32_t a, int32_t b) {
    auto low = [](int32_t x) {
      return static_cast<int64_t>(static_cast<int32_t>(uint32_t(x) << 8) >> 8);
    };
    return low(a) * low(b);
  }
  static int64_t product(uint32_t a, uint32_t b) {
    return static_cast<int64_t>(uint64_t{a & 0xffffff} * (b & 0xffffff));
  }
  template <typename T>
  static T apply(T a, T b) {
    return static_cast<T>(product(a, b) >> (High ? 16 : 0));
  }
  template <typename T>
  static T apply(T a, T b, T c) {
    return Add::apply(apply(a, b), c);
  }
};

template <typename Op>
struct Binary {
  template <typename T>
  struct Of {
    static constexpr Handler handler = binaryHandler<T, Op>;
  };
};
template <typename Op>
struct Unary {
  template <typename T>
  struct Of {
    static constexpr Handler handler = unaryHandler<T, Op>;
  };
};
template <typename Op>
struct Ternary {
  template <typename T>
  struct Of {
    static constexpr Handler handler = ternaryHandler<T, Op>;
  };
};
template <typename T>
struct WideProduct {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    if constexpr (sizeof(T) < 8)
      mapLanes<1>(
          mask, [](T a, T b) { return Wide<T>(a) * Wide<T>(b); },
          w.lanes<Wide<T>>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<T>(i.op[2]));
  };
};
template <typename T>
struct WideMad {
  static constexpr Handler handler = [](Warp &w, const Inst &i, uint32_t mask) {
    if constexpr (sizeof(T) < 8)
      mapLanes<1>(
          mask,
          [](T a, T b, Wide<T> c) {
            return Add::apply(Wide<T>(Wide<T>(a) * Wide<T>(b)), c);
          },
          w.lanes<Wide<T>>(i.op[0]), w.lanes<T>(i.op[1]), w.lanes<T>(i.op[2]),
          w.lanes<Wide<T>>(i.op[3]));
  };
};

Type wider(Type t) {
  switch (t) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  default:
    return Type::S64;
  }
}

template <typename Op>
void decodeBinary(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t});
  if (t == Type::U16x2)
    d.out.exec = binaryHandler<uint16_t, Op, 2>;
  else if (t == Type::S16x2)
    d.out.exec = binaryHandler<int16_t, Op, 2>;
  else
    d.out.exec = integerHandler<Binary<Op>::template Of>(t);
}
template <typename Op, typename Saturated>
void decodeAdd(Decoder &d) {
  decodeBinary<Op>(d);
  if (!d.has("sat"))
    return;
  if (d.type() != Type::S32)
    d.fail(".sat needs .s32");
  d.out.exec = binaryHandler<int32_t, Saturated>;
}
template <typename Op, typename Relu>
void decodeMinMax(Decoder &d) {
  decodeBinary<Op>(d);
  if (!d.has("relu"))
    return;
  if (d.type() == Type::S32)
    d.out.exec = binaryHandler<int32_t, Relu>;
  else if (d.type() == Type::S16x2)
    d.out.exec = binaryHandler<int16_t, Relu, 2>;
  else
    d.fail(".relu needs .s32 or .s16x2");
}
template <typename Op>
void decodeUnary(Decoder &d) {
  d.simple(d.type(), {d.type()});
  d.out.exec = integerHandler<Unary<Op>::template Of>(d.type());
}
void decodeMul(Decoder &d) {
  Type t = d.type();
  if (d.has("wide")) {
    if (bitWidth(t) == 64) {
      d.fail(".wide needs 16 or 32 bits");
      return;
    }
    d.simple(wider(t), {t, t});
    d.out.exec = integerHandler<WideProduct>(t);
    return;
  }
  d.simple(t, {t, t});
  if (d.has("hi") == d.has("lo"))
    d.fail("one of .hi, .lo and .wide is needed");
  d.out.exec = d.has("hi") ? integerHandler<Binary<MulHi>::Of>(t)
                           : integerHandler<Binary<MulLo>::Of>(t);
}
void decodeMad(Decoder &d) {
  Type t = d.type();
  if (d.has("wide")) {
    if (bitWidth(t) == 64) {
      d.fail(".wide needs 16 or 32 bits");
      return;
    }
    d.simple(wider(t), {t, t, wider(t)});
    d.out.exec = integerHandler<WideMad>(t);
    return;
  }
  d.simple(t, {t, t, t});
  if (d.has("hi") == d.has("lo"))
    d.fail("one of .hi, .lo and .wide is needed");
  d.out.exec = d.has("hi") ? integerHandler<Ternary<MadHi>::Of>(t)
                           : integerHandler<Ternary<MadLo>::Of>(t);
  if (d.has("sat")) {
    if (t != Type::S32 || !d.has("hi"))
      d.fail(".sat needs .hi.s32");
    d.out.exec = ternaryHandler<int32_t, MadHiSat>;
  }
}
void decodeSad(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t, t});
  d.out.exec = integerHandler<Ternary<Sad>::Of>(t);
}
template <bool Mad>
void decodeMul24(Decoder &d) {
  Type t = d.type();
  bool high = d.has("hi");
  if constexpr (Mad) {
    d.simple(t, {t, t, t});
    d.out.exec = t == Type::U32 ? high ? ternaryHandler<uint32_t, Mul24<true>>
                                       : ternaryHandler<uint32_t, Mul24<false>>
                 : high         ? ternaryHandler<int32_t, Mul24<true>>
                                : ternaryHandler<int32_t, Mul24<false>>;
  } else {
    d.simple(t, {t, t});
    d.out.exec = t == Type::U32 ? high ? binaryHandler<uint32_t, Mul24<true>>
                                       : binaryHandler<uint32_t, Mul24<false>>
                 : high         ? binaryHandler<int32_t, Mul24<true>>
                                : binaryHandler<int32_t, Mul24<false>>;
  }
}

/// dp4a: four products of bytes; dp2a: two of 16-bit halves with two bytes.
template <typename A, typename B, bool Two, bool High>
struct Dot {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t sum = c;
    for (unsigned k = 0; k < (Two ? 2 : 4); ++k) {
      unsigned shiftB = 8 * (Two && High ? k + 2 : k);
      int32_t x =
          Two ? static_cast<
                    std::conditional_t<std::is_signed_v<A>, int16_t, uint16_t>>(
                    a >> 16 * k)
              : static_cast<A>(a >> 8 * k);
      int32_t y = static_cast<B>(b >> shiftB);
      sum += static_cast<uint32_t>(x * y);
    }
    return sum;
  }
};
template <bool Two, bool High>
Handler dotHandler(bool signedA, bool signedB) {
  if (signedA)
    return signedB ? ternaryHandler<uint32_t, Dot<int8_t, int8_t, Two, High>>
                   : ternaryHandler<uint32_t, Dot<int8_t, uint8_t, Two, High>>;
  return signedB ? ternaryHandler<uint32_t, Dot<uint8_t, int8_t, Two, High>>
                 : ternaryHandler<uint32_t, Dot<uint8_t, uint8_t, Two, High>>;
}
template <bool Two>
void decodeDot(Decoder &d) {
  if (d.typeCount() != 2) {
    d.fail("two types are needed");
    return;
  }
  d.simple(Type::B32, {Type::B32, Type::B32, Type::B32});
  bool a = isSigned(d.type(0)), b = isSigned(d.type(1));
  if (!Two)
    d.out.exec = dotHandler<false, false>(a, b);
  else if (d.has("hi") == d.has("lo"))
    d.fail("one of .lo and .hi is needed");
  else
    d.out.exec = d.has("hi") ? dotHandler<true, true>(a, b)
                             : dotHandler<true, false>(a, b);
}
} // namespace

static const char kAll[] = "u16 s16 u32 s32 u64 s64";
static const char kPacked[] = "u16 s16 u32 s32 u64 s64 u16x2 s16x2";

static const InstructionInfo kTable[] = {
    {"add", kPacked, "sat", InstructionClass::Integer, decodeAdd<Add, AddSat>},
    {"sub", kAll, "sat", InstructionClass::Integer, decodeAdd<Sub, SubSat>},
    {"mul", kAll, "lo hi wide", InstructionClass::Integer, decodeMul},
    {"mad", kAll, "lo hi wide sat", InstructionClass::Integer, decodeMad},
    {"div", kAll, "", InstructionClass::Integer, decodeBinary<Div>},
    {"rem", kAll, "", InstructionClass::Integer, decodeBinary<Rem>},
    {"min", kPacked, "relu", InstructionClass::Integer,
     decodeMinMax<Min, MinRelu>},
    {"max", kPacked, "relu", InstructionClass::Integer,
     decodeMinMax<Max, MaxRelu>},
    {"abs", "s16 s32 s64", "", InstructionClass::Integer, decodeUnary<Abs>},
    {"neg", "s16 s32 s64", "", InstructionClass::Integer, decodeUnary<Neg>},
    {"sad", kAll, "", InstructionClass::Integer, decodeSad},
    {"mul24", "u32 s32", "lo hi", InstructionClass::Integer,
     decodeMul24<false>},
    {"mad24", "u32 s32", "lo hi", InstructionClass::Integer, decodeMul24<true>},
    {"dp4a", "u32 s32", "", InstructionClass::Integer, decodeDot<false>},
    {"dp2a", "u32 s32", "lo hi", InstructionClass::Integer, decodeDot<true>},
};

InstructionList ptx::integerInstructions() { return kTable; }

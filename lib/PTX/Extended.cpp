// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic with a carry: add.cc, addc, sub.cc, subc, mad.cc, madc. The carry
// flag of a warp is a predicate that its frame keeps as an extra register.

#include "Decoder.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Flags : uint32_t { UsesCarry = 1, SetsCarry = 2, Subtract = 4, High = 8 };

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

/// d = a + b + carry, or a - b - borrow (the flag then means a borrow).
template <typename T>
void addCarry(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t &carry = w.mask(i.op[5]);
  uint32_t next = 0;
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  forLanes(mask, [&](unsigned l) {
    T in = (i.aux & UsesCarry) ? carry >> l & 1 : 0;
    T partial, sum;
    bool out;
    if (i.aux & Subtract) {
      out = __builtin_sub_overflow(a[l], b[l], &partial);
      out |= __builtin_sub_overflow(partial, in, &sum);
    } else {
      out = __builtin_add_overflow(a[l], b[l], &partial);
      out |= __builtin_add_overflow(partial, in, &sum);
    }
    d[l] = sum;
    next |= uint32_t{out} << l;
  });
  if (i.aux & SetsCarry)
    setMask(carry, mask, next);
}

/// S is signed where the high half of the product depends on it.
template <typename T, typename S, typename Product>
void madCarry(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t &carry = w.mask(i.op[5]);
  uint32_t next = 0;
  T *d = w.lanes<T>(i.op[0]);
  const T *a = w.lanes<T>(i.op[1]), *b = w.lanes<T>(i.op[2]);
  const T *c = w.lanes<T>(i.op[3]);
  forLanes(mask, [&](unsigned l) {
    Product full = static_cast<Product>(static_cast<S>(a[l])) *
                   static_cast<Product>(static_cast<S>(b[l]));
    T half = static_cast<T>(i.aux & High ? full >> (sizeof(T) * 8) : full);
    T in = (i.aux & UsesCarry) ? carry >> l & 1 : 0;
    T partial, sum;
    bool out = __builtin_add_overflow(half, c[l], &partial);
    out |= __builtin_add_overflow(partial, in, &sum);
    d[l] = sum;
    next |= uint32_t{out} << l;
  });
  if (i.aux & SetsCarry)
    setMask(carry, mask, next);
}

template <uint32_t Kind>
void decodeAddCarry(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t});
  d.out.op[5] = 0; // the flag is the first word of a frame
  d.out.aux = Kind | (d.has("cc") ? SetsCarry : 0);
  d.out.exec = bitWidth(t) == 64 ? addCarry<uint64_t> : addCarry<uint32_t>;
}

template <uint32_t Kind>
void decodeMadCarry(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t, t, t});
  d.out.op[5] = 0;
  d.out.aux = Kind | (d.has("cc") ? SetsCarry : 0) | (d.has("hi") ? High : 0);
  if (d.has("hi") == d.has("lo"))
    d.fail("one of .lo and .hi is needed");
  switch (t) {
  case Type::U32:
    d.out.exec = madCarry<uint32_t, uint32_t, uint64_t>;
    break;
  case Type::S32:
    d.out.exec = madCarry<uint32_t, int32_t, int64_t>;
    break;
  case Type::U64:
    d.out.exec = madCarry<uint64_t, uint64_t, UInt128>;
    break;
  default:
    d.out.exec = madCarry<uint64_t, int64_t, Int128>;
  }
}
} // namespace

static const char kWords[] = "u32 s32 u64 s64";

static const InstructionInfo kTable[] = {
    {"add", kWords, "cc", InstructionClass::Integer, decodeAddCarry<0>},
    {"addc", kWords, "cc", InstructionClass::Integer,
     decodeAddCarry<UsesCarry>},
    {"sub", kWords, "cc", InstructionClass::Integer, decodeAddCarry<Subtract>},
    {"subc", kWords, "cc", InstructionClass::Integer,
     decodeAddCarry<Subtract | UsesCarry>},
    {"mad", kWords, "lo hi cc", InstructionClass::Integer, decodeMadCarry<0>},
    {"madc", kWords, "lo hi cc", InstructionClass::Integer,
     decodeMadCarry<UsesCarry>},
};

InstructionList ptx::extendedInstructions() { return kTable; }

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mma.sync: the maps from registers to matrix elements.
//
// With g = lane / 4, t = lane mod 4 and P elements a 32-bit register:
//   A (m x k): register r holds row g + 8 (r mod 2), columns t P + i + 4 P
//              (r / 2); of m8 shapes register 0 only
//   B (k x n): register r holds rows t P + i + 4 P r of column g
//   C, D:      element j holds row g + 8 (j / 2), column 2 t + j mod 2
// which is every fragment of the ISA's tables but m8n8k4 of f16.

#include "Decoder.h"
#include "Lanes.h"
#include "MatrixProduct.h"

#include <type_traits>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// Registers of each operand, as they follow each other in the list: D A B C.
struct Counts {
  unsigned d, a, b, c;
};
/// 32-bit registers; f64 elements have one of 64 bits each.
Counts countsOf(const MatrixShape &s, Type a, Type b, Type c, Type d) {
  auto registers = [](unsigned elements, Type t) {
    unsigned bits = elementBits(t);
    unsigned whole = bits == 64 ? 64 : 32;
    return elements * bits / (kWarpSize * whole);
  };
  return {registers(s.m * s.n, d), registers(s.m * s.k, a),
          registers(s.n * s.k, b), registers(s.m * s.n, c)};
}

/// Element `i` of a lane's register.
uint64_t element(Warp &w, uint32_t slot, unsigned lane, unsigned i,
                 unsigned bits) {
  if (bits == 64)
    return w.lanes<uint64_t>(slot)[lane];
  uint32_t word = w.lanes<uint32_t>(slot)[lane];
  return bits == 32 ? word : word >> i * bits & ((1u << bits) - 1);
}

template <unsigned bits>
void unpackA(Warp &w, const uint32_t *slots, unsigned count, unsigned k,
             uint64_t *codes) {
  constexpr unsigned perRegister = bits == 64 ? 1 : 32 / bits;
  for (unsigned r = 0; r < count; ++r)
    for (unsigned l = 0; l < kWarpSize; ++l)
      for (unsigned i = 0; i < perRegister; ++i) {
        unsigned half = count > 1 ? r % 2 : 0, step = r / 2;
#if QDIALECT_MUTATE == 35 // the quadrants of A in the order of B
        if (count == 4)
          std::swap(half, step);
#endif
        unsigned row = l / 4 + 8 * half;
        unsigned column = l % 4 * perRegister + i + 4 * perRegister * step;
        codes[row * k + column] = element(w, slots[r], l, i, bits);
      }
}
template <unsigned bits>
void unpackB(Warp &w, const uint32_t *slots, unsigned count, unsigned k,
             uint64_t *codes) {
  constexpr unsigned perRegister = bits == 64 ? 1 : 32 / bits;
  for (unsigned r = 0; r < count; ++r)
    for (unsigned l = 0; l < kWarpSize; ++l)
      for (unsigned i = 0; i < perRegister; ++i)
        codes[l / 4 * k + l % 4 * perRegister + i + 4 * perRegister * r] =
            element(w, slots[r], l, i, bits);
}
/// Calls f with the width of an element as a constant.
template <typename F>
void withBits(unsigned bits, F f) {
  switch (bits) {
  case 1:
    return f(std::integral_constant<unsigned, 1>());
  case 4:
    return f(std::integral_constant<unsigned, 4>());
  case 8:
    return f(std::integral_constant<unsigned, 8>());
  case 16:
    return f(std::integral_constant<unsigned, 16>());
  case 32:
    return f(std::integral_constant<unsigned, 32>());
  default:
    return f(std::integral_constant<unsigned, 64>());
  }
}
void unpackC(Warp &w, const uint32_t *slots, unsigned count, unsigned bits,
             uint64_t *codes) {
  unsigned perRegister = bits == 16 ? 2 : 1;
  for (unsigned r = 0; r < count; ++r)
    for (unsigned l = 0; l < kWarpSize; ++l)
      for (unsigned i = 0; i < perRegister; ++i) {
        unsigned j = r * perRegister + i;
        codes[(l / 4 + 8 * (j / 2)) * 8 + l % 4 * 2 + j % 2] =
            element(w, slots[r], l, i, bits);
      }
}
void packD(Warp &w, const uint32_t *slots, unsigned count, unsigned bits,
           const uint64_t *codes) {
  for (unsigned r = 0; r < count; ++r) {
    if (slots[r] == kNoSlot)
      continue;
    for (unsigned l = 0; l < kWarpSize; ++l) {
      auto code = [&](unsigned j) {
        return codes[(l / 4 + 8 * (j / 2)) * 8 + l % 4 * 2 + j % 2];
      };
      if (bits == 64)
        w.lanes<uint64_t>(slots[r])[l] = code(r);
      else if (bits == 32)
        w.lanes<uint32_t>(slots[r])[l] = static_cast<uint32_t>(code(r));
      else
        w.lanes<uint32_t>(slots[r])[l] =
            static_cast<uint32_t>(code(2 * r) | code(2 * r + 1) << 16);
    }
  }
}

/// aux: types; aux2: m, k, flags.
void mma(Warp &w, const Inst &i, uint32_t mask) {
  if (!w.convergeAll(i, mask))
    return;
  static thread_local MatrixOperands o;
  o.d = static_cast<Type>(i.aux & 0xff);
  o.a = static_cast<Type>(i.aux >> 8 & 0xff);
  o.b = static_cast<Type>(i.aux >> 16 & 0xff);
  o.c = static_cast<Type>(i.aux >> 24);
  o.shape = {i.aux2 & 0xff, 8, i.aux2 >> 8 & 0xfff};
  o.saturate = i.aux2 >> 20 & 1;
  o.useAnd = i.aux2 >> 21 & 1;
  Counts counts = countsOf(o.shape, o.a, o.b, o.c, o.d);
  const uint32_t *slots = &w.frame().code->pool[i.list];
  withBits(elementBits(o.a), [&](auto bits) {
    unpackA<bits>(w, slots + counts.d, counts.a, o.shape.k, o.codesA);
    unpackB<bits>(w, slots + counts.d + counts.a, counts.b, o.shape.k,
                  o.codesB);
  });
  unpackC(w, slots + counts.d + counts.a + counts.b, counts.c, bitWidth(o.c),
          o.codesC);
  multiply(o);
  packD(w, slots, counts.d, bitWidth(o.d), o.codesD);
}

/// The shapes of the ISA: k is 4 or 8 registers' elements wide.
bool validShape(const MatrixShape &s, Type a) {
  unsigned bits = elementBits(a);
  unsigned wide = bits == 64 ? 4 : 4 * (32 / bits);
  if (bits == 64)
    return (s.m == 8 && s.k == 4) ||
           (s.m == 16 && (s.k == 4 || s.k == 8 || s.k == 16));
  if (s.m == 8)
    return s.k == wide && bits <= 8 && a != Type::E4M3 && a != Type::E5M2;
  return s.m == 16 && (s.k == wide || s.k == 2 * wide);
}

bool validTypes(Type a, Type b, Type c, Type d) {
  auto isByte = [](Type t) { return t == Type::S8 || t == Type::U8; };
  auto isNibble = [](Type t) { return t == Type::S4 || t == Type::U4; };
  auto isFp8 = [](Type t) { return t == Type::E4M3 || t == Type::E5M2; };
  if ((isByte(a) && isByte(b)) || (isNibble(a) && isNibble(b)) ||
      (a == Type::B1 && b == a))
    return c == Type::S32 && d == Type::S32;
  if ((a == Type::F16 && b == a) || (isFp8(a) && isFp8(b)))
    return (c == Type::F16 || c == Type::F32) &&
           (d == Type::F16 || d == Type::F32);
  if ((a == Type::BF16 || a == Type::TF32) && b == a)
    return c == Type::F32 && d == Type::F32;
  return a == Type::F64 && b == a && c == a && d == a;
}

void decodeMma(Decoder &d) {
  MatrixShape shape;
  for (std::string_view text :
       {"m8n8k4", "m8n8k16", "m8n8k32", "m8n8k128", "m16n8k4", "m16n8k8",
        "m16n8k16", "m16n8k32", "m16n8k64", "m16n8k128", "m16n8k256"})
    if (d.has(text))
      shape = parseShape(text);
  if (d.typeCount() != 4 || !d.expectOperands(4, 4) || !d.has("row") ||
      !d.has("col")) {
    d.fail("a shape, .row.col and four types are needed");
    return;
  }
  Type td = d.type(0), ta = d.type(1), tb = d.type(2), tc = d.type(3);
  bool isBit = ta == Type::B1;
  if (!shape.m || !validShape(shape, ta) || !validTypes(ta, tb, tc, td) ||
      isBit != d.has("popc") || (isBit && d.has("and") == d.has("xor"))) {
    d.fail("this shape does not exist for these types");
    return;
  }
  Counts counts = countsOf(shape, ta, tb, tc, td);
  unsigned sizes[] = {counts.d, counts.a, counts.b, counts.c};
  Type types[] = {td, ta, tb, tc};
  std::vector<uint32_t> slots;
  for (unsigned k = 0; k < 4; ++k) {
    const Operand &o = d.operand(k);
    std::vector<Operand> registers =
        o.kind == Operand::Vector ? o.elements : std::vector<Operand>{o};
    if (registers.size() != sizes[k]) {
      d.fail("operand " + std::to_string(k + 1) + " has " +
             std::to_string(registers.size()) + " registers, expected " +
             std::to_string(sizes[k]));
      return;
    }
    Type t = bitWidth(types[k]) == 64 ? Type::F64 : Type::B32;
    for (const Operand &r : registers)
      slots.push_back(k ? d.src(r, t) : d.dst(r, t));
  }
  d.list(slots);
  d.out.aux = static_cast<uint32_t>(td) | static_cast<uint32_t>(ta) << 8 |
              static_cast<uint32_t>(tb) << 16 | static_cast<uint32_t>(tc) << 24;
  d.out.aux2 = shape.m | shape.k << 8 | (d.has("satfinite") ? 1u << 20 : 0) |
               (d.has("and") ? 1u << 21 : 0);
  d.out.exec = mma;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"mma", "f16 bf16 tf32 f32 f64 e4m3 e5m2 s8 u8 s4 u4 b1 s32",
     "sync aligned row col satfinite xor and popc m8n8k4 m8n8k16 m8n8k32 "
     "m8n8k128 m16n8k4 m16n8k8 m16n8k16 m16n8k32 m16n8k64 m16n8k128 "
     "m16n8k256",
     InstructionClass::Matrix, decodeMma},
};

InstructionList ptx::matrixInstructions() { return kTable; }

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wmma.load, wmma.mma, wmma.store.
//
// The ISA leaves the map from registers to elements open, so any will do that
// all three share: the elements of a matrix in row-major order, an equal run
// for each lane. A fragment of f16 has twice the registers it needs; the second
// half is not used.

#include "Access.h"
#include "Decoder.h"
#include "Lanes.h"
#include "MatrixProduct.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Role : uint32_t { A, B, C, D };

/// Where an element of a fragment lies in memory and in the lanes.
struct Fragment {
  unsigned rows, columns, bits;
  unsigned perLane() const { return rows * columns / kWarpSize; }
};
Fragment fragmentOf(const MatrixShape &s, uint32_t role, Type t) {
  unsigned bits = elementBits(t);
  if (role == A)
    return {s.m, s.k, bits};
  if (role == B)
    return {s.k, s.n, bits};
  return {s.m, s.n, bits};
}
unsigned registersOf(const Fragment &f, uint32_t role, Type t) {
  if (t == Type::F16 && role < C)
    return 8;
  unsigned whole = f.bits == 64 ? 64 : 32;
  return f.perLane() * f.bits / whole;
}

uint64_t get(Warp &w, const uint32_t *slots, unsigned lane, unsigned i,
             unsigned bits) {
  if (bits == 64)
    return w.lanes<uint64_t>(slots[i])[lane];
  unsigned perRegister = 32 / bits;
  uint32_t word = w.lanes<uint32_t>(slots[i / perRegister])[lane];
  return bits == 32 ? word
                    : word >> i % perRegister * bits & ((1u << bits) - 1);
}
void put(Warp &w, const uint32_t *slots, unsigned lane, unsigned i,
         unsigned bits, uint64_t code) {
  if (bits == 64) {
    w.lanes<uint64_t>(slots[i])[lane] = code;
    return;
  }
  unsigned perRegister = 32 / bits;
  uint32_t &word = w.lanes<uint32_t>(slots[i / perRegister])[lane];
  if (bits == 32) {
    word = static_cast<uint32_t>(code);
    return;
  }
  unsigned shift = i % perRegister * bits;
  word = (word & ~(((1u << bits) - 1) << shift)) | static_cast<uint32_t>(code)
                                                       << shift;
}

/// The lane that moves an element and its address; lanes of one warp take
/// turns, an element (or a byte of packed ones) each.
template <typename Move>
void eachElement(Warp &w, const Inst &i, const Fragment &f, Move move) {
  bool columnMajor = i.aux2 >> 28 & 1;
  for (unsigned r = 0; r < f.rows; ++r)
    for (unsigned c = 0; c < f.columns; ++c) {
      unsigned index = r * f.columns + c;
      unsigned lane = index / f.perLane();
      uint64_t base = i.aux & kAddress32 ? w.lanes<uint32_t>(i.op[1])[lane]
                                         : w.lanes<uint64_t>(i.op[1])[lane];
      base += static_cast<uint64_t>(i.imm);
      uint64_t stride = i.op[2] == kNoSlot ? (columnMajor ? f.rows : f.columns)
                                           : w.lanes<uint32_t>(i.op[2])[lane];
      uint64_t at = columnMajor ? c * stride + r : r * stride + c;
      if (!move(lane, index % f.perLane(), base + at * f.bits / 8,
                static_cast<unsigned>(at * f.bits % 8)))
        return;
    }
}

MatrixShape shapeOf(const Inst &i) {
  return {i.aux2 & 0xff, i.aux2 >> 8 & 0xff, i.aux2 >> 16 & 0xff};
}

template <bool Store>
void transfer(Warp &w, const Inst &i, uint32_t mask) {
  if (!w.convergeAll(i, mask))
    return;
  Type t = static_cast<Type>(i.aux & 0xff);
  uint32_t role = i.aux >> 8 & 0xf;
  Fragment f = fragmentOf(shapeOf(i), role, t);
  const uint32_t *slots = &w.frame().code->pool[i.list];
  unsigned bytes = (f.bits + 7) / 8;
  if (!Store) // elements of a byte or less are put in one by one
    for (unsigned k = 0; k < i.listSize && f.bits < 64; ++k)
      std::memset(w.lanes<uint32_t>(slots[k]), 0, kWarpSize * 4);
  uint64_t moved = 0;
  eachElement(
      w, i, f, [&](unsigned lane, unsigned k, uint64_t at, unsigned shift) {
        Access access;
        if (!resolveLane(w, i, lane, i.space, at, bytes, bytes, Store, access))
          return false;
        uint64_t code = Store ? get(w, slots, lane, k, f.bits) : 0;
        if (w.checks())
          checkLane(w, i, lane, access, bytes,
                    Store ? AccessKind::Write : AccessKind::Read,
                    Store ? reinterpret_cast<uint8_t *>(&code) : nullptr);
        if (Store) {
          std::memcpy(access.host[lane], &code, bytes);
        } else {
          std::memcpy(&code, access.host[lane], bytes);
          if (f.bits < 8)
            code = code >> shift & ((1u << f.bits) - 1);
          put(w, slots, lane, k, f.bits, code);
        }
        moved += bytes;
        return true;
      });
  if (w.block->launch->config->count)
    w.block->site(i).bytes += moved;
}

void product(Warp &w, const Inst &i, uint32_t mask) {
  if (!w.convergeAll(i, mask))
    return;
  static thread_local MatrixOperands o;
  o.d = static_cast<Type>(i.aux & 0xff);
  o.a = static_cast<Type>(i.aux >> 8 & 0xff);
  o.b = static_cast<Type>(i.aux >> 16 & 0xff);
  o.c = static_cast<Type>(i.aux >> 24);
  o.shape = shapeOf(i);
  o.saturate = i.aux2 >> 29 & 1;
  o.useAnd = i.aux2 >> 30 & 1;
  const uint32_t *slots = &w.frame().code->pool[i.list];
  Type types[] = {o.d, o.a, o.b, o.c};
  uint32_t roles[] = {D, A, B, C};
  const uint32_t *parts[4];
  for (unsigned p = 0; p < 4; ++p) {
    parts[p] = slots;
    slots += registersOf(fragmentOf(o.shape, roles[p], types[p]), roles[p],
                         types[p]);
  }
  for (unsigned p = 1; p < 4; ++p) {
    Fragment f = fragmentOf(o.shape, roles[p], types[p]);
    uint64_t *codes = p == 1 ? o.codesA : p == 2 ? o.codesB : o.codesC;
    for (unsigned e = 0; e < f.rows * f.columns; ++e) {
      // B is kept by column.
      unsigned at = p == 2 ? e % f.columns * f.rows + e / f.columns : e;
      codes[at] = get(w, parts[p], e / f.perLane(), e % f.perLane(), f.bits);
    }
  }
  multiply(o);
  Fragment f = fragmentOf(o.shape, D, o.d);
  for (unsigned e = 0; e < f.rows * f.columns; ++e)
    put(w, parts[0], e / f.perLane(), e % f.perLane(), f.bits, o.codesD[e]);
}

bool appendRegisters(Decoder &d, unsigned k, const MatrixShape &shape,
                     uint32_t role, Type t, bool isDestination,
                     std::vector<uint32_t> &slots) {
  const Operand &o = d.operand(k);
  std::vector<Operand> registers =
      o.kind == Operand::Vector ? o.elements : std::vector<Operand>{o};
  unsigned want = registersOf(fragmentOf(shape, role, t), role, t);
  if (registers.size() != want)
    return d.fail("operand " + std::to_string(k + 1) + " has " +
                  std::to_string(registers.size()) + " registers, expected " +
                  std::to_string(want));
  Type word = bitWidth(t) == 64 ? Type::F64 : Type::B32;
  for (const Operand &r : registers)
    slots.push_back(isDestination ? d.dst(r, word) : d.src(r, word));
  return true;
}

bool validShape(const MatrixShape &s, Type t) {
  auto is = [&](unsigned m, unsigned n, unsigned k) {
    return s.m == m && s.n == n && s.k == k;
  };
  switch (t) {
  case Type::TF32:
    return is(16, 16, 8);
  case Type::F64:
    return is(8, 8, 4);
  case Type::S4:
  case Type::U4:
    return is(8, 8, 32);
  case Type::B1:
    return is(8, 8, 128);
  default:
    return is(16, 16, 16) || is(32, 8, 16) || is(8, 32, 16);
  }
}

void decodeWmma(Decoder &d) {
  MatrixShape shape;
  for (std::string_view text : {"m16n16k16", "m32n8k16", "m8n32k16", "m16n16k8",
                                "m8n8k4", "m8n8k32", "m8n8k128"})
    if (d.has(text))
      shape = parseShape(text);
  uint32_t packed = shape.m | shape.n << 8 | shape.k << 16;
  std::vector<uint32_t> slots;
  if (d.has("mma")) {
    if ((d.typeCount() != 2 && d.typeCount() != 4) || !d.expectOperands(4, 4) ||
        !shape.m) {
      d.fail("a shape and two or four types are needed");
      return;
    }
    bool isHalf = d.typeCount() == 2; // of f16 only D and C are named
    Type td = d.type(0), ta = isHalf ? Type::F16 : d.type(1);
    Type tb = isHalf ? Type::F16 : d.type(2), tc = d.type(isHalf ? 1 : 3);
    if (!validShape(shape, ta) || elementBits(ta) != elementBits(tb)) {
      d.fail("this shape does not exist for these types");
      return;
    }
    if (!appendRegisters(d, 0, shape, D, td, true, slots) ||
        !appendRegisters(d, 1, shape, A, ta, false, slots) ||
        !appendRegisters(d, 2, shape, B, tb, false, slots) ||
        !appendRegisters(d, 3, shape, C, tc, false, slots))
      return;
    d.list(slots);
    d.out.aux = static_cast<uint32_t>(td) | static_cast<uint32_t>(ta) << 8 |
                static_cast<uint32_t>(tb) << 16 |
                static_cast<uint32_t>(tc) << 24;
    d.out.aux2 = packed | (d.has("satfinite") ? 1u << 29 : 0) |
                 (d.has("and") ? 1u << 30 : 0);
    d.out.exec = product;
    return;
  }
  bool store = d.has("store");
  int role = d.choice("a b c d");
  if (role < 0 || store != (role == D) || !shape.m || d.typeCount() != 1 ||
      !d.expectOperands(2, 3) ||
      (role < static_cast<int>(C) && !validShape(shape, d.type())) ||
      shape.m * shape.n < kWarpSize) {
    d.fail("a matrix, a shape and a type are needed");
    return;
  }
  if (!appendRegisters(d, store ? 1 : 0, shape, static_cast<uint32_t>(role),
                       d.type(), !store, slots))
    return;
  d.list(slots);
  Space space = d.choice("shared shared::cta") >= 0 ? Space::Shared
                : d.has("global")                   ? Space::Global
                                                    : Space::Generic;
  d.out.op[1] = d.address(store ? 0 : 1, space);
  if (d.operands() == 3)
    d.out.op[2] = d.src(2u, Type::U32);
  d.out.aux |= static_cast<uint32_t>(d.type()) | static_cast<uint32_t>(role)
                                                     << 8;
  d.out.aux2 = packed | (d.has("col") ? 1u << 28 : 0);
  d.out.exec = store ? transfer<true> : transfer<false>;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"wmma", "f16 bf16 tf32 f32 f64 s8 u8 s4 u4 b1 s32",
     "load store mma a b c d sync aligned row col satfinite xor and popc "
     "m16n16k16 m32n8k16 m8n32k16 m16n16k8 m8n8k4 m8n8k32 m8n8k128 global "
     "shared shared::cta",
     InstructionClass::Matrix, decodeWmma},
};

InstructionList ptx::wmmaInstructions() { return kTable; }

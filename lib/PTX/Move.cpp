// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mov with its packing and unpacking forms, cvta, isspacep.

#include "Decoder.h"
#include "Lanes.h"
#include "Special.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
template <typename T>
void move(Warp &w, const Inst &i, uint32_t mask) {
  mapLanes<1>(
      mask, [](T a) { return a; }, w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]));
}
void moveMask(Warp &w, const Inst &i, uint32_t mask) {
  setMask(w.mask(i.op[0]), mask, w.mask(i.op[1]) ^ (i.aux ? ~0u : 0));
}
struct Pair {
  uint64_t low, high;
};
void moveSpecial(Warp &w, const Inst &i, uint32_t mask) {
  const SpecialRegister &special = specialRegister(i.aux);
  forLanes(mask, [&](unsigned l) {
    uint64_t value = special.value(w, l);
    if (i.aux2 == 8)
      w.lanes<uint64_t>(i.op[0])[l] = value;
    else
      w.lanes<uint32_t>(i.op[0])[l] = static_cast<uint32_t>(value);
  });
}

/// The list's elements (aux bytes each, aux2 from lane to lane) from or into
/// one register of op[0], imm bytes a lane.
template <bool Pack>
void repack(Warp &w, const Inst &i, uint32_t mask) {
  const uint32_t *slots = &w.frame().code->pool[i.list];
  forLanes(mask, [&](unsigned l) {
    uint8_t whole[16] = {};
    uint8_t *one = w.base + i.op[0] + l * i.imm;
    if (!Pack)
      std::memcpy(whole, one, i.imm);
    for (unsigned k = 0; k < i.listSize; ++k) {
      if (slots[k] == kNoSlot)
        continue;
      uint8_t *element = w.base + slots[k] + l * i.aux2;
      if (Pack)
        std::memcpy(whole + k * i.aux, element, i.aux);
      else
        std::memcpy(element, whole + k * i.aux, i.aux);
    }
    if (Pack)
      std::memcpy(one, whole, i.imm);
  });
}

Type elementType(unsigned bits) {
  return bits == 8    ? Type::B8
         : bits == 16 ? Type::B16
         : bits == 32 ? Type::B32
                      : Type::B64;
}

void decodeRepack(Decoder &d, unsigned listed) {
  Type t = d.type();
  const Operand &vector = d.operand(listed);
  unsigned count = static_cast<unsigned>(vector.elements.size());
  if ((count != 2 && count != 4) || bitWidth(t) / count < 8) {
    d.fail("a list of " + std::to_string(count) + " elements does not fit");
    return;
  }
  Type element = elementType(bitWidth(t) / count);
  bool pack = listed == 1;
  std::vector<uint32_t> slots;
  for (const Operand &o : vector.elements)
    slots.push_back(pack ? d.src(o, element, true) : d.dst(o, element, true));
  d.out.op[0] = pack ? d.dst(0u, t) : d.src(1u, t);
  d.list(slots);
  d.out.aux = byteWidth(element);
  d.out.aux2 = laneBytes(bitWidth(element));
  d.out.imm = laneBytes(bitWidth(t));
  d.out.exec = pack ? repack<true> : repack<false>;
}

void decodeMove(Decoder &d) {
  Type t = d.type();
  if (!d.expectOperands(2, 2))
    return;
  d.out.propagates = true;
  for (unsigned k = 0; k < 2; ++k)
    if (d.operand(k).kind == Operand::Vector)
      return decodeRepack(d, k);
  const Operand &source = d.operand(1);
  if (t == Type::Pred) {
    bool negated;
    d.out.op[0] = d.dst(0u, t);
    d.out.op[1] = d.predicate(1, negated);
    d.out.aux = negated;
    d.out.exec = moveMask;
    return;
  }
  d.out.op[0] = d.dst(0u, t);
  const SpecialRegister *special = source.kind == Operand::Symbol
                                       ? findSpecialRegister(source.text)
                                       : nullptr;
  if (special && special->changes) {
    d.out.aux = numberOf(*special);
    d.out.aux2 = byteWidth(t);
    d.out.exec = moveSpecial;
    return;
  }
  d.out.op[1] = d.src(1u, t);
  switch (bitWidth(t)) {
  case 16:
    d.out.exec = move<uint16_t>;
    break;
  case 32:
    d.out.exec = move<uint32_t>;
    break;
  case 64:
    d.out.exec = move<uint64_t>;
    break;
  case 128:
    d.out.exec = move<Pair>;
    break;
  }
}

/// d = a + imm: generic addresses of shared and local memory lie in windows.
template <typename T>
void shiftAddress(Warp &w, const Inst &i, uint32_t mask) {
  T offset = static_cast<T>(i.imm);
  mapLanes<1>(
      mask, [offset](T a) { return static_cast<T>(a + offset); },
      w.lanes<T>(i.op[0]), w.lanes<T>(i.op[1]));
}
void decodeCvta(Decoder &d) {
  d.simple(d.type(), {d.type()});
  uint64_t window = d.choice("shared shared::cta shared::cluster") >= 0
                        ? kSharedWindow
                    : d.has("local") ? kLocalWindow
                                     : 0;
  // Parameters of a function lie in its local memory.
  if ((d.has("param") || d.has("param::func")) && !d.code.function->isEntry)
    window = kLocalWindow;
  d.out.imm = static_cast<int64_t>(d.has("to") ? 0 - window : window);
  d.out.propagates = true;
  if (bitWidth(d.type()) != 64 && window) {
    d.fail("generic addresses have 64 bits");
    return;
  }
  d.out.exec = bitWidth(d.type()) == 64 ? shiftAddress<uint64_t>
                                        : shiftAddress<uint32_t>;
}

void isSpace(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t r = testLanes(
      mask,
      [&](uint64_t a) {
        bool shared = a - kSharedWindow < kWindowSize;
        bool local = a - kLocalWindow < kWindowSize;
        return i.aux == 0 ? shared : i.aux == 1 ? local : !shared && !local;
      },
      w.lanes<uint64_t>(i.op[1]));
  setMask(w.mask(i.op[0]), mask, r);
}
void decodeIsspacep(Decoder &d) {
  d.simple(Type::Pred, {Type::U64});
  int space = d.choice("shared shared::cta shared::cluster local global const");
  if (space < 0) {
    d.fail("a state space is needed");
    return;
  }
  d.out.aux = space < 3 ? 0 : space == 3 ? 1 : 2;
  d.out.exec = isSpace;
}
} // namespace

static const char kSpaces[] = "to global shared shared::cta shared::cluster "
                              "local const param param::entry param::func";

static const InstructionInfo kTable[] = {
    {"mov", "pred b16 b32 b64 b128 u16 u32 u64 s16 s32 s64 f16 bf16 f32 f64",
     "", InstructionClass::Move, decodeMove},
    {"cvta", "u32 u64", kSpaces, InstructionClass::Move, decodeCvta},
    {"isspacep", "", "shared shared::cta shared::cluster local global const",
     InstructionClass::Move, decodeIsspacep},
};

InstructionList ptx::moveInstructions() { return kTable; }

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bra, brx, call, ret, exit, trap and the instructions that do nothing here.

#include "Calls.h"
#include "Decoder.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
void bra(Warp &w, const Inst &i, uint32_t mask) { w.branch(mask, i.aux); }
void decodeBra(Decoder &d) {
  if (!d.expectOperands(0, 0))
    return;
  d.out.aux = static_cast<uint32_t>(d.in->target);
  d.out.exec = bra;
}

/// Lanes go where their index says; an index beyond the table is a fault.
void brx(Warp &w, const Inst &i, uint32_t mask) {
  const uint32_t *table = &w.frame().code->pool[i.list];
  const uint32_t *index = w.lanes<uint32_t>(i.op[1]);
  uint32_t next = w.pc, others = w.active & ~mask;
  w.active = 0;
  if (others)
    w.wait(next, others, false);
  forLanes(mask, [&](unsigned l) {
    if (index[l] >= i.listSize) {
      w.fault(i, FindingKind::OutOfBounds,
              w.describe(l) + " branches to entry " + std::to_string(index[l]) +
                  " of " + std::to_string(i.listSize));
      return;
    }
    w.wait(table[index[l]], 1u << l, false);
  });
  w.event |= Warp::Switched;
  w.reschedule();
}
void decodeBrx(Decoder &d) {
  if (!d.has("idx") || !d.expectOperands(1, 1))
    return;
  d.out.op[1] = d.src(0u, Type::U32);
  std::vector<uint32_t> table;
  for (int target : d.in->targets)
    table.push_back(static_cast<uint32_t>(target));
  d.list(table);
  d.out.exec = brx;
}

void ret(Warp &w, const Inst &, uint32_t mask) {
  w.leave(mask, w.frames.size() == 1);
}
void exitThreads(Warp &w, const Inst &, uint32_t mask) { w.leave(mask, true); }
void decodeRet(Decoder &d) {
  if (d.expectOperands(0, 0))
    d.out.exec = ret;
}
void decodeExit(Decoder &d) {
  if (d.expectOperands(0, 0))
    d.out.exec = exitThreads;
}

void trap(Warp &w, const Inst &i, uint32_t mask) {
  w.fault(i, FindingKind::Trap,
          w.describe(static_cast<uint32_t>(__builtin_ctz(mask))) +
              " executes a trap");
}
void decodeTrap(Decoder &d) { d.out.exec = trap; }

void nothing(Warp &, const Inst &, uint32_t) {}
void decodeNothing(Decoder &d) { d.out.exec = nothing; }
} // namespace

Inst ptx::finalReturn(unsigned line) {
  Inst inst;
  inst.exec = ret;
  inst.group = InstructionClass::Control;
  inst.line = line;
  return inst;
}

static const InstructionInfo kTable[] = {
    {"bra", "", "uni", InstructionClass::Control, decodeBra},
    {"brx", "", "idx uni", InstructionClass::Control, decodeBrx},
    {"call", "", "uni", InstructionClass::Control, decodeCall},
    {"ret", "", "uni", InstructionClass::Control, decodeRet},
    {"exit", "", "", InstructionClass::Control, decodeExit},
    {"trap", "", "", InstructionClass::Control, decodeTrap},
    {"brkpt", "", "", InstructionClass::Control, decodeTrap},
    {"nanosleep", "u32", "", InstructionClass::Control, decodeNothing},
    {"pmevent", "", "mask", InstructionClass::Control, decodeNothing},
    {"griddepcontrol", "", "launch_dependents wait", InstructionClass::Control,
     decodeNothing},
    {"setmaxnreg", "u32", "inc dec sync aligned", InstructionClass::Control,
     decodeNothing},
};

InstructionList ptx::controlInstructions() { return kTable; }

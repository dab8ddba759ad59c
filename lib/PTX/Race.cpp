// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checkers of memory: races, uninitialised bytes, unfinished cp.async.

#include "Access.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// What is wrong with a byte, if anything.
enum class Fault : uint8_t {
  None,
  Uninitialized,
  Pending,
  WriteAfterWrite,
  ReadAfterWrite,
  WriteAfterRead,
};

struct Checker {
  const Warp &warp;
  unsigned lane;
  AccessKind kind;
  Stamp stamp;
  /// Of the access that collides, for the message.
  Stamp other = 0;
  uint32_t otherBlock = 0;

  /// Whether an access of this block lies before the present one.
  bool ordered(Stamp s) const {
    uint32_t who = stampWarp(s);
    if (who == warp.index) {
#if QDIALECT_MUTATE == 33 // lanes of one instruction never race
      return true;
#endif
      return stampLane(s) == lane || stampTime(s) < warp.intra;
    }
    return stampTime(s) <= warp.clock[who];
  }
  bool ordered(Stamp s, uint32_t block) const {
    if (block == warp.block->linear)
      return ordered(s);
    auto it = warp.known.find(block);
    return it != warp.known.end() && stampWarp(s) < it->second.size() &&
           stampTime(s) <= it->second[stampWarp(s)];
  }

  template <typename Ordered>
  Fault step(Cell &cell, bool sameValue, Ordered isOrdered);
  Fault shared(Cell &cell, bool sameValue) {
    return step(cell, sameValue, [&](unsigned, Stamp s) { return ordered(s); });
  }
  Fault global(GlobalCell &g, bool sameValue);
};
} // namespace

/// `isOrdered(which, stamp)`: which 0 is the write, 1 and 2 are the reads.
template <typename Ordered>
Fault Checker::step(Cell &cell, bool sameValue, Ordered isOrdered) {
  bool strong = isStrong(kind);
  Fault fault = Fault::None;
  if (cell.flags & Cell::Pending)
    fault = Fault::Pending;
  else if (kind != AccessKind::Write && kind != AccessKind::StrongWrite &&
           kind != AccessKind::Poison && !(cell.flags & Cell::Initialized))
    fault = Fault::Uninitialized;
  bool strongPair = strong && (cell.flags & Cell::StrongWrite);
  if (cell.write && !strongPair && !sameValue && !isOrdered(0, cell.write) &&
      fault == Fault::None) {
    fault = writes(kind) ? Fault::WriteAfterWrite : Fault::ReadAfterWrite;
    other = cell.write;
  }
  if (!writes(kind)) {
    // Keep two reads by different warps; the older one leaves.
    unsigned slot = !cell.read[0] || stampWarp(cell.read[0]) == warp.index ? 0
                    : !cell.read[1] || stampWarp(cell.read[1]) == warp.index ||
                            stampTime(cell.read[1]) < stampTime(cell.read[0])
                        ? 1
                        : 0;
    // Another lane's read of the same time must not be forgotten when this
    // lane is the one that writes later: the second slot holds it.
    if (slot == 0 && cell.read[0] && stampLane(cell.read[0]) != lane &&
        stampTime(cell.read[0]) == stampTime(stamp) && !cell.read[1])
      slot = 1;
    cell.read[slot] = stamp;
    uint32_t flag = slot ? Cell::StrongRead1 : Cell::StrongRead0;
    cell.flags = strong ? cell.flags | flag : cell.flags & ~flag;
    return fault;
  }
  for (unsigned r = 0; r < 2 && fault == Fault::None && !sameValue; ++r) {
    bool strongRead =
        strong && (cell.flags & (r ? Cell::StrongRead1 : Cell::StrongRead0));
    if (cell.read[r] && !strongRead && !isOrdered(1 + r, cell.read[r])) {
      fault = Fault::WriteAfterRead;
      other = cell.read[r];
    }
  }
  cell.write = stamp;
  cell.read[0] = cell.read[1] = 0;
  cell.flags = Cell::Initialized | (strong ? Cell::StrongWrite : 0) |
               (kind == AccessKind::Poison ? Cell::Pending : 0);
  return fault;
}

Fault Checker::global(GlobalCell &g, bool sameValue) {
  uint32_t launch = warp.block->launch->number;
  if (g.launch != launch) {
    g.cell.write = g.cell.read[0] = g.cell.read[1] = 0;
    g.launch = launch;
  }
  Stamp before[2] = {g.cell.read[0], g.cell.read[1]};
  Fault fault = step(g.cell, sameValue, [&](unsigned which, Stamp s) {
    otherBlock = which == 0 ? g.writeBlock : g.readBlock[which - 1];
    return ordered(s, otherBlock);
  });
  if (writes(kind))
    g.writeBlock = warp.block->linear;
  for (unsigned r = 0; r < 2; ++r)
    if (g.cell.read[r] != before[r] && g.cell.read[r])
      g.readBlock[r] = warp.block->linear;
  return fault;
}

static void tell(Warp &w, const Inst &inst, const Checker &c, Fault fault,
                 Space space, uint64_t address) {
  char where[64];
  std::snprintf(where, sizeof(where), "%s address 0x%llx",
                std::string(name(space)).c_str(),
                static_cast<unsigned long long>(address));
  std::string who = w.describe(c.lane);
  std::string partner =
      " of block " + std::to_string(c.otherBlock) + " thread " +
      std::to_string(stampWarp(c.other) * kWarpSize + stampLane(c.other));
  switch (fault) {
  case Fault::Uninitialized:
    w.report(inst, FindingKind::Uninitialized,
             who + " reads " + where + ", which was never written");
    break;
  case Fault::Pending:
    w.report(inst, FindingKind::AsyncCopy,
             who + (writes(c.kind) ? " writes " : " reads ") + where +
                 ", the destination of a cp.async that was not waited for");
    break;
  case Fault::WriteAfterWrite:
    w.report(inst, FindingKind::Race,
             who + " writes " + where + " unordered with a write" + partner);
    break;
  case Fault::ReadAfterWrite:
    w.report(inst, FindingKind::Race,
             who + " reads " + where + " unordered with a write" + partner);
    break;
  case Fault::WriteAfterRead:
    w.report(inst, FindingKind::Race,
             who + " writes " + where + " unordered with a read" + partner);
    break;
  case Fault::None:
    break;
  }
}

void ptx::checkLane(Warp &w, const Inst &inst, unsigned lane,
                    const Access &access, unsigned bytes, AccessKind kind,
                    const uint8_t *values) {
  Space space = access.space[lane];
  if (space == Space::Local)
    return;
  uint64_t address = access.address[lane];
  Checker c{w, lane, kind, makeStamp(w.time, w.index, lane)};
  c.otherBlock = w.block->linear;
  Fault first = Fault::None;
  uint64_t where = 0;
  // Bytes mostly come in runs of one history: what became of the byte before
  // becomes of the next.
  auto walk = [&](auto *cells, auto step) {
    auto before = cells[0];
    auto after = cells[0];
    bool sameBefore = false, isClean = false;
    for (unsigned k = 0; k < bytes; ++k) {
      bool same = values && values[k] == access.host[lane][k];
      if (isClean && same == sameBefore && cells[k] == before) {
        cells[k] = after;
        continue;
      }
      before = cells[k];
      sameBefore = same;
      Fault fault = step(cells[k], same);
      after = cells[k];
      isClean = fault == Fault::None;
      if (!isClean && first == Fault::None) {
        first = fault;
        where = address + k;
      }
    }
  };
  if (space == Space::Shared) {
    walk(&w.block->shadow[address],
         [&](Cell &cell, bool same) { return c.shared(cell, same); });
  } else if (Allocation *a = access.allocation[lane]; a && a->shadow) {
    uint64_t offset = address - a->base;
    std::lock_guard<std::mutex> lock(a->shadow->mutexOf(offset));
    // An aligned access never leaves its page.
    walk(&a->shadow->cell(offset),
         [&](GlobalCell &cell, bool same) { return c.global(cell, same); });
  }
  if (first != Fault::None)
    tell(w, inst, c, first, space, where);
}

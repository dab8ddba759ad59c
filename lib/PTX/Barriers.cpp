// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bar and barrier (sync, arrive, red), bar.warp.sync, membar, fence.
//
// A barrier belongs to whole warps: every thread of a warp must come together,
// for barrier.sync without .aligned too.

#include "Decoder.h"
#include "Lanes.h"
#include "Ordering.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Kind : uint32_t { Sync, RedAnd, RedOr, RedPopc, Arrive };

void barrier(Warp &w, const Inst &i, uint32_t mask) {
  if (!w.convergeAll(i, mask))
    return;
  Block &block = *w.block;
  unsigned first = static_cast<unsigned>(__builtin_ctz(mask));
  uint32_t id = w.lanes<uint32_t>(i.op[1])[first];
  uint32_t expected =
      i.op[2] == kNoSlot ? kNoSlot : w.lanes<uint32_t>(i.op[2])[first];
  bool bad = id >= 16;
  forLanes(mask, [&](unsigned l) {
    bad |= w.lanes<uint32_t>(i.op[1])[l] != id;
    bad |= i.op[2] != kNoSlot && w.lanes<uint32_t>(i.op[2])[l] != expected;
  });
  if (bad || (expected != kNoSlot && (expected % kWarpSize || !expected))) {
    w.fault(i, FindingKind::Divergence,
            w.describe(first) + ": barrier " + std::to_string(id) + " with " +
                std::to_string(expected) +
                " threads: 0 to 15, the same in a warp, and multiples of 32");
    return;
  }
  Barrier &b = block.barriers[id];
  if (!b.arrivedThreads) {
    b.expected = expected;
  } else if (b.expected != expected) {
    w.fault(i, FindingKind::Divergence,
            w.describe(first) + ": barrier " + std::to_string(id) +
                " is waited for with different thread counts");
    return;
  }
  b.arrivedThreads += expected == kNoSlot
                          ? static_cast<uint32_t>(__builtin_popcount(mask))
                          : kWarpSize;
  WarpTimes own = w.clock;
  own[w.index] = w.time;
  join(b.clock, own);
  join(b.known, w.known);
  if (i.aux2 >= RedAnd && i.aux2 <= RedPopc) {
    uint32_t p = (w.mask(i.op[3]) ^ (i.aux ? ~0u : 0)) & mask;
    b.andValue &= p == mask;
    b.orValue |= p != 0;
    b.popc += static_cast<uint32_t>(__builtin_popcount(p));
  }
  if (i.aux2 == Arrive) {
    w.time = ++block.now;
  } else {
    b.waiting.push_back(&w);
    w.barrier = id;
    w.barrierInst = &i;
    w.event |= Warp::Blocked;
    // The loop leaves before it notes what this writes.
    if (i.aux2 != Sync && w.checks()) {
      const Code &code = *w.frame().code;
      for (uint32_t k = 0; k < i.writeCount; ++k)
        w.frame().initialized[code.pool[i.writes + k]] |= mask;
    }
  }
  block.release(b);
}

void decodeBarrier(Decoder &d) {
  if (d.has("arrive")) {
    if (!d.expectOperands(2, 2))
      return;
    d.out.aux2 = Arrive;
  } else if (d.has("red")) {
    static const Kind kinds[] = {RedAnd, RedOr, RedPopc};
    int op = d.choice("and or popc");
    if (op < 0 || !d.expectOperands(3, 4)) {
      d.fail(".and.pred, .or.pred or .popc.u32 is needed");
      return;
    }
    d.out.aux2 = kinds[op];
    d.out.op[0] = d.dst(0u, op < 2 ? Type::Pred : Type::U32);
    d.out.op[1] = d.src(1u, Type::U32);
    if (d.operands() == 4)
      d.out.op[2] = d.src(2u, Type::U32);
    bool negated;
    d.out.op[3] = d.predicate(d.operands() - 1, negated);
    d.out.aux = negated;
    d.out.exec = barrier;
    return;
  } else if (!d.has("sync") || !d.expectOperands(1, 2)) {
    d.fail(".sync, .arrive or .red is needed");
    return;
  }
  d.out.op[1] = d.src(0u, Type::U32);
  if (d.operands() == 2)
    d.out.op[2] = d.src(1u, Type::U32);
  d.out.exec = barrier;
}

/// bar.warp.sync: the named lanes meet and see each other's accesses.
void warpSync(Warp &w, const Inst &i, uint32_t mask) {
  unsigned first = static_cast<unsigned>(__builtin_ctz(mask));
  uint32_t members = w.lanes<uint32_t>(i.op[1])[first] & w.exists;
  if (!w.converge(i, mask, members))
    return;
  w.time = ++w.block->now;
  w.intra = w.time;
}
void decodeBar(Decoder &d) {
  if (!d.has("warp")) {
    decodeBarrier(d);
    return;
  }
  if (!d.has("sync") || !d.expectOperands(1, 1))
    return;
  d.out.op[1] = d.src(0u, Type::B32);
  d.out.exec = warpSync;
}

void fenceAll(Warp &w, const Inst &, uint32_t) {
  if (w.checks())
    fence(w);
}
void decodeFence(Decoder &d) { d.out.exec = fenceAll; }
} // namespace

static const InstructionInfo kTable[] = {
    {"bar", "? u32 pred", "sync arrive red and or popc cta warp",
     InstructionClass::Barrier, decodeBar},
    {"barrier", "? u32 pred", "sync arrive red and or popc cta aligned",
     InstructionClass::Barrier, decodeBarrier},
    {"membar", "", "cta gl sys", InstructionClass::Barrier, decodeFence},
    {"fence", "",
     "sc acq_rel acquire release cta cluster gpu sys mbarrier_init proxy async "
     "alias sync_restrict::shared::cluster async::global async::shared::cta "
     "async::shared::cluster",
     InstructionClass::Barrier, decodeFence},
};

InstructionList ptx::barrierInstructions() { return kTable; }

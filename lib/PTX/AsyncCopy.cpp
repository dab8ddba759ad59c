// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async, its groups and waits; see the header.

#include "AsyncCopy.h"
#include "Access.h"
#include "Decoder.h"
#include "Lanes.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr uint8_t kPoison = 0xcb;

void land(Warp &w, const PendingCopy &copy) {
  Block &block = *w.block;
  uint8_t *target = block.shared + copy.shared;
  std::memset(target, 0, copy.bytes);
  if (copy.sourceBytes)
    if (Allocation *a =
            block.launch->memory->find(copy.source, copy.sourceBytes))
      std::memcpy(target, a->bytes.get() + (copy.source - a->base),
                  copy.sourceBytes);
  if (!w.checks())
    return;
  for (unsigned k = 0; k < copy.bytes; ++k) {
    Cell &cell = block.shadow[copy.shared + k];
    cell = Cell();
    cell.write = makeStamp(w.time, w.index, copy.lane);
    cell.flags = Cell::Initialized;
  }
}

/// Lands the copies of `lanes` whose group is below `limit[lane]`.
template <typename Limit>
void landGroups(Warp &w, uint32_t lanes, Limit limit) {
  size_t kept = 0;
  for (size_t k = 0; k < w.copies.size(); ++k) {
    PendingCopy &copy = w.copies[k];
    bool due = lanes >> copy.lane & 1 && !copy.isArrival &&
               copy.group < limit(copy.lane);
    if (due)
      land(w, copy);
    else
      w.copies[kept++] = copy;
  }
  w.copies.resize(kept);
}

void copyAsync(Warp &w, const Inst &i, uint32_t mask) {
  unsigned bytes = i.aux & 0xff;
  Inst side = i;
  Access to, from;
  side.space = Space::Shared;
  if (!resolve(w, side, mask, i.op[0], bytes, true, to))
    return;
  side.space = Space::Global;
  side.imm = static_cast<int32_t>(i.aux2);
  side.aux &= ~kAddress32;
  // Bytes of the source that count; the rest of the destination is zero.
  uint32_t sizes[kWarpSize];
  uint32_t reading = 0;
  forLanes(mask, [&](unsigned l) {
    sizes[l] = bytes;
    if (i.op[2] != kNoSlot)
      sizes[l] = std::min(w.lanes<uint32_t>(i.op[2])[l], bytes);
    if (i.op[3] != kNoSlot && (w.mask(i.op[3]) ^ i.listSize) >> l & 1)
      sizes[l] = 0;
    reading |= uint32_t{sizes[l] != 0} << l;
  });
  const uint64_t *source = w.lanes<uint64_t>(i.op[1]);
  forLanes(mask, [&](unsigned l) {
    uint64_t at = source[l] + static_cast<uint64_t>(side.imm);
    from.address[l] = at;
    from.space[l] = Space::Global;
    if ((reading >> l & 1) && !resolveLane(w, side, l, Space::Global, at,
                                           sizes[l], bytes, false, from))
      reading &= ~(1u << l);
  });
  if (w.event & Warp::Stopped)
    return;
  const LaunchConfig &config = *w.block->launch->config;
  if (config.count) {
    countAccess(w, i, mask, to, bytes);
    if (reading)
      countAccess(w, i, reading, from, bytes);
  }
  forLanes(mask, [&](unsigned l) {
    if (config.check) {
      if (reading >> l & 1)
        checkLane(w, i, l, from, sizes[l], AccessKind::Read, nullptr);
      checkLane(w, i, l, to, bytes, AccessKind::Poison, nullptr);
    }
    std::memset(to.host[l], kPoison, bytes);
    w.copies.push_back({l, w.committed[l], static_cast<uint32_t>(to.address[l]),
                        bytes, reading >> l & 1 ? sizes[l] : 0, from.address[l],
                        0, false, false});
  });
}

void commit(Warp &w, const Inst &, uint32_t mask) {
  forLanes(mask, [&](unsigned l) { ++w.committed[l]; });
}
void waitGroup(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t left = i.aux;
#if QDIALECT_MUTATE == 34 // one group fewer stays under way
  left -= left != 0;
#endif
  landGroups(w, mask, [&](unsigned l) {
    return w.committed[l] > left ? w.committed[l] - left : 0;
  });
}
void waitAll(Warp &w, const Inst &, uint32_t mask) {
  landGroups(w, mask, [](unsigned) { return ~0u; });
}

void arriveAsync(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  if (!resolve(w, i, mask, i.op[0], 8, true, access))
    return;
  forLanes(mask, [&](unsigned l) {
    uint64_t at = access.address[l];
    if (!i.aux2)
      addPending(*w.block, at);
    w.copies.push_back({l, w.committed[l], 0, 0, 0, 0, at, true, i.aux2 != 0});
  });
}

void decodeCopy(Decoder &d) {
  if (d.has("commit_group")) {
    d.out.exec = commit;
    return;
  }
  if (d.has("wait_all")) {
    d.out.exec = waitAll;
    return;
  }
  if (d.has("wait_group")) {
    int64_t left;
    if (!d.expectOperands(1, 1) || !d.immediate(0, left))
      return;
    d.out.aux = static_cast<uint32_t>(left);
    d.out.exec = waitGroup;
    return;
  }
  int64_t bytes;
  unsigned hint = d.has("L2::cache_hint") ? 1 : 0;
  if (!d.has("async") || d.has("ca") == d.has("cg")) {
    d.fail(".ca or .cg is needed");
    return;
  }
  if (!d.expectOperands(3, 4 + hint) || !d.immediate(2, bytes))
    return;
  if (bytes != 16 && (d.has("cg") || (bytes != 4 && bytes != 8))) {
    d.fail(std::to_string(bytes) + " bytes cannot be copied");
    return;
  }
  uint32_t aux = 0;
  d.out.op[1] = d.address(1, Space::Global);
  if (d.out.aux & kAddress32)
    d.fail("the source's address has 64 bits");
  d.out.aux2 = static_cast<uint32_t>(d.out.imm);
  d.out.aux = 0;
  d.out.op[0] = d.address(0, Space::Shared);
  aux = d.out.aux;
  if (d.operands() > 3 + hint) {
    const Operand &o = d.operand(3);
    if (o.kind == Operand::Register && d.registerBits(o) == 1) {
      bool negated;
      d.out.op[3] = d.predicate(3, negated);
      d.out.listSize = negated ? ~0u : 0;
    } else {
      d.out.op[2] = d.src(3u, Type::U32);
    }
  }
  d.out.aux = aux | static_cast<uint32_t>(bytes);
  d.out.exec = copyAsync;
}

void decodeArrive(Decoder &d) {
  if (!d.has("async") || !d.has("mbarrier") || !d.has("arrive") ||
      !d.expectOperands(1, 1))
    return;
  d.out.op[0] = d.address(
      0, d.choice("shared shared::cta") >= 0 ? Space::Shared : Space::Generic);
  d.out.aux2 = d.has("noinc");
  d.out.exec = arriveAsync;
}
} // namespace

void ptx::completeArrivals(Block &block, uint64_t mbarrier) {
  for (auto &w : block.warps)
    for (size_t k = 0; k < w->copies.size();) {
      PendingCopy arrival = w->copies[k];
      if (!arrival.isArrival || arrival.mbarrier != mbarrier) {
        ++k;
        continue;
      }
      // What the thread has issued before is part of it.
      size_t kept = 0;
      for (size_t j = 0; j < w->copies.size(); ++j) {
        const PendingCopy copy = w->copies[j];
        if (j < k && !copy.isArrival && copy.lane == arrival.lane)
          land(*w, copy);
        else if (j != k)
          w->copies[kept++] = copy;
      }
      w->copies.resize(kept);
      arriveAt(block, *w, mbarrier, 1);
      k = 0;
    }
}

static const InstructionInfo kTable[] = {
    {"cp", "",
     "async ca cg shared shared::cta global L2::64B L2::128B L2::256B "
     "L2::cache_hint commit_group wait_group wait_all",
     InstructionClass::AsyncCopy, decodeCopy},
    {"cp", "b64", "async mbarrier arrive noinc shared shared::cta",
     InstructionClass::AsyncCopy, decodeArrive},
};

InstructionList ptx::asyncCopyInstructions() { return kTable; }

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier: init, inval, arrive, arrive_drop, test_wait, try_wait,
// pending_count.
//
// The 64 bits of an mbarrier here: bits 0..19 the arrivals a phase expects,
// 20..39 those still to come, 62 valid, 63 the phase. A state token is the
// mbarrier's value before the arrival.

#include "Access.h"
#include "AsyncCopy.h"
#include "Decoder.h"
#include "Lanes.h"
#include "Ordering.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr uint64_t kCountMask = (1 << 20) - 1;
constexpr uint64_t kValid = uint64_t{1} << 62, kPhase = uint64_t{1} << 63;

uint64_t load(const Block &b, uint64_t at) {
  uint64_t value;
  std::memcpy(&value, b.shared + at, 8);
  return value;
}
void store(Block &b, uint64_t at, uint64_t value) {
  std::memcpy(b.shared + at, &value, 8);
}
uint64_t pendingOf(uint64_t value) { return value >> 20 & kCountMask; }

void arriveValue(Block &b, uint64_t at, uint64_t count, bool drop) {
  uint64_t value = load(b, at);
  uint64_t expected = value & kCountMask, pending = pendingOf(value);
  uint64_t phase = value & kPhase;
  if (drop)
    expected -= count;
  pending -= count;
  if (!pending) {
    phase ^= kPhase;
    pending = expected;
  }
  store(b, at, expected | pending << 20 | kValid | phase);
}

/// The lanes' mbarriers, resolved to shared memory; each must be valid where
/// `mustExist`.
bool locate(Warp &w, const Inst &i, uint32_t mask, bool mustExist,
            Access &access) {
  if (!resolve(w, i, mask, i.op[1], 8, true, access))
    return false;
  bool good = true;
  forLanes(mask, [&](unsigned l) {
    if (!good)
      return;
    std::string what;
    if (access.space[l] != Space::Shared)
      what = " uses an mbarrier outside of shared memory";
    else if (mustExist && !(load(*w.block, access.address[l]) & kValid))
      what = " uses an mbarrier that was not initialised";
    if (what.empty())
      return;
    good = false;
    w.fault(i, FindingKind::Uninitialized, w.describe(l) + what);
  });
  if (good && w.checks())
    forLanes(mask, [&](unsigned l) {
      checkLane(w, i, l, access, 8,
                mustExist ? AccessKind::Update : AccessKind::StrongWrite,
                nullptr);
    });
  return good;
}

void init(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  if (!locate(w, i, mask, false, access))
    return;
  forLanes(mask, [&](unsigned l) {
    uint64_t count = w.lanes<uint32_t>(i.op[2])[l];
    if (!count || count > kCountMask) {
      w.fault(i, FindingKind::Unsupported,
              w.describe(l) + " initialises an mbarrier with a count of " +
                  std::to_string(count));
      return;
    }
    store(*w.block, access.address[l], count | count << 20 | kValid);
  });
}
void invalidate(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  if (!locate(w, i, mask, true, access))
    return;
  forLanes(mask, [&](unsigned l) { store(*w.block, access.address[l], 0); });
}

void arrive(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  if (!locate(w, i, mask, true, access))
    return;
  Knowledge all = publish(w);
  forLanes(mask, [&](unsigned l) {
    uint64_t at = access.address[l];
    uint64_t count = i.op[2] == kNoSlot ? 1 : w.lanes<uint32_t>(i.op[2])[l];
    uint64_t value = load(*w.block, at);
    if (i.op[0] != kNoSlot)
      w.lanes<uint64_t>(i.op[0])[l] = value;
    if (!count || count > pendingOf(value)) {
      w.fault(i, FindingKind::Divergence,
              w.describe(l) + " arrives " + std::to_string(count) +
                  " times at an mbarrier that waits for " +
                  std::to_string(pendingOf(value)));
      return;
    }
    join(w.block->mbarriers[at].known, all);
    arriveValue(*w.block, at, count, i.aux2 & 1);
  });
}

/// True when the phase of the token (or of the parity) is over.
void testWait(Warp &w, const Inst &i, uint32_t mask) {
  Access access;
  if (!locate(w, i, mask, true, access))
    return;
  uint32_t done = 0;
  forLanes(mask, [&](unsigned l) {
    uint64_t at = access.address[l];
    completeArrivals(*w.block, at);
    uint64_t value = load(*w.block, at);
    bool phase = value & kPhase;
    bool waited = i.aux2 ? w.lanes<uint32_t>(i.op[2])[l] & 1
                         : (w.lanes<uint64_t>(i.op[2])[l] & kPhase) != 0;
    if (phase == waited)
      return;
    done |= 1u << l;
    learn(w, w.block->mbarriers[at].known);
  });
  if (done) {
    w.time = ++w.block->now;
    w.intra = w.time;
  }
  setMask(w.mask(i.op[0]), mask, done);
}

void pendingCount(Warp &w, const Inst &i, uint32_t mask) {
  forLanes(mask, [&](unsigned l) {
    w.lanes<uint32_t>(i.op[0])[l] =
        static_cast<uint32_t>(pendingOf(w.lanes<uint64_t>(i.op[1])[l]));
  });
}

void decode(Decoder &d) {
  if (d.has("pending_count")) {
    d.simple(Type::B32, {Type::B64});
    d.out.exec = pendingCount;
    return;
  }
  Space space = d.choice("shared shared::cta shared::cluster") >= 0
                    ? Space::Shared
                    : Space::Generic;
  if (d.has("init") || d.has("inval")) {
    bool isInit = d.has("init");
    if (!d.expectOperands(isInit ? 2 : 1, isInit ? 2 : 1))
      return;
    d.out.op[1] = d.address(0, space);
    if (isInit)
      d.out.op[2] = d.src(1u, Type::U32);
    d.out.exec = isInit ? init : invalidate;
  } else if (d.has("arrive") || d.has("arrive_drop")) {
    if (!d.expectOperands(2, 3))
      return;
    d.out.op[0] = d.dst(0u, Type::B64);
    d.out.op[1] = d.address(1, space);
    if (d.operands() == 3)
      d.out.op[2] = d.src(2u, Type::U32);
    d.out.aux2 = d.has("arrive_drop");
    d.out.exec = arrive;
  } else if (d.has("test_wait") || d.has("try_wait")) {
    if (!d.expectOperands(3, 4))
      return;
    bool parity = d.has("parity");
    d.out.op[0] = d.dst(0u, Type::Pred);
    d.out.op[1] = d.address(1, space);
    d.out.op[2] = d.src(2u, parity ? Type::B32 : Type::B64);
    d.out.aux2 = parity;
    d.out.exec = testWait;
  }
}
} // namespace

void ptx::arriveAt(Block &block, Warp &w, uint64_t mbarrier, uint32_t count) {
  join(block.mbarriers[mbarrier].known, publish(w));
  arriveValue(block, mbarrier, count, false);
}

void ptx::addPending(Block &block, uint64_t mbarrier) {
  store(block, mbarrier, load(block, mbarrier) + (uint64_t{1} << 20));
}

static const InstructionInfo kTable[] = {
    {"mbarrier", "b64",
     "init inval arrive arrive_drop test_wait try_wait parity pending_count "
     "noComplete shared shared::cta shared::cluster release acquire relaxed "
     "cta cluster",
     InstructionClass::Barrier, decode},
};

InstructionList ptx::mbarrierInstructions() { return kTable; }

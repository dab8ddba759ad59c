// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block: its warps take turns until all have exited or none can go on.

#include "Exec.h"
#include "Lanes.h"

#include <numeric>

using namespace qdialect;
using namespace qdialect::ptx;

/// Instructions a warp runs before the next one's turn.
static constexpr uint64_t kQuantum = 2048;
/// What unwritten shared memory holds.
static constexpr uint8_t kPoison = 0xcb;

SiteCounters &Block::site(const Inst &inst) {
  // Called for every instruction: the last function is nearly always the next.
  const Code *code = currentCode;
  const Inst *begin = code ? code->insts.data() : nullptr;
  if (!code || &inst < begin || &inst >= begin + code->insts.size()) {
    for (const Code *c : launch->functions) {
      begin = c->insts.data();
      if (&inst >= begin && &inst < begin + c->insts.size())
        code = c;
    }
    currentCode = code;
    currentSites = &sites[code];
    currentSites->resize(code->insts.size());
    begin = code->insts.data();
  }
  return (*currentSites)[static_cast<size_t>(&inst - begin)];
}

void Block::start() {
  const LaunchConfig &config = *launch->config;
  sharedBytes = launch->sharedBytes;
  sharedStorage.assign(sharedBytes + 256, kPoison);
  auto address = reinterpret_cast<uintptr_t>(sharedStorage.data());
  shared = sharedStorage.data() + ((128 - address % 128) % 128);
  if (config.check)
    shadow.assign(sharedBytes, {});
  uint64_t threads = config.block.count();
  uint32_t count = static_cast<uint32_t>((threads + 31) / 32);
  localBytes = launch->localBytes;
  local.assign(localBytes * count * kWarpSize, 0);
  for (uint32_t i = 0; i < count; ++i) {
    auto w = std::make_unique<Warp>();
    w->block = this;
    w->index = i;
    uint64_t left = threads - i * kWarpSize;
    w->exists = left >= 32 ? ~0u : (1u << left) - 1;
    w->clock.resize(count);
    warps.push_back(std::move(w));
  }
  for (auto &w : warps)
    w->enter(*launch->kernel, w->exists, 0, 0);
}

void Block::release(Barrier &barrier) {
  if (barrier.waiting.empty() && !barrier.arrivedThreads)
    return;
  uint32_t expected = barrier.expected;
  if (expected == kNoSlot) {
    expected = 0;
    for (auto &w : warps) {
      // Without the checkers a thread that has exited counts as arrived.
      uint32_t who = launch->config->check ? w->exists : w->live();
      expected += static_cast<uint32_t>(__builtin_popcount(who));
    }
  }
  if (barrier.arrivedThreads < expected)
    return;
  for (Warp *w : barrier.waiting) {
    join(w->clock, barrier.clock);
    join(w->known, barrier.known);
    w->time = ++now;
    w->intra = w->time;
    w->barrier = kNoSlot;
    const Inst &inst = *w->barrierInst;
    // bar.red: aux2 says which result; op[0] takes it.
    if (inst.aux2 == 1 || inst.aux2 == 2)
      setMask(w->mask(inst.op[0]), w->exists,
              (inst.aux2 == 1 ? barrier.andValue : barrier.orValue) ? ~0u : 0);
    else if (inst.aux2 == 3)
      forLanes(w->exists, [&](unsigned l) {
        w->lanes<uint32_t>(inst.op[0])[l] = barrier.popc;
      });
  }
  barrier = Barrier();
}

void Block::reportDeadlock() {
  for (auto &w : warps) {
    if (w->barrier == kNoSlot || !w->barrierInst)
      continue;
    const Barrier &barrier = barriers[w->barrier];
    uint32_t exited = 0;
    for (auto &other : warps)
      exited += static_cast<uint32_t>(__builtin_popcount(other->exited));
    std::string expected = barrier.expected == kNoSlot
                               ? std::to_string(launch->config->block.count())
                               : std::to_string(barrier.expected);
    w->fault(*w->barrierInst, FindingKind::Divergence,
             w->describe(0) + " waits at barrier " +
                 std::to_string(w->barrier) + ": " +
                 std::to_string(barrier.arrivedThreads) + " of " + expected +
                 " threads came, " + std::to_string(exited) + " have exited");
    return;
  }
}

void Block::run() {
  start();
  std::vector<Warp *> order;
  for (auto &w : warps)
    order.push_back(w.get());
  uint64_t random = launch->config->seed * 0x9e3779b97f4a7c15 + linear + 1;
  size_t finished = 0;
  while (finished < order.size() && !launch->stop) {
    if (launch->config->seed)
      for (size_t i = order.size(); i > 1; --i) {
        random = random * 6364136223846793005 + 1442695040888963407;
        std::swap(order[i - 1], order[(random >> 33) % i]);
      }
    bool progress = false;
    for (Warp *w : order) {
      if (w->frames.empty() || w->barrier != kNoSlot)
        continue;
      progress = true;
      uint64_t before = w->steps;
      w->run(kQuantum);
      uint64_t used = w->steps - before;
      if (launch->steps.fetch_add(used) + used > launch->config->maxSteps) {
        const Inst &at = launch->kernel->insts[0];
        w->fault(w->frames.empty() ? at : w->frame().code->insts[w->pc],
                 FindingKind::StepLimit,
                 "more than " + std::to_string(launch->config->maxSteps) +
                     " warp instructions");
      }
      if (launch->stop)
        return;
      if (w->frames.empty()) {
        ++finished;
        for (Barrier &barrier : barriers)
          release(barrier);
      }
    }
    if (!progress && finished < order.size()) {
      reportDeadlock();
      return;
    }
  }
}

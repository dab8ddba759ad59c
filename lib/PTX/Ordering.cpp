// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Release and acquire by strong accesses and fences; see the header. Lanes of
// a warp count as one: what one of them releases, the warp releases.

#include "Ordering.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

Knowledge ptx::publish(Warp &w) {
  Knowledge all = w.known;
  WarpTimes own = w.clock;
  own[w.index] = w.time;
  join(all[w.block->linear], own);
  w.time = ++w.block->now;
  return all;
}

void ptx::learn(Warp &w, const Knowledge &knowledge) {
  for (const auto &[block, times] : knowledge)
    if (block == w.block->linear)
      join(w.clock, times);
    else
      join(w.known[block], times);
}

void ptx::orderStrong(Warp &w, uint32_t mask, const Access &access,
                      Ordering ordering, AccessKind kind) {
  bool isRead = kind != AccessKind::StrongWrite;
  bool isWrite = kind != AccessKind::StrongRead;
  Knowledge released = ordering.release ? publish(w) : w.fenced;
  Knowledge learned;
  forLanes(mask, [&](unsigned l) {
    bool shared = access.space[l] == Space::Shared;
    Launch &launch = *w.block->launch;
    std::unique_lock<std::mutex> lock;
    if (!shared)
      lock = std::unique_lock<std::mutex>(launch.syncMutex);
    auto &table = shared ? w.block->sharedSync : launch.sync;
    auto it = table.find(access.address[l]);
    if (isRead && it != table.end())
      join(learned, it->second);
    if (isWrite && !released.empty())
      join(table[access.address[l]], released);
  });
  if (ordering.acquire)
    learn(w, learned);
  else
    join(w.pendingAcquire, learned);
}

void ptx::fence(Warp &w) {
  learn(w, w.pendingAcquire);
  w.pendingAcquire.clear();
  w.fenced = publish(w);
}

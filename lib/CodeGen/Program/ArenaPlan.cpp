// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each buffer goes into the smallest gap that the already placed buffers of
// overlapping lifetime leave, or behind them. Three orders are tried (size,
// size times lifetime, birth), ties broken by step, so that the plan is a
// function of the program alone.

#include "QDialect/CodeGen/Program/ArenaPlan.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <map>

using namespace qdialect;

static int64_t paddedSize(const ArenaBuffer &buffer) {
  return llvm::alignTo(buffer.bytes + kArenaPadding, kArenaAlignment);
}

static bool overlapInTime(const ArenaBuffer &a, const ArenaBuffer &b) {
#if QDIALECT_MUTATE == 23
  return a.firstStep < b.lastStep && b.firstStep < a.lastStep;
#else
  return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep;
#endif
}

/// The offset of the smallest gap of at least `size` between the occupied
/// ranges, which are sorted by their begin and may overlap.
static int64_t bestGap(llvm::ArrayRef<std::pair<int64_t, int64_t>> occupied,
                       int64_t size) {
  int64_t end = 0, best = -1, bestSize = 0;
  for (auto [begin, rangeEnd] : occupied) {
    int64_t gap = begin - end;
    if (gap >= size && (best < 0 || gap < bestSize)) {
      best = end;
      bestSize = gap;
    }
    end = std::max(end, rangeEnd);
  }
  return best < 0 ? end : best;
}

/// Places the buffers one after the other, each as well as those before allow.
static int64_t placeInOrder(llvm::ArrayRef<ArenaBuffer *> order) {
  int64_t total = 0;
  for (auto [count, buffer] : llvm::enumerate(order)) {
    llvm::SmallVector<std::pair<int64_t, int64_t>> occupied;
    for (const ArenaBuffer *other : order.take_front(count))
      if (overlapInTime(*buffer, *other))
        occupied.push_back({other->offset, other->offset + paddedSize(*other)});
    llvm::sort(occupied);
    buffer->offset = bestGap(occupied, paddedSize(*buffer));
    total = std::max(total, buffer->offset + paddedSize(*buffer));
  }
  return total;
}

int64_t qdialect::planArena(llvm::MutableArrayRef<ArenaBuffer> buffers) {
  using Key = std::pair<int64_t, int64_t>;
  using KeyFunction = Key (*)(const ArenaBuffer &);
  static constexpr KeyFunction orders[] = {
      [](const ArenaBuffer &b) { return Key(-b.bytes, b.firstStep); },
      [](const ArenaBuffer &b) {
        return Key(-b.bytes * (b.lastStep - b.firstStep + 1), b.firstStep);
      },
      [](const ArenaBuffer &b) { return Key(b.firstStep, -b.bytes); }};
  int64_t least = -1;
  llvm::SmallVector<int64_t> offsets;
  for (KeyFunction key : orders) {
    llvm::SmallVector<ArenaBuffer *> order;
    for (ArenaBuffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::sort(order, [&](const ArenaBuffer *a, const ArenaBuffer *b) {
      return std::make_pair(key(*a), a) < std::make_pair(key(*b), b);
    });
    int64_t total = placeInOrder(order);
    if (least >= 0 && total >= least)
      continue;
    least = total;
    offsets.clear();
    for (const ArenaBuffer &buffer : buffers)
      offsets.push_back(buffer.offset);
  }
  for (auto [buffer, offset] : llvm::zip(buffers, offsets))
    buffer.offset = offset;
  return least;
}

int64_t qdialect::arenaLowerBound(llvm::ArrayRef<ArenaBuffer> buffers) {
  std::map<int64_t, int64_t> changes; // step -> bytes born less bytes dead
  for (const ArenaBuffer &buffer : buffers) {
    changes[buffer.firstStep] += paddedSize(buffer);
    changes[buffer.lastStep + 1] -= paddedSize(buffer);
  }
  int64_t alive = 0, bound = 0;
  for (auto [step, change] : changes)
    bound = std::max(bound, alive += change);
  return bound;
}

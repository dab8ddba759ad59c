// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How strong accesses and fences order the accesses around them.

#ifndef QDIALECT_LIB_PTX_ORDERING_H
#define QDIALECT_LIB_PTX_ORDERING_H

#include "Access.h"

namespace qdialect::ptx {

/// In Inst::aux2 of memory instructions.
inline constexpr uint32_t kStrong = 1 << 28, kAcquire = 1 << 29,
                          kRelease = 1 << 30;

struct Ordering {
  bool strong, acquire, release;
};
inline Ordering orderingOf(const Inst &inst) {
  return {bool(inst.aux2 & kStrong), bool(inst.aux2 & kAcquire),
          bool(inst.aux2 & kRelease)};
}

/// A strong access publishes what its warp fenced (or, `release`, all it has
/// done) at its address, and learns what others published there.
void orderStrong(Warp &w, uint32_t mask, const Access &access,
                 Ordering ordering, AccessKind kind);
/// fence.acq_rel, fence.sc, membar.
void fence(Warp &w);
/// What the warp has done and knows, as of now; its clock ticks.
Knowledge publish(Warp &w);
/// The warp learns `knowledge`.
void learn(Warp &w, const Knowledge &knowledge);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_ORDERING_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places buffers with known lifetimes in one block of memory, near the lower
// bound (the largest sum alive at one step).

#ifndef QDIALECT_CODEGEN_PROGRAM_ARENAPLAN_H
#define QDIALECT_CODEGEN_PROGRAM_ARENAPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace qdialect {

/// A buffer that is alive from the step that writes it to the last one that
/// reads it, both included: a kernel never writes over its own input.
struct ArenaBuffer {
  int64_t bytes = 0;
  int64_t firstStep = 0;
  int64_t lastStep = 0;
  int64_t offset = 0; ///< set by planArena
};

/// Every buffer starts at a multiple of this.
inline constexpr int64_t kArenaAlignment = 64;
/// Readable bytes behind every buffer: kernels may load whole vectors there.
inline constexpr int64_t kArenaPadding = 64;

/// Sets the offsets so that no two buffers alive at the same step overlap;
/// returns the size of the arena.
int64_t planArena(llvm::MutableArrayRef<ArenaBuffer> buffers);

/// The largest sum of padded sizes alive at one step: no plan can be smaller.
int64_t arenaLowerBound(llvm::ArrayRef<ArenaBuffer> buffers);

} // namespace qdialect

#endif // QDIALECT_CODEGEN_PROGRAM_ARENAPLAN_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of few rows (a batch of one, a token at a time) and packed weights.
// What they cost is to read the weights once. A block has one panel of 64
// columns, whose depth its warps share:
//
//   chunks of weights go from global memory to registers, 16 bytes a lane, a
//   chunk ahead of the products; no weight passes through shared memory;
//   tensor cores multiply; the rows are the upper half of a fragment of 16;
//   the sums of warps meet in shared memory and are added in the order of the
//   depth, however many warps there are.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_GEMV_H
#define QDIALECT_LIB_CODEGEN_NVVM_GEMV_H

#include "BlockMma.h"

namespace qdialect::gpu {

/// How the depth is shared. A slice is the depth of one product; a chunk is
/// what a warp reads at once. In a round every warp has a chunk.
struct GemvShape {
  static constexpr int64_t kMostRows = 8;
  static constexpr int64_t kColumns = MmaTile::kWarpColumns;
  /// Of a thread that adds the sums of warps and stores them.
  static constexpr int64_t kThreadColumns = 4;

  int64_t warps;
  int64_t chunkSlices;
  /// Slices that are summed before warps meet, within one block of the depth.
  int64_t unitSlices;

  /// Nothing for many rows, or where units of a round are no whole blocks.
  static std::optional<GemvShape> choose(const BlockMmaGeometry &geometry);

  int64_t threads() const { return 32 * warps; }
  int64_t units() const { return chunkSlices / unitSlices; } ///< of a chunk
  int64_t roundUnits() const { return warps * units(); }
  int64_t roundSlices() const { return warps * chunkSlices; }
};

/// Bytes of shared memory.
int64_t gemvSharedBytes(const BlockMmaGeometry &geometry,
                        const GemvShape &shape);

/// Emits the body of a kernel of GemvShape::threads() threads and a block for
/// each panel of 64 columns. Weights are packed as for emitBlockMmaKernel.
/// Integers without scales are summed in one block: `starts` are i32 by column
/// then, and the epilogue gets i32.
void emitGemvKernel(WarpEmitter &e, const BlockMmaGeometry &geometry,
                    const GemvShape &shape, llvm::StringRef sharedName,
                    const BlockMmaOperands &operands,
                    llvm::function_ref<void(const MmaSums &)> epilogue);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_GEMV_H

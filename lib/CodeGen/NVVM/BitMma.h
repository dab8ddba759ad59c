// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of codes of few bits on tensor cores that multiply bits. With
// x = x0 + sum of 2^i X_i and w = w0 + step * sum of 2^j W_j, where X_i and W_j
// are planes of bits,
//
//   sum of x w = step * sum over i, j of 2^(i + j) popcount(X_i & W_j)
//                + w0 * sum of (x - x0) + x0 * sum of w
//
// A product of planes over 256 bits takes a tensor core as long as one of bytes
// over 32: eight pairs of planes cost as much as bytes, but weights of j planes
// are j / 8 of the memory.

#ifndef QDIALECT_LIB_CODEGEN_NVVM_BITMMA_H
#define QDIALECT_LIB_CODEGEN_NVVM_BITMMA_H

#include "MmaKernel.h"

namespace qdialect::gpu {

struct BitMmaGeometry {
  int64_t rows = 1, columns = 1, depth = 1;
  int64_t rowOffset = 0, rowStride = 0; ///< bytes
  int64_t alignment = 4;                ///< of each row: 16 or 4
  /// The byte that is code 0 of the planes.
  int64_t leftBase = 0;
  int64_t rightBase = 0, rightStep = 1;
  int64_t leftBits = 8, rightBits = 8;

  /// Products of a step, a bit each, and bytes that they are in a plane.
  static constexpr int64_t kDepth = 256, kRowBytes = kDepth / 8;
  /// Columns of a block, all of them each warp's.
  static constexpr int64_t kColumns = MmaTile::kWarpColumns;
  static constexpr int64_t kStages = 2;

  int64_t steps() const { return (depth + kDepth - 1) / kDepth; }
  int64_t panels() const { return (columns + kColumns - 1) / kColumns; }
  /// The rows of a block, 16 of them a warp's.
  MmaTile tile() const;
  int64_t blocks() const;
  int64_t leftBytes() const { return leftBits * tile().rows * kRowBytes; }
  int64_t rightBytes() const { return rightBits * kColumns * kRowBytes; }
  int64_t stageBytes() const { return leftBytes() + rightBytes(); }
  int64_t weightBytes() const { return panels() * steps() * rightBytes(); }

  /// Bits that a code has among its planes' neighbours while bytes become
  /// planes: 1, 2, 4 or 8.
  int64_t fieldBits() const;
};

/// Is it faster than bytes where weights come from memory?
bool areBitsFaster(const BitMmaGeometry &geometry);

/// Writes the planes of the weights in the order in which lanes read them, as
/// packMmaWeights does. `code(column, k)` is of 0 to 2^rightBits - 1.
void packBitWeights(const BitMmaGeometry &geometry,
                    llvm::function_ref<int64_t(int64_t, int64_t)> code,
                    llvm::MutableArrayRef<char> out);

/// Emits the body of a kernel of tile().threads() threads and blocks() blocks.
void emitBitMmaKernel(WarpEmitter &e, const BitMmaGeometry &geometry,
                      llvm::StringRef sharedName, const MmaOperands &operands,
                      llvm::function_ref<void(const MmaSums &)> epilogue);

} // namespace qdialect::gpu

#endif // QDIALECT_LIB_CODEGEN_NVVM_BITMMA_H

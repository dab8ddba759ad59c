// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles, costs and the packed image of planes of bits.

#include "BitMma.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace qdialect::gpu {

MmaTile BitMmaGeometry::tile() const {
  int64_t blockRows = rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
  return {blockRows, kColumns, /*warpRows=*/16, kStages};
}

int64_t BitMmaGeometry::blocks() const {
  return panels() * llvm::divideCeil(rows, tile().rows);
}

int64_t BitMmaGeometry::fieldBits() const {
  return static_cast<int64_t>(llvm::PowerOf2Ceil(leftBits));
}

/// Cycles of a multiprocessor for a step of 64 columns: an A100's tensor cores
/// start a product every two, and its share of the memory gives ten bytes in
/// one. Other GPUs are within a factor of two of the quotient.
static double cyclesOf(int64_t products, int64_t bytes) {
  return std::max(2.0 * static_cast<double>(products),
                  static_cast<double>(bytes) / 10);
}

bool areBitsFaster(const BitMmaGeometry &g) {
  int64_t fragments = llvm::divideCeil(g.rows, 16) * (g.kColumns / 8);
  constexpr int64_t kBytes = 8;
  return cyclesOf(fragments * g.leftBits * g.rightBits, g.rightBytes()) <
         cyclesOf(fragments * kBytes,
                  kBytes * g.kColumns * BitMmaGeometry::kRowBytes);
}

void packBitWeights(const BitMmaGeometry &g,
                    function_ref<int64_t(int64_t, int64_t)> code,
                    MutableArrayRef<char> out) {
  std::fill(out.begin(), out.end(), 0);
  constexpr int64_t kPlaneBytes =
      BitMmaGeometry::kColumns * BitMmaGeometry::kRowBytes;
  int64_t field = g.fieldBits(), slots = 8 / field;
  for (int64_t n = 0; n < g.columns; ++n)
    for (int64_t k = 0; k < g.depth; ++k) {
      int64_t bits = code(n, k), step = k / g.kDepth, inStep = k % g.kDepth;
      // A thread makes a word of a plane from 16 bytes of either half of a
      // step, word by word (BitMmaKernel.cpp).
      int64_t word = inStep / 128 * 4 + inStep % 16 / 4;
      int64_t byte = inStep % 128 / 16 * 4 + inStep % 4;
      // Seeded fault 206: the words of a field lie in another order.
      int64_t bit =
          QDIALECT_MUTATE == 206 ? word : word % slots * field + word / slots;
      int64_t column = n % g.kColumns, fragment = column % 16 / 2;
      int64_t lane = (column / 16 * 2 + column % 2) * 4 + byte % 16 / 4;
      int64_t place = fragment / 2 * 512 + lane * 16 + fragment % 2 * 8 +
                      byte / 16 * 4 + byte % 4;
      char *planes = out.data() +
                     (n / g.kColumns * g.steps() + step) * g.rightBytes() +
                     place;
      for (int64_t plane = 0; plane < g.rightBits; ++plane)
        planes[plane * kPlaneBytes] = static_cast<char>(
            planes[plane * kPlaneBytes] | (bits >> plane & 1) << bit);
    }
}

} // namespace qdialect::gpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Alignment of rows, choice of tiles, the packed image of weights.

#include "MmaGeometry.h"

#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;

namespace qdialect::gpu {

ArrayRef<MmaTile> mmaTiles() {
  // 48 KiB of shared memory need no opt-in of the launcher.
  static const MmaTile tiles[] = {
      {128, 128, 64, 3}, {128, 64, 64, 4}, {64, 128, 32, 4}, {64, 64, 32, 4},
      {32, 128, 16, 4},  {32, 64, 16, 6},  {16, 128, 16, 5}, {16, 64, 16, 8}};
  return tiles;
}

std::optional<MmaTile> MmaTile::withFewerSums() const {
  for (const MmaTile &tile : mmaTiles())
    if (tile.columns == columns && tile.warpRows < warpRows)
      return tile;
  return std::nullopt;
}

std::optional<MmaTile> MmaTile::withMoreWarps() const {
  if (warpRows <= 16)
    return std::nullopt;
  return MmaTile{rows, columns, warpRows / 2, stages};
}

int64_t MmaRows::factorOf(int64_t size) const {
  if (!SymbolicSizes::isSymbolic(size))
    return size;
  int64_t factor = 0;
  for (const SymbolicSizes::Term &term : sizes->terms(size))
    factor = std::gcd(factor, term.factor);
  return factor;
}

int64_t MmaRows::ceilDiv(int64_t size, int64_t by) const {
  return SymbolicSizes::isSymbolic(size) ? sizes->ceilDiv(size, by)
                                         : llvm::divideCeil(size, by);
}

int64_t MmaRows::copyBytes() const {
  if (runStep != 1)
    return 1;
  int64_t step = std::gcd(16, alignment);
  auto add = [&](int64_t bytes) { step = std::gcd(step, factorOf(bytes)); };
  add(window.inputOffset);
  add(groupStep);
  for (const cpu::PixelLoop &loop : window.pixels)
    add(loop.step);
  if (window.axes[0].filterSize > 1)
    add(window.axes[0].filterStep);
  if (window.tapColumns() > 1)
    add(window.axes[1].filterStep);
  return step >= 4 ? step : 1;
}

int64_t MmaRows::tapDepth() const {
  // A matrix has one tap: nothing stands behind it.
  return SymbolicSizes::isSymbolic(run) ? run : llvm::alignTo(run, copyBytes());
}

int64_t MmaGeometry::rowBlocks(const MmaTile &tile) const {
  return ceilDiv(rows(), tile.rows);
}
int64_t MmaGeometry::columnBlocks(const MmaTile &tile) const {
  return ceilDiv(columns, tile.columns);
}

MmaTile MmaGeometry::chooseTile(int64_t processors,
                                std::optional<int64_t> tileColumns) const {
  if (sizes)
    return {64, 64, 32, 4};
  // Waves of blocks, each as long as the products of a block, or as its copies
  // where these take longer.
  const MmaTile *best = nullptr;
  double least = 0;
  for (const MmaTile &tile : mmaTiles()) {
    if (tileColumns && tile.columns != *tileColumns)
      continue;
    // Sums of rows and columns, and codes that become f16, take registers, too.
    if ((right || (minifloats && !minifloats->isNative)) && tile.warpRows > 32)
      continue;
    // Narrow copies take an address register each.
    if (tile.rowBytes() / std::max<int64_t>(copyBytes(), 4) / tile.threads() >
        16)
      continue;
    double waves =
        static_cast<double>(llvm::divideCeil(blocks(tile), processors));
    double products = static_cast<double>(tile.rows * tile.columns) / 128;
    double copies = static_cast<double>(tile.rows + tile.columns) / 2;
    double cost = waves * std::max(products, copies);
    if (!best || cost < least) {
      best = &tile;
      least = cost;
    }
  }
  return *best;
}

void packMmaWeights(
    const MmaGeometry &g, const MmaTile &tile,
    function_ref<int8_t(int64_t, int64_t, int64_t, int64_t)> weight,
    MutableArrayRef<char> out) {
  std::fill(out.begin(), out.end(), 0);
  int64_t tapDepth = g.tapDepth();
  // Where depth d of column n lies within a panel.
  auto place = [&](int64_t d, int64_t n) {
    int64_t step = d / 32, inStep = d % 32;
    // n / 16 pairs of fragment columns, then fragments, then the two columns.
    int64_t fragment = n % 16 / 2, row = n / 16 * 2 + n % 2;
    int64_t lane = row * 4 + inStep % 16 / 4;
    return step * 2048 + fragment / 2 * 512 + lane * 16 + fragment % 2 * 8 +
           inStep / 16 * 4 + inStep % 4;
  };
  for (int64_t group = 0; group < g.groups; ++group)
    for (int64_t n = 0; n < g.columns; ++n) {
      char *panel =
          out.data() + (group * g.panels(tile) + n / 64) * g.panelBytes();
      for (int64_t tap = 0; tap < g.window.numTaps(); ++tap)
        for (int64_t k = 0; k < g.run; ++k)
          panel[place(tap * tapDepth + k, n % 64)] =
              static_cast<char>(weight(group, n, tap, k));
    }
}

} // namespace qdialect::gpu

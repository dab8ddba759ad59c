// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles and packed images of products with blocks.

#include "BlockMma.h"

#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <cstring>

using namespace mlir;

namespace qdialect::gpu {

int64_t BlockMmaGeometry::rowBlocks(const MmaTile &tile) const {
  return llvm::divideCeil(rows, tile.rows);
}
int64_t BlockMmaGeometry::columnBlocks(const MmaTile &tile) const {
  return llvm::divideCeil(columns, tile.columns);
}

MmaTile BlockMmaGeometry::chooseTile(int64_t processors) const {
  // Of shared memory, as much as needs no opt-in of the launcher.
  constexpr int64_t sharedBytes = 48 << 10, mostStages = 6;
  const MmaTile *best = nullptr;
  double least = 0;
  for (const MmaTile &tile : mmaTiles()) {
    // Sums of blocks and totals are twice the registers.
    if (tile.warpRows > 32 || tile.rows > 64)
      continue;
    double waves =
        static_cast<double>(llvm::divideCeil(blocks(tile), processors));
    double products = static_cast<double>(parts() * tile.rows * tile.columns);
    double unpacking = 32.0 * static_cast<double>(tile.columns);
    double cost = waves * (products + unpacking);
    if (!best || cost < least) {
      best = &tile;
      least = cost;
    }
  }
  MmaTile tile = *best;
  tile.stages = std::min(mostStages, sharedBytes / stageBytes(tile));
  return tile;
}

/// The fragment of columns that holds `column`, and its column there.
static std::pair<int64_t, int64_t> fragmentOf(int64_t column) {
  int64_t inLane = column % MmaTile::kLaneColumns;
  return {inLane / 2, column / MmaTile::kLaneColumns * 2 + inLane % 2};
}

int64_t BlockMmaGeometry::codeBit(int64_t k, int64_t column) const {
  auto [fragment, n] = fragmentOf(column);
  int64_t inSlice = k % sliceDepth(), half = sliceDepth() / 2;
  int64_t perRegister = half / 4;
  int64_t part = inSlice / half, inHalf = inSlice % half;
  int64_t lane = n * 4 + inHalf / perRegister, i = inHalf % perRegister;
  // A lane's words and bits there.
  int64_t word = 0, bit = 0;
  if (bits == 8) {
    int64_t byte = (fragment * 2 + part) * perRegister + i;
    word = byte / 4;
    bit = byte % 4 * 8;
  } else if (isInteger()) {
    word = fragment;
    bit = i * 8 + part * 4;
  } else {
    // Pairs are 16 bits apart; two fragments share a word.
    word = fragment / 2;
    bit = (2 * part + fragment % 2) * 4 + i * 16;
  }
  // Words are read four at a time.
  int64_t byte = k / sliceDepth() * sliceBytes() + word / 4 * 512 + lane * 16 +
                 word % 4 * 4;
  return byte * 8 + bit;
}

int64_t BlockMmaGeometry::topBit(int64_t k, int64_t column) const {
  auto [fragment, n] = fragmentOf(column);
  int64_t part = k % 16 / 8, inHalf = k % 8;
  int64_t lane = n * 4 + inHalf / 2, i = inHalf % 2;
  int64_t byte =
      k / 16 * sliceBytes() + kLowBytes + lane * 8 + fragment / 4 * 4;
  return byte * 8 + i * 16 + fragment % 4 * 2 + part;
}

int64_t BlockMmaGeometry::sumPlace(int64_t column) {
  int64_t lane = column / MmaTile::kLaneColumns,
          inLane = column % MmaTile::kLaneColumns;
  return inLane / 4 * 16 + lane * 4 + inLane % 4;
}

int64_t BlockMmaGeometry::weightPlace(int64_t column) {
  auto [fragment, n] = fragmentOf(column);
  return n * 8 + fragment;
}

ConstantBlob
blockSumParameters(const BlockMmaGeometry &g, const MmaTile &tile,
                   std::function<uint32_t(int64_t, int64_t)> bits) {
  constexpr int64_t panel = MmaTile::kWarpColumns;
  ConstantBlob blob;
  blob.size = g.panels(tile) * g.numBlocks() * panel * 4;
  blob.fill = [=](MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    for (int64_t b = 0; b < g.numBlocks(); ++b)
      for (int64_t n = 0; n < g.columns; ++n) {
        uint32_t value = bits(b, n);
        int64_t place = (n / panel * g.numBlocks() + b) * panel +
                        BlockMmaGeometry::sumPlace(n % panel);
        std::memcpy(out.data() + place * 4, &value, 4);
      }
  };
  return blob;
}

std::vector<ConstantBlob>
blockMmaConstants(const BlockMmaGeometry &g, const MmaTile &tile,
                  const BlockWeights &w,
                  std::function<int64_t(int64_t, int64_t)> code) {
  constexpr int64_t panel = MmaTile::kWarpColumns;
  ConstantBlob codes;
  codes.size = g.panels(tile) * g.panelBytes();
  codes.fill = [=](MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    auto put = [&](int64_t n, int64_t bit, int64_t bits, unsigned width) {
      int64_t mask = (int64_t(1) << width) - 1;
      out[n / panel * g.panelBytes() + bit / 8] |=
          static_cast<char>((bits & mask) << bit % 8);
    };
    for (int64_t k = 0; k < g.depth; ++k)
      for (int64_t n = 0; n < g.columns; ++n) {
        int64_t bits = code(k, n), bit = g.codeBit(k, n % panel);
        put(n, bit, bits, g.bits == 6 ? 4 : g.bits);
        if (g.bits != 6)
          continue;
        int64_t top = g.topBit(k, n % panel);
        put(n, top, bits >> 4, 1);
        put(n, top + BlockMmaGeometry::kSignBehindTop, bits >> 5, 1);
      }
  };
  std::vector<ConstantBlob> result{
      std::move(codes),
      blockSumParameters(
          g, tile, [w, exponent = g.scaleExponent()](int64_t b, int64_t n) {
            return llvm::bit_cast<uint32_t>(
                std::ldexp(w.scale(b, n), static_cast<int>(exponent)));
          })};
  if (g.zero)
    return result;
  ConstantBlob zeros;
  zeros.size = g.panels(tile) * g.numBlocks() * panel;
  zeros.fill = [=](MutableArrayRef<char> out) {
    std::fill(out.begin(), out.end(), 0);
    for (int64_t b = 0; b < g.numBlocks(); ++b)
      for (int64_t n = 0; n < g.columns; ++n)
        out[(n / panel * g.numBlocks() + b) * panel +
            BlockMmaGeometry::weightPlace(n % panel)] =
            static_cast<char>(w.zero(b, n));
  };
  result.push_back(std::move(zeros));
  return result;
}

} // namespace qdialect::gpu

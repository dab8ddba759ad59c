// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cuts a depthwise convolution into strips and packs its weights.

#include "DepthwiseStrip.h"

using namespace mlir;

namespace qdialect::cpu {

/// Interleaved columns of a unit, which shall stay in L1.
static constexpr int64_t kMostColumnBytes = 16 << 10;
/// What tiles may unroll.
static constexpr int64_t kMostFilter = 9;

std::optional<int64_t> DepthwiseStrip::filterRow(int64_t row,
                                                 int64_t index) const {
  int64_t distance = imageRows[index] - row * y().stride;
  if (distance < 0 || distance % y().dilation != 0 ||
      distance / y().dilation >= y().filterSize)
    return std::nullopt;
  return distance / y().dilation;
}

void DepthwiseStrip::takeRows(int64_t count) {
  rows = count;
  imageRows.clear();
  meetings.clear();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < y().filterSize; ++k)
      imageRows.push_back(row * y().stride + k * y().dilation);
  llvm::sort(imageRows);
  imageRows.erase(llvm::unique(imageRows), imageRows.end());
  for (int64_t group = 0; group < numGroups(); ++group)
    for (int64_t row = 0; row < rows; ++row) {
      int64_t first = group * kTaps;
      int64_t end = std::min<int64_t>(first + kTaps, imageRows.size());
      if (llvm::any_of(llvm::seq(first, end),
                       [&](int64_t i) { return filterRow(row, i); }))
        meetings.push_back({row, group});
    }
}

/// Vector instructions for all strips, of which interleaving a column takes
/// twelve.
int64_t DepthwiseStrip::cost() const {
  int64_t dots = x().filterSize * static_cast<int64_t>(meetings.size()) * kTaps;
  return numStrips() * (dots + 3 * kTaps * numGroups() * x().stride);
}

std::optional<DepthwiseStrip>
DepthwiseStrip::create(const WindowReduceGeometry &g) {
  if (g.kind != WindowReduceGeometry::Depthwise || g.isFloat || g.mergedRows)
    return std::nullopt;
  for (const ImageAxis &axis : g.axes)
    if (axis.filterSize < 2 || axis.filterSize > kMostFilter)
      return std::nullopt;

  DepthwiseStrip strip;
  strip.g = g;
  strip.rowStep = g.axes[0].filterStep / g.axes[0].dilation;
  strip.columnStep = g.axes[1].filterStep / g.axes[1].dilation;
  // Batch, rows, columns, in this order.
  int last = -2;
  for (const PixelLoop &loop : g.pixels) {
    if (loop.axis <= last)
      return std::nullopt;
    last = loop.axis;
    (loop.axis < 0    ? strip.batch
     : loop.axis == 0 ? strip.height
                      : strip.width) = loop.size;
    if (loop.axis < 0)
      strip.batchStep = loop.step;
  }

  int64_t best = 0, bestCost = INT64_MAX;
  for (int64_t count = 1; count <= std::min<int64_t>(4, strip.height);
       ++count) {
    strip.takeRows(count);
    if (strip.cost() < bestCost) {
      best = count;
      bestCost = strip.cost();
    }
  }
  strip.takeRows(best);
  while (strip.mostColumns() > 1 && strip.imageColumns(strip.mostColumns()) *
                                            strip.numGroups() * kColumnBytes >
                                        kMostColumnBytes)
    ++strip.numChunks;
  return strip;
}

int64_t DepthwiseStrip::tileColumns(const CpuTarget &target) const {
  // Sums of 16 channels that registers hold beside a column and weights.
  int64_t sums = target.hasAvx512() ? 16 : 4;
  int64_t best = 1, bestCost = INT64_MAX;
  for (int64_t columns = 1;
       columns <= std::min(std::max<int64_t>(sums / rows, 1), leastColumns());
       ++columns) {
    // A tile takes about as long as one column more.
    int64_t cost = llvm::divideCeil(mostColumns(), columns) * (columns + 1);
    if (cost <= bestCost) {
      best = columns;
      bestCost = cost;
    }
  }
  return best;
}

ConstantBlob DepthwiseStrip::weightsBlob() const {
  ConstantBlob blob;
  blob.size = numBlocks() * blockBytes();
  blob.fill = [strip = *this](MutableArrayRef<char> out) {
    char *to = out.data();
    for (int64_t block = 0; block < strip.numBlocks(); ++block)
      for (int64_t k = 0; k < strip.x().filterSize; ++k)
        for (const Meeting &meeting : strip.meetings)
          for (int64_t lane = 0; lane < kBlock; ++lane)
            for (int64_t tap = 0; tap < kTaps; ++tap, ++to) {
              int64_t channel = block * kBlock + lane;
              int64_t index = meeting.group * kTaps + tap;
              if (channel >= strip.g.channels ||
                  index >= static_cast<int64_t>(strip.imageRows.size()))
                continue;
              if (std::optional<int64_t> row =
                      strip.filterRow(meeting.row, index))
                *to = static_cast<char>(
                    strip.g.weight(*row * strip.x().filterSize + k, channel));
            }
  };
  return blob;
}

} // namespace qdialect::cpu

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs the constants of a contraction: weights in panels, starts of the
// accumulators, the row that stands for padding.

#include "MatrixTiles.h"

#include "mlir/IR/BuiltinAttributes.h"
#include <cmath>

using namespace mlir;

namespace qdialect::cpu {

int64_t ContractionGeometry::weightBase(int64_t group, int64_t n,
                                        int64_t tap) const {
  int64_t y = tap / tapColumns(), x = tap % tapColumns();
#if QDIALECT_MUTATE == 20
  std::swap(y, x);
  y = std::min(y, axes[0].filterSize - 1);
  x = std::min(x, tapColumns() - 1);
#endif
  return weightOffset + group * weightGroup + n * weightChannel +
         y * weightFilter[0] + x * weightFilter[1];
}

int64_t ContractionGeometry::weightInRun(int64_t k) const {
  if (!mergedRows)
    return k * weightInput;
  return k / inputChannels * weightFilter[1] + k % inputChannels * weightInput;
}

namespace {

/// Calls `visit(group, panel, first byte of the panel's image, vectors)`.
template <class Visit>
void forEachPanel(const ContractionGeometry &g, Visit visit) {
  int64_t rows = g.numTaps() * g.rowsPerTap();
  for (int64_t group = 0; group < g.groups; ++group)
    for (int64_t panel = 0; panel < g.panelsPerGroup(); ++panel) {
      bool last = panel + 1 == g.panelsPerGroup();
      int64_t channels = last ? g.lastPanelChannels() : 64;
      int64_t start = group * g.groupBytes() +
                      panel * rows * ContractionGeometry::kRowBytes;
      visit(group, panel, start, (channels + 15) / 16, channels);
    }
}

/// Calls `visit(n, source, image, row bytes)` for each channel and tap: where
/// its weights begin, and their part of the first row of the tap.
template <class T, class Visit>
void forEachRun(const ContractionGeometry &g, MutableArrayRef<char> out,
                Visit visit) {
  const T *weights = reinterpret_cast<const T *>(g.weights->raw.data());
  forEachPanel(g, [&](int64_t group, int64_t panel, int64_t start,
                      int64_t vectors, int64_t channels) {
    int64_t rowBytes = g.rowBytes(vectors);
    for (int64_t tap = 0; tap < g.numTaps(); ++tap) {
      char *image = out.data() + start + tap * g.rowsPerTap() * rowBytes;
      for (int64_t n = 0; n < channels; ++n) {
        int64_t inGroup = panel * 64 + n;
        visit(group * g.groupChannels + inGroup,
              weights + g.weightBase(group, inGroup, tap), image + n * 4,
              rowBytes);
      }
    }
  });
}

SmallVector<int64_t> offsetsInRun(const ContractionGeometry &g) {
  SmallVector<int64_t> offsets;
  for (int64_t k = 0; k < g.run; ++k)
    offsets.push_back(g.weightInRun(k));
  return offsets;
}

/// One 4-byte cell of the image per channel and k step: four codes or a float.
template <class T>
void packWeights(const ContractionGeometry &g, MutableArrayRef<char> out) {
  constexpr int64_t kPerCell = 4 / sizeof(T);
  SmallVector<int64_t> inRun = offsetsInRun(g);
  forEachRun<T>(
      g, out, [&](int64_t, const T *source, char *image, int64_t rowBytes) {
        for (int64_t k = 0; k < g.run; ++k)
          reinterpret_cast<T *>(image + k / kPerCell * rowBytes)[k % kPerCell] =
              source[inRun[k]];
      });
}

/// The cells of several k steps in one: of 4 and 2 bits.
void packBits(const ContractionGeometry &g, MutableArrayRef<char> out) {
  std::fill(out.begin(), out.end(), 0);
  SmallVector<int64_t> inRun = offsetsInRun(g);
  std::vector<ChannelCodes> channels = g.channelCodes();
  int64_t perByte = g.image.perByte();
  forEachRun<int8_t>(
      g, out,
      [&](int64_t n, const int8_t *source, char *image, int64_t rowBytes) {
        int64_t base = g.image.baseOf(channels[n]);
        // The steps of a tap are whole.
        for (int64_t k = 0; k < 4 * g.stepsPerTap(); ++k) {
          int64_t code = k < g.run ? source[inRun[k]] : 0;
          int64_t step = k / 4;
          image[step / perByte * rowBytes + k % 4] |=
              g.image.place(code, base, step % perByte);
        }
      });
}

int64_t initIndex(const ContractionGeometry &g, int64_t n) {
  return g.initOffset + n / g.groupChannels * g.initGroup +
         n % g.groupChannels * g.initChannel;
}

void packStarts(const ContractionGeometry &g, MutableArrayRef<char> out) {
  std::vector<ChannelCodes> channels;
  if (!g.isFloat)
    channels = g.channelCodes();
  for (int64_t n = 0; n < g.numChannels(); ++n) {
    char *cell = out.data() + 4 * n;
    if (g.isFloat) {
      float start = static_cast<float>(g.init->number(initIndex(g, n)));
      std::memcpy(cell, &start, 4);
      continue;
    }
    int32_t start = g.codeStart(n, channels[n]);
    std::memcpy(cell, &start, 4);
  }
}

/// The base of each channel four times, as its codes lie in a step.
void packBases(const ContractionGeometry &g, MutableArrayRef<char> out) {
  std::vector<ChannelCodes> channels = g.channelCodes();
  for (int64_t n = 0; n < g.numChannels(); ++n)
    std::fill_n(out.data() + 4 * n, 4, static_cast<char>(channels[n].low));
}

} // namespace

std::vector<ChannelCodes> ContractionGeometry::channelCodes() const {
  std::vector<ChannelCodes> channels(numChannels());
  const int8_t *codes = reinterpret_cast<const int8_t *>(weights->raw.data());
  // In the order in which they usually lie.
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t tap = 0; tap < numTaps(); ++tap)
      for (int64_t k = 0; k < run; ++k) {
        const int8_t *row = codes + weightBase(group, 0, tap) + weightInRun(k);
        ChannelCodes *of = channels.data() + group * groupChannels;
        for (int64_t n = 0; n < groupChannels; ++n)
          of[n].add(row[n * weightChannel]);
      }
  return channels;
}

int32_t ContractionGeometry::codeStart(int64_t n,
                                       const ChannelCodes &codes) const {
  int64_t start = init->integer(initIndex(*this, n));
#if QDIALECT_MUTATE == 19
  start = 0;
#endif
#if QDIALECT_MUTATE != 17
  start -= 128 * codes.sum();
#endif
  return static_cast<int32_t>(start);
}

std::vector<ConstantBlob> packContraction(const ContractionGeometry &geometry) {
  const ContractionGeometry &g = geometry;
  std::vector<ConstantBlob> blobs(2);
  blobs[0].size = g.groups * g.groupBytes() + bytesBehindImage(g);
  blobs[0].fill = [g](MutableArrayRef<char> out) {
    if (g.isFloat)
      packWeights<float>(g, out);
    else if (g.image.isPacked())
      packBits(g, out);
    else
      packWeights<int8_t>(g, out);
  };
  // The last vector of channels may be read whole.
  blobs[1].size = 4 * (g.numChannels() + 64);
  blobs[1].fill = [g](MutableArrayRef<char> out) { packStarts(g, out); };
  if (g.padded())
    blobs.push_back(g.paddingBlob());
  if (g.image.hasBases()) {
    ConstantBlob bases;
    bases.size = 4 * (g.numChannels() + 64);
    bases.fill = [g](MutableArrayRef<char> out) { packBases(g, out); };
    blobs.push_back(std::move(bases));
  }
  return blobs;
}

std::optional<Interval> accumulatorRange(const ContractionGeometry &g,
                                         ArrayRef<ChannelCodes> channels) {
  if (g.isFloat)
    return std::nullopt;
  Interval range{0, 0};
  for (int64_t n = 0; n < g.numChannels(); ++n) {
    double positive = static_cast<double>(channels[n].positive),
           negative = static_cast<double>(channels[n].negative);
    double init = static_cast<double>(g.init->integer(initIndex(g, n)));
    range.low = std::min(range.low, init - 128 * positive + 127 * negative);
    range.high = std::max(range.high, init + 127 * positive - 128 * negative);
  }
  if (range.low < -2147483648.0 || range.high > 2147483647.0)
    return std::nullopt;
  return range;
}

} // namespace qdialect::cpu

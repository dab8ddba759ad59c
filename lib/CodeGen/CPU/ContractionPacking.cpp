// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs the constants of a contraction: weights in panels, starts of the
// accumulators, the row that stands for padding.

#include "Contraction.h"

#include "mlir/IR/BuiltinAttributes.h"
#include <cmath>

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Offsets in the weight constant, by the coordinates of the packed image.
struct WeightIndex {
  const ContractionGeometry &g;

  /// Element 0 of filter position of tap `tap` for channel `n` of group
  /// `group`.
  int64_t base(int64_t group, int64_t n, int64_t tap) const {
    int64_t columns = g.tapColumns();
    int64_t y = tap / columns, x = tap % columns;
#if QDIALECT_MUTATE == 20
    std::swap(y, x);
    y = std::min(y, g.axes[0].filterSize - 1);
    x = std::min(x, columns - 1);
#endif
    return g.weightOffset + group * g.weightGroup + n * g.weightChannel +
           y * g.weightFilter[0] + x * g.weightFilter[1];
  }
  /// Offset of product `k` of the run.
  int64_t inRun(int64_t k) const {
    if (!g.mergedRows)
      return k * g.weightInput;
    return k / g.inputChannels * g.weightFilter[1] +
           k % g.inputChannels * g.weightInput;
  }
};

/// Calls `visit(group, panel, first byte of the panel's image, vectors)`.
template <class Visit>
void forEachPanel(const ContractionGeometry &g, Visit visit) {
  int64_t steps = g.numTaps() * g.stepsPerTap();
  for (int64_t group = 0; group < g.groups; ++group)
    for (int64_t panel = 0; panel < g.panelsPerGroup(); ++panel) {
      bool last = panel + 1 == g.panelsPerGroup();
      int64_t channels = last ? g.lastPanelChannels() : 64;
      int64_t start = group * g.groupBytes() +
                      panel * steps * ContractionGeometry::kStepBytes;
      visit(group, panel, start, (channels + 15) / 16, channels);
    }
}

/// One 4-byte cell of the image per channel and k step: four codes or a float.
template <class T>
void packWeights(const ContractionGeometry &g, MutableArrayRef<char> out) {
  constexpr int64_t kPerCell = 4 / sizeof(T);
  WeightIndex index{g};
  const T *weights = reinterpret_cast<const T *>(g.weights->raw.data());
  SmallVector<int64_t> inRun;
  for (int64_t k = 0; k < g.run; ++k)
    inRun.push_back(index.inRun(k));
  forEachPanel(g, [&](int64_t group, int64_t panel, int64_t start,
                      int64_t vectors, int64_t channels) {
    int64_t rowBytes = g.stepBytes(vectors);
    for (int64_t tap = 0; tap < g.numTaps(); ++tap) {
      char *image = out.data() + start + tap * g.stepsPerTap() * rowBytes;
      for (int64_t n = 0; n < channels; ++n) {
        const T *source = weights + index.base(group, panel * 64 + n, tap);
        for (int64_t k = 0; k < g.run; ++k) {
          char *cell = image + k / kPerCell * rowBytes + n * 4;
          reinterpret_cast<T *>(cell)[k % kPerCell] = source[inRun[k]];
        }
      }
    }
  });
}

/// Sum, and the parts of it from positive and negative weights, of one channel.
struct WeightSums {
  int64_t positive = 0, negative = 0;
};

/// Of all channels, in one sweep over the weights in the order they usually
/// lie.
std::vector<WeightSums> weightSums(const ContractionGeometry &g) {
  WeightIndex index{g};
  std::vector<WeightSums> sums(g.numChannels());
  const int8_t *weights =
      reinterpret_cast<const int8_t *>(g.weights->raw.data());
  for (int64_t group = 0; group < g.groups; ++group)
    for (int64_t tap = 0; tap < g.numTaps(); ++tap)
      for (int64_t k = 0; k < g.run; ++k) {
        const int8_t *row =
            weights + index.base(group, 0, tap) + index.inRun(k);
        WeightSums *of = sums.data() + group * g.groupChannels;
        for (int64_t n = 0; n < g.groupChannels; ++n) {
          int64_t w = row[n * g.weightChannel];
          (w > 0 ? of[n].positive : of[n].negative) += w;
        }
      }
  return sums;
}

int64_t initIndex(const ContractionGeometry &g, int64_t n) {
  return g.initOffset + n / g.groupChannels * g.initGroup +
         n % g.groupChannels * g.initChannel;
}

void packStarts(const ContractionGeometry &g, MutableArrayRef<char> out) {
  std::vector<WeightSums> sums;
  if (!g.isFloat)
    sums = weightSums(g);
  for (int64_t n = 0; n < g.numChannels(); ++n) {
    char *cell = out.data() + 4 * n;
    if (g.isFloat) {
      float start = static_cast<float>(g.init->number(initIndex(g, n)));
      std::memcpy(cell, &start, 4);
      continue;
    }
    int64_t start = g.init->integer(initIndex(g, n));
#if QDIALECT_MUTATE == 19
    start = 0;
#endif
#if QDIALECT_MUTATE != 17
    // Activations are read as code + 128.
    start -= 128 * (sums[n].positive + sums[n].negative);
#endif
    int32_t wrapped = static_cast<int32_t>(start);
    std::memcpy(cell, &wrapped, 4);
  }
}

} // namespace

std::vector<ConstantBlob> packContraction(const ContractionGeometry &geometry) {
  std::vector<ConstantBlob> blobs(geometry.padded() ? 3 : 2);
  const ContractionGeometry &g = geometry;
  blobs[0].size = g.groups * g.groupBytes();
  blobs[0].fill = [g](MutableArrayRef<char> out) {
    if (g.isFloat)
      packWeights<float>(g, out);
    else
      packWeights<int8_t>(g, out);
  };
  // The last vector of channels may be read whole.
  blobs[1].size = 4 * (g.numChannels() + 64);
  blobs[1].fill = [g](MutableArrayRef<char> out) { packStarts(g, out); };
  if (g.padded())
    blobs[2] = g.paddingBlob();
  return blobs;
}

std::optional<Interval> accumulatorRange(const ContractionGeometry &g) {
  if (g.isFloat)
    return std::nullopt;
  Interval range{0, 0};
  std::vector<WeightSums> ofChannels = weightSums(g);
  for (int64_t n = 0; n < g.numChannels(); ++n) {
    WeightSums sums = ofChannels[n];
    double init = static_cast<double>(g.init->integer(initIndex(g, n)));
    double low = init - 128.0 * sums.positive + 127.0 * sums.negative;
    double high = init + 127.0 * sums.positive - 128.0 * sums.negative;
    range.low = std::min(range.low, low);
    range.high = std::max(range.high, high);
  }
  if (range.low < -2147483648.0 || range.high > 2147483647.0)
    return std::nullopt;
  return range;
}

} // namespace qdialect::cpu

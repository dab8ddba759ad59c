// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles against the plain sum over windows: images smaller than a tile, edges
// that cut tiles, strides, padding on every side, one slot and many.

#include "gtest/gtest.h"
#include <random>
#include <vector>

extern "C" {
#include "program.h"
}

namespace {

struct Window {
  int64_t images, height, width, channels; // of the input
  int64_t stride[2], filter[2], low[2];
  int64_t outHeight, outWidth;
  int64_t tileHeight, tileWidth;
};

/// The kernel of a tile: out[y][x][c] = 3 * bias[c] + 5 * other[y][x][c] +
/// sum over the window of in.
struct Kernel {
  static const Window *window;
  static void run(void **args, int64_t begin, int64_t end) {
    const Window &w = *window;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 7);
    const auto *in = static_cast<const int32_t *>(args[0]);
    const auto *bias = static_cast<const int32_t *>(args[1]);
    const auto *other = static_cast<const int32_t *>(args[2]);
    auto *out = static_cast<int32_t *>(args[3]);
    int64_t columns = (w.tileWidth - 1) * w.stride[1] + w.filter[1];
    for (int64_t y = 0; y < w.tileHeight; ++y)
      for (int64_t x = 0; x < w.tileWidth; ++x)
        for (int64_t c = 0; c < w.channels; ++c) {
          int64_t at = (y * w.tileWidth + x) * w.channels + c;
          int32_t sum = 3 * bias[c] + 5 * other[at];
          for (int64_t j = 0; j < w.filter[0]; ++j)
            for (int64_t i = 0; i < w.filter[1]; ++i)
              sum +=
                  in[((y * w.stride[0] + j) * columns + x * w.stride[1] + i) *
                         w.channels +
                     c];
          out[at] = sum;
        }
  }
};
const Window *Kernel::window = nullptr;

std::vector<int32_t> numbers(std::mt19937 &random, int64_t count) {
  std::vector<int32_t> list(count);
  for (int32_t &number : list)
    number = static_cast<int32_t>(random() % 1000);
  return list;
}

/// How a window test fails, if it does.
void check(const Window &w, int64_t slots, bool padded, std::mt19937 &random) {
  std::vector<int32_t> in =
      numbers(random, w.images * w.height * w.width * w.channels);
  std::vector<int32_t> bias = numbers(random, w.channels);
  std::vector<int32_t> padding = numbers(random, w.channels);
  int64_t outElements = w.images * w.outHeight * w.outWidth * w.channels;
  std::vector<int32_t> other = numbers(random, outElements);
  std::vector<int32_t> out(outElements, -1);

  int64_t patch[2] = {(w.tileHeight - 1) * w.stride[0] + w.filter[0],
                      (w.tileWidth - 1) * w.stride[1] + w.filter[1]};
  int64_t bytes = w.channels * 4;
  int64_t imageBytes = patch[0] * patch[1] * bytes;
  int64_t tileBytes = w.tileHeight * w.tileWidth * bytes;
  int64_t tiles = w.images * ((w.outHeight + w.tileHeight - 1) / w.tileHeight) *
                  ((w.outWidth + w.tileWidth - 1) / w.tileWidth);
  qd_tiles plan = {tiles,
                   w.outHeight,
                   w.outWidth,
                   w.tileHeight,
                   w.tileWidth,
                   std::min(slots, tiles),
                   imageBytes + 2 * tileBytes,
                   3};
  std::vector<qd_tile_arg> places(4, qd_tile_arg{});
  places[0] = {bytes,    w.height, w.width,  w.stride[0], w.stride[1],
               w.low[0], w.low[1], patch[0], patch[1],    0};
  places[2] = {bytes, w.outHeight, w.outWidth,   1,           1,
               0,     0,           w.tileHeight, w.tileWidth, imageBytes};
  places[3] = places[2];
  places[3].scratch = imageBytes + tileBytes;
  std::vector<char> scratch(plan.slots * plan.slot_bytes);
  void *args[] = {in.data(), bias.data(), other.data(), out.data()};
  Kernel::window = &w;
  qd_tiles_run(Kernel::run, args, 4, 7, &plan, places.data(), scratch.data(),
               padded ? reinterpret_cast<char *>(padding.data()) : nullptr, 0,
               plan.slots);

  for (int64_t n = 0, at = 0; n < w.images; ++n)
    for (int64_t y = 0; y < w.outHeight; ++y)
      for (int64_t x = 0; x < w.outWidth; ++x)
        for (int64_t c = 0; c < w.channels; ++c, ++at) {
          int32_t sum = 3 * bias[c] + 5 * other[at];
          for (int64_t j = 0; j < w.filter[0]; ++j)
            for (int64_t i = 0; i < w.filter[1]; ++i) {
              int64_t iy = y * w.stride[0] + j - w.low[0];
              int64_t ix = x * w.stride[1] + i - w.low[1];
              bool inside = iy >= 0 && iy < w.height && ix >= 0 && ix < w.width;
              if (inside)
                sum +=
                    in[((n * w.height + iy) * w.width + ix) * w.channels + c];
              else if (padded)
                sum += padding[c];
            }
          ASSERT_EQ(out[at], sum) << "image " << n << " pixel " << y << ", "
                                  << x << " channel " << c;
        }
}

TEST(TilesTest, EqualThePlainSum) {
  unsigned seed = 7;
  std::mt19937 random(seed);
  auto pick = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % (high - low + 1));
  };
  for (int round = 0; round < 300; ++round) {
    Window w;
    w.images = pick(1, 3);
    w.channels = pick(1, 4);
    int64_t size[2] = {pick(1, 30), pick(1, 30)};
    int64_t out[2];
    for (int axis = 0; axis < 2; ++axis) {
      w.stride[axis] = pick(1, 3);
      w.filter[axis] = pick(1, 4);
      w.low[axis] = pick(0, w.filter[axis] - 1);
      int64_t high = pick(0, w.filter[axis] - 1);
      int64_t padded =
          std::max(size[axis] + w.low[axis] + high, w.filter[axis]);
      out[axis] = (padded - w.filter[axis]) / w.stride[axis] + 1;
    }
    w.height = size[0];
    w.width = size[1];
    w.outHeight = out[0];
    w.outWidth = out[1];
    w.tileHeight = pick(1, 8);
    w.tileWidth = pick(1, 8);
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " +
                 std::to_string(round));
    check(w, pick(1, 5), pick(0, 1) != 0, random);
    if (HasFatalFailure())
      return;
  }
}

} // namespace

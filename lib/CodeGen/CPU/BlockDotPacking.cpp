// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The constants of block dot kernels.

#include "BlockDot.h"

using namespace mlir;

namespace qdialect::cpu {

BlockDotImage::BlockDotImage(BlockWeights weights) : w(std::move(weights)) {
  bool same = true;
  zero = w.zero(0, 0);
  int64_t low = 0, high = 0;
  sums.resize(w.numBlocks() * w.channels);
  // Along the rows of the constant, which is large.
  for (int64_t k = 0; k < w.depth; ++k) {
    int32_t *sumsOfBlock = sums.data() + k / w.block * w.channels;
    for (int64_t n = 0; n < w.channels; ++n) {
      int64_t value = centred(k, n);
      low = std::min(low, value);
      high = std::max(high, value);
      sumsOfBlock[n] += static_cast<int32_t>(value);
    }
  }
  for (int64_t b = 0; b < w.numBlocks(); ++b)
    for (int64_t n = 0; n < w.channels; ++n)
      same &= w.zero(b, n) == zero;
  wideSums = llvm::any_of(
      sums, [](int32_t sum) { return sum != static_cast<int16_t>(sum); });
  if (w.bits == 8)
    zeros = low >= -128 && high <= 127 ? Zeros::Folded : Zeros::Compensate;
  else
    zeros = same ? Zeros::Same : Zeros::Subtract;
  isNarrow = std::max(-low, high) <= CodeDotPolicy::kNarrow &&
             zeros != Zeros::Compensate;
}

/// What the image holds for index k of channel n; of indices that a block lacks
/// what counts as 0.
int64_t BlockDotImage::imageCode(int64_t block, int64_t k, int64_t n) const {
  bool exists = k < std::min(w.depth, (block + 1) * w.block);
  switch (zeros) {
  case Zeros::Folded:
    return exists ? centred(k, n) : 0;
  case Zeros::Compensate:
    return exists ? w.code(k, n) - 128 : 0;
  case Zeros::Same:
  case Zeros::Subtract:
    return exists ? w.code(k, n) : w.zero(block, n);
  }
  llvm_unreachable("unknown kind of zero points");
}

void BlockDotImage::fillCodes(MutableArrayRef<char> out) const {
  std::fill(out.begin(), out.end(), 0);
  constexpr int64_t lanes = Emitter::kLanes;
  for (int64_t b = 0; b < w.numBlocks(); ++b) {
    int64_t steps = stepsOf(std::min(w.block, w.depth - b * w.block));
    for (int64_t i = 0; i < 4 * steps; ++i) {
      char *row = out.data() + (b * stepsOf(w.block) + i / 4) * stepBytes();
      for (int64_t n = 0; n < w.channels; ++n) {
        int64_t vector = n % kPanel / lanes;
        int64_t place = n / kPanel * panelBytes() +
                        vector / perByte() * 4 * lanes + n % lanes * 4 + i % 4;
        row[place] |= static_cast<char>(imageCode(b, b * w.block + i, n)
                                        << vector % perByte() * w.bits);
      }
    }
  }
}

std::vector<ConstantBlob> BlockDotImage::constants() const {
  int64_t parameters = panels() * w.numBlocks() * kPanel;
  auto image = std::make_shared<const BlockDotImage>(*this);
  // Calls `write(place, block, channel)` for each parameter.
  auto fill = [image](MutableArrayRef<char> out, auto write) {
    const BlockWeights &w = image->w;
    std::fill(out.begin(), out.end(), 0);
    for (int64_t b = 0; b < w.numBlocks(); ++b)
      for (int64_t n = 0; n < w.channels; ++n)
        write((n / kPanel * w.numBlocks() + b) * kPanel + n % kPanel, b, n);
  };
  auto store = [](MutableArrayRef<char> out, int64_t place, auto value) {
    std::memcpy(out.data() + place * sizeof(value), &value, sizeof(value));
  };
  ConstantBlob codes, scales, ofBlocks, offsets;
  codes.size = panels() * panelBytes();
  codes.fill = [image](MutableArrayRef<char> out) { image->fillCodes(out); };
  scales.size = parameters * 4;
  scales.fill = [=](MutableArrayRef<char> out) {
    fill(out, [&](int64_t place, int64_t b, int64_t n) {
      store(out, place, image->w.scale(b, n));
    });
  };
  ofBlocks.size = parameters * sumBytes();
  ofBlocks.fill = [=](MutableArrayRef<char> out) {
    fill(out, [&](int64_t place, int64_t b, int64_t n) {
      int32_t sum = image->sums[b * image->w.channels + n];
      if (image->wideSums)
        store(out, place, sum);
      else
        store(out, place, static_cast<int16_t>(sum));
    });
  };
  std::vector<ConstantBlob> result{codes, scales, ofBlocks};
  if (zeros == Zeros::Subtract) {
    offsets.size = parameters;
    offsets.fill = [=](MutableArrayRef<char> out) {
      fill(out, [&](int64_t place, int64_t b, int64_t n) {
        store(out, place, static_cast<uint8_t>(image->w.zero(b, n)));
      });
    };
    result.push_back(offsets);
  } else if (zeros == Zeros::Compensate) {
    offsets.size = parameters * 4;
    offsets.fill = [=](MutableArrayRef<char> out) {
      fill(out, [&](int64_t place, int64_t b, int64_t n) {
        store(out, place, static_cast<int32_t>(image->w.zero(b, n) - 128));
      });
    };
    result.push_back(offsets);
  }
  return result;
}

} // namespace qdialect::cpu

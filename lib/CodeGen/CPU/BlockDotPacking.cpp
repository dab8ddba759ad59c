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
  auto image = std::make_shared<const BlockDotImage>(*this);
  ConstantBlob codes;
  codes.size = panels() * panelBytes();
  codes.fill = [image](MutableArrayRef<char> out) { image->fillCodes(out); };
  auto sumOf = [image](int64_t b, int64_t n) {
    return image->sums[b * image->w.channels + n];
  };
  auto zeroOf = [image](int64_t b, int64_t n) { return image->w.zero(b, n); };
  std::vector<ConstantBlob> result{
      std::move(codes),
      panelParameter<float>(
          w, [image](int64_t b, int64_t n) { return image->w.scale(b, n); }),
      wideSums ? panelParameter<int32_t>(w, sumOf)
               : panelParameter<int16_t>(w, sumOf)};
  if (zeros == Zeros::Subtract)
    result.push_back(panelParameter<uint8_t>(w, zeroOf));
  else if (zeros == Zeros::Compensate)
    result.push_back(panelParameter<int32_t>(
        w, [=](int64_t b, int64_t n) { return zeroOf(b, n) - 128; }));
  return result;
}

} // namespace qdialect::cpu

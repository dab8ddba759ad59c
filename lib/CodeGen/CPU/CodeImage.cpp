// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses the bits of a packed image of codes, and brings codes out of it.

#include "CodeImage.h"

#include "DotPolicy.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

void ChannelCodes::add(int64_t code) {
  (code > 0 ? positive : negative) += code;
  low = std::min(low, code);
  high = std::max(high, code);
}

CodeImage CodeImage::choose(ArrayRef<ChannelCodes> channels,
                            std::optional<Interval> sums) {
  CodeImage image;
  int64_t low = 0, high = 0, widest = 0;
  for (const ChannelCodes &channel : channels) {
    low = std::min(low, channel.low);
    high = std::max(high, channel.high);
    widest = std::max(widest, channel.high - channel.low);
  }
  image.isNarrow = std::max(-low, high) <= CodeDotPolicy::kNarrow;
  for (int64_t bits : {2, 4}) {
    int64_t codes = int64_t(1) << bits;
    if (widest >= codes)
      continue;
    image.bits = bits;
    if (low >= -codes / 2 && high < codes / 2) {
      image.base = -codes / 2;
      double most = std::ldexp(1.0, 31 - static_cast<int>(image.scaleBits()));
      image.mayScale = sums && sums->magnitude() < most;
    } else if (high - low < codes) {
      image.base = low;
    }
    break;
  }
  return image;
}

std::string CodeImage::key() const {
  if (!isPacked())
    return isNarrow ? " narrow" : "";
  std::string text = " bits " + std::to_string(bits);
  text += base ? " from " + std::to_string(*base) : " from bases";
  return text + (mayScale ? " scaled" : "");
}

char CodeImage::place(int64_t code, int64_t base, int64_t part) const {
  return static_cast<char>((code - base) << part * bits);
}

Value extractBits(Emitter &e, Value bytes, int64_t bits, int64_t part) {
  Type type = bytes.getType();
  if (part > 0)
    bytes = arith::ShRUIOp::create(e, bytes, e.constantInt(type, part * bits));
  return arith::AndIOp::create(e, bytes,
                               e.constantInt(type, (int64_t(1) << bits) - 1));
}

Value CodeImage::unpack(Emitter &e, Value row, int64_t part,
                        Value bases) const {
  Value distance = extractBits(e, row, bits, part);
  if (!bases)
    bases = e.constantInt(row.getType(), *base);
#if QDIALECT_MUTATE == 86
  bases = e.constantInt(row.getType(), -(int64_t(1) << bits) / 2);
#endif
  return arith::AddIOp::create(e, distance, bases);
}

Value CodeImage::unpackScaled(Emitter &e, Value row, int64_t part) const {
  Type type = row.getType();
  int64_t up = scaleBits() - part * bits;
  if (up > 0)
    row = arith::ShLIOp::create(e, row, e.constantInt(type, up));
  int64_t upper = 256 - (int64_t(1) << scaleBits());
#if QDIALECT_MUTATE == 87
  upper = 255;
#endif
  row = arith::AndIOp::create(e, row, e.constantInt(type, upper));
  return arith::XOrIOp::create(e, row, e.constantInt(type, 128));
}

} // namespace qdialect::cpu

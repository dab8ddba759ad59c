// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the codes of constant weights lie in a packed image: a byte each, or two
// or four of them in the bits of one byte, whatever type they have in the
// program. A row of the image holds the k steps that share its bytes:
//
//   4 bits: byte i of a vector = code i of step 2 r | code i of step 2 r + 1
//   << 4
//
// so that one load serves as many steps, and shifts and masks of whole vectors
// bring them out. Codes are stored from their base on: code - base is unsigned.
// With the base of two's complement, a step in the upper bits of its byte with
// the sign bit flipped is the code times 2^(8 - bits): where the sums of such
// products fit the accumulator nothing else is done, and the end of the tile
// shifts them back.

#ifndef QDIALECT_LIB_CODEGEN_CPU_CODEIMAGE_H
#define QDIALECT_LIB_CODEGEN_CPU_CODEIMAGE_H

#include "Emitter.h"
#include "KernelRegion.h"

namespace qdialect::cpu {

/// What a channel's weights take part in and which codes it has, 0 included.
struct ChannelCodes {
  int64_t positive = 0, negative = 0; ///< sums of the codes of either sign
  int64_t low = 0, high = 0;

  void add(int64_t code);
  int64_t sum() const { return positive + negative; }
};

struct CodeImage {
  int64_t bits = 8;
  /// The smallest code of all channels; nothing if each has its own.
  std::optional<int64_t> base;
  /// Products of these codes and bytes add to an i16 in pairs.
  bool isNarrow = false;
  /// The sums may be multiplied by 2^(8 - bits).
  bool mayScale = false;

  /// The fewest bits for these channels, whose accumulators stay in `sums`.
  static CodeImage choose(llvm::ArrayRef<ChannelCodes> channels,
                          std::optional<Interval> sums);

  bool isPacked() const { return bits < 8; }
  int64_t perByte() const { return 8 / bits; }
  int64_t scaleBits() const { return 8 - bits; }
  bool hasBases() const { return isPacked() && !base; }
  int64_t baseOf(const ChannelCodes &channel) const {
    return base ? *base : channel.low;
  }
  /// Everything that code depends on, as text.
  std::string key() const;

  /// The bits that stand for `code` in step `part` of a byte.
  char place(int64_t code, int64_t base, int64_t part) const;

  /// The codes of step `part` of an image row's vector<NxI8>; `bases` where
  /// channels have their own.
  mlir::Value unpack(Emitter &e, mlir::Value row, int64_t part,
                     mlir::Value bases) const;
  /// The same times 2^(8 - bits).
  mlir::Value unpackScaled(Emitter &e, mlir::Value row, int64_t part) const;
};

/// Bits [part * bits, part * bits + bits) of each byte.
mlir::Value extractBits(Emitter &e, mlir::Value bytes, int64_t bits,
                        int64_t part);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_CODEIMAGE_H

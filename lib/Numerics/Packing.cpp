// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bit streams of codes, written once for both element widths; 8 and 16 bits are
// not special, the loop is fast enough for what is done once a constant.
#include "QDialect/Numerics/Packing.h"

#include <cassert>

namespace qdialect {

template <typename Code>
static void pack(const Code *codes, size_t count, unsigned bits, uint8_t *out) {
  assert(bits >= 1 && bits <= 8 * sizeof(Code));
  uint32_t mask = (uint32_t{1} << bits) - 1;
  uint32_t window = 0;
  unsigned filled = 0;
  for (size_t i = 0; i < count; ++i) {
    window |= (codes[i] & mask) << filled;
    filled += bits;
    for (; filled >= 8; filled -= 8, window >>= 8)
      *out++ = static_cast<uint8_t>(window);
  }
  if (filled != 0)
    *out = static_cast<uint8_t>(window);
}

/// Calls `store(i, code)` for each code.
template <typename Store>
static void unpack(const uint8_t *packed, size_t count, unsigned bits,
                   Store store) {
  assert(bits >= 1 && bits <= 16);
  uint32_t mask = (uint32_t{1} << bits) - 1;
  uint32_t window = 0;
  unsigned filled = 0;
  for (size_t i = 0; i < count; ++i) {
    for (; filled < bits; filled += 8)
      window |= static_cast<uint32_t>(*packed++) << filled;
    store(i, window & mask);
    window >>= bits;
    filled -= bits;
  }
}

void packCodes(const uint8_t *codes, size_t count, unsigned bits,
               uint8_t *out) {
  pack(codes, count, bits, out);
}

void packCodes(const uint16_t *codes, size_t count, unsigned bits,
               uint8_t *out) {
  pack(codes, count, bits, out);
}

void unpackCodes(const uint8_t *packed, size_t count, unsigned bits,
                 uint8_t *codes) {
  assert(bits <= 8);
  unpack(packed, count, bits, [&](size_t i, uint32_t code) {
    codes[i] = static_cast<uint8_t>(code);
  });
}

void unpackCodes(const uint8_t *packed, size_t count, unsigned bits,
                 uint16_t *codes) {
  unpack(packed, count, bits, [&](size_t i, uint32_t code) {
    codes[i] = static_cast<uint16_t>(code);
  });
}

void unpackSigned(const uint8_t *packed, size_t count, unsigned bits,
                  int8_t *values) {
  assert(bits <= 8);
  unpack(packed, count, bits, [&](size_t i, uint32_t code) {
    values[i] = static_cast<int8_t>(signExtend(code, bits));
  });
}

void unpackSigned(const uint8_t *packed, size_t count, unsigned bits,
                  int16_t *values) {
  unpack(packed, count, bits, [&](size_t i, uint32_t code) {
    values[i] = static_cast<int16_t>(signExtend(code, bits));
  });
}

} // namespace qdialect

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing codes of 1 to 16 bits into bytes.
//
// Code i occupies the bits [i * b, (i + 1) * b) of the stream; bit k of the
// stream is bit k mod 8 of byte k div 8 (little endian throughout). Two int4
// codes 0x3, 0xA make the byte 0xA3; three 3-bit codes 1, 2, 7 make 0xD1 0x01.
// The unused bits of the last byte are 0. ONNX's int4 tensors have this order.
//
// A code is a bit pattern: packing keeps the low b bits of each element, so
// negative int8 values need no preparation, and unpacking into a signed type
// sign-extends only through `unpackSigned`.
#ifndef QDIALECT_NUMERICS_PACKING_H
#define QDIALECT_NUMERICS_PACKING_H

#include <cstddef>
#include <cstdint>

namespace qdialect {

/// The bytes that `count` codes of `bits` bits take.
constexpr size_t packedSize(size_t count, unsigned bits) {
  return (count * bits + 7) / 8;
}

/// Packs; `out` has packedSize(count, bits) bytes. 1 <= bits <= 16 (8 for
/// bytes).
void packCodes(const uint8_t *codes, size_t count, unsigned bits, uint8_t *out);
void packCodes(const uint16_t *codes, size_t count, unsigned bits,
               uint8_t *out);

/// Unpacks, zero-extended.
void unpackCodes(const uint8_t *packed, size_t count, unsigned bits,
                 uint8_t *codes);
void unpackCodes(const uint8_t *packed, size_t count, unsigned bits,
                 uint16_t *codes);

/// Unpacks two's complement codes, sign-extended.
void unpackSigned(const uint8_t *packed, size_t count, unsigned bits,
                  int8_t *values);
void unpackSigned(const uint8_t *packed, size_t count, unsigned bits,
                  int16_t *values);

/// The signed number in the low `bits` bits of `code`, 1 <= bits <= 31.
constexpr int32_t signExtend(uint32_t code, unsigned bits) {
  uint32_t sign = uint32_t{1} << (bits - 1);
  uint32_t low = code & ((uint32_t{1} << bits) - 1);
  return static_cast<int32_t>(low ^ sign) - static_cast<int32_t>(sign);
}

} // namespace qdialect

#endif // QDIALECT_NUMERICS_PACKING_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing against a bit-by-bit model, for every width.
#include "QDialect/Numerics/Packing.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <vector>

using namespace qdialect;
using qdialect::test::Random;

TEST(Packing, LiteralExamples) {
  const uint8_t nibbles[] = {0x3, 0xA, 0xF};
  uint8_t packed[2];
  packCodes(nibbles, 3, 4, packed);
  EXPECT_EQ(packed[0], 0xA3);
  EXPECT_EQ(packed[1], 0x0F);
  const uint8_t threes[] = {1, 2, 7};
  packCodes(threes, 3, 3, packed);
  EXPECT_EQ(packed[0], 0xD1);
  EXPECT_EQ(packed[1], 0x01);
  int8_t values[3];
  unpackSigned(packed, 3, 3, values);
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], 2);
  EXPECT_EQ(values[2], -1);
  EXPECT_EQ(signExtend(0xFF80, 8), -128);
  EXPECT_EQ(packedSize(0, 5), 0u);
  EXPECT_EQ(packedSize(3, 5), 2u);
}

/// Bit k of the stream.
static bool bit(const std::vector<uint8_t> &stream, size_t k) {
  return (stream[k / 8] >> (k % 8)) & 1;
}

TEST(Packing, EveryWidthBitByBit) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (unsigned bits = 1; bits <= 16; ++bits)
    for (size_t count = 0; count <= 67; ++count) {
      std::vector<uint16_t> codes(count), back(count);
      for (uint16_t &code : codes)
        code = static_cast<uint16_t>(random.bits());
      // One byte behind the end must stay as it was.
      std::vector<uint8_t> packed(packedSize(count, bits) + 1, 0xEE);
      packCodes(codes.data(), count, bits, packed.data());
      ASSERT_EQ(packed.back(), 0xEE);
      for (size_t i = 0; i < count; ++i)
        for (unsigned b = 0; b < bits; ++b)
          ASSERT_EQ(bit(packed, i * bits + b), (codes[i] >> b) & 1)
              << bits << " bits, code " << i;
      for (size_t k = count * bits; k < 8 * packedSize(count, bits); ++k)
        ASSERT_FALSE(bit(packed, k));

      unpackCodes(packed.data(), count, bits, back.data());
      uint32_t mask = (uint32_t{1} << bits) - 1;
      for (size_t i = 0; i < count; ++i)
        ASSERT_EQ(back[i], codes[i] & mask);
      std::vector<int16_t> wide(count);
      unpackSigned(packed.data(), count, bits, wide.data());
      for (size_t i = 0; i < count; ++i)
        ASSERT_EQ(wide[i], signExtend(codes[i], bits));
      if (bits > 8)
        continue;

      // The byte forms give the same stream and the same codes.
      std::vector<uint8_t> bytes(codes.begin(), codes.end());
      std::vector<uint8_t> again(packed.size(), 0xEE);
      packCodes(bytes.data(), count, bits, again.data());
      ASSERT_EQ(again, packed);
      unpackCodes(packed.data(), count, bits, bytes.data());
      std::vector<int8_t> narrow(count);
      unpackSigned(packed.data(), count, bits, narrow.data());
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(bytes[i], codes[i] & mask);
        ASSERT_EQ(narrow[i], wide[i]);
      }
    }
}

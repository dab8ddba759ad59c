// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sharing, alignment and conversion of host tensors.

#include "QDialect/Support/HostTensor.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace qdialect;

TEST(HostTensor, AllocatesZeroedAndAligned) {
  HostTensor tensor(DType::I16, {3, 5});
  EXPECT_EQ(tensor.size(), 15);
  EXPECT_EQ(tensor.sizeInBytes(), 30u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes()) % 64, 0u);
  for (int i = 0; i < 15; ++i)
    EXPECT_EQ(tensor.data<int16_t>()[i], 0);
}

TEST(HostTensor, CopiesShareUntilWritten) {
  auto a = HostTensor::of<float>(DType::F32, {2}, {1, 2});
  HostTensor b = a;
  EXPECT_EQ(a.bytes(), b.bytes());
  b.mutableData<float>()[0] = 7;
  EXPECT_EQ(a.data<float>()[0], 1);
  EXPECT_EQ(b.data<float>()[0], 7);
}

TEST(HostTensor, BorrowedBytesAreNeverWritten) {
  alignas(8) const int32_t values[] = {1, 2};
  HostTensor tensor = HostTensor::borrow(DType::I32, {2}, values, nullptr);
  EXPECT_EQ(static_cast<const void *>(tensor.bytes()), values);
  tensor.mutableData<int32_t>()[0] = 9;
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(tensor.data<int32_t>()[0], 9);
}

TEST(HostTensor, MisalignedBytesAreCopied) {
  alignas(8) char bytes[12] = {};
  bytes[1] = 5;
  HostTensor tensor = HostTensor::borrow(DType::I32, {1}, bytes + 1, nullptr);
  EXPECT_EQ(tensor.data<int32_t>()[0], 5);
  EXPECT_NE(tensor.bytes(), bytes + 1);
}

TEST(HostTensor, RefusesImpossibleShapes) {
  EXPECT_FALSE(HostTensor::tryCreate(DType::F32, {-1}));
  EXPECT_FALSE(HostTensor::tryCreate(DType::F32, {1LL << 40, 1LL << 40}));
  EXPECT_FALSE(HostTensor::tryCreate(DType::F64, {1LL << 61}));
  // No elements are no problem, whatever the other dimensions are.
  EXPECT_TRUE(HostTensor::tryCreate(DType::F32, {1LL << 40, 0, 1LL << 40}));
  EXPECT_EQ(describe(DType::F32, {-1, 3}), "?x3xfloat32");
}

TEST(HostTensor, HalfRoundTripsEveryPattern) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float half = halfToFloat(uint16_t(bits)),
          brain = bfloatToFloat(uint16_t(bits));
    if (std::isnan(half))
      EXPECT_TRUE(std::isnan(halfToFloat(floatToHalf(half)))) << bits;
    else
      EXPECT_EQ(floatToHalf(half), bits);
    if (std::isnan(brain))
      EXPECT_TRUE(std::isnan(bfloatToFloat(floatToBfloat(brain)))) << bits;
    else
      EXPECT_EQ(floatToBfloat(brain), bits);
  }
}

// Between two neighbours h and h + 1 of binary16, everything below the middle
// goes down, above it up, and the middle to the even one.
TEST(HostTensor, HalfRoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    float low = halfToFloat(uint16_t(bits)),
          high = halfToFloat(uint16_t(bits + 1));
    float middle = float((double(low) + double(high)) / 2);
    EXPECT_EQ(floatToHalf(std::nextafterf(middle, 0.0f)), bits);
    EXPECT_EQ(floatToHalf(std::nextafterf(middle, INFINITY)), bits + 1);
    EXPECT_EQ(floatToHalf(middle), bits + (bits & 1));
    EXPECT_EQ(floatToHalf(-middle), 0x8000 | (bits + (bits & 1)));
  }
  EXPECT_EQ(floatToHalf(65519.996f), 0x7bff);
  EXPECT_EQ(floatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(floatToHalf(-INFINITY), 0xfc00);
  EXPECT_EQ(floatToBfloat(3.3961e38f), 0x7f7f);
  EXPECT_EQ(floatToBfloat(3.3962e38f), 0x7f80); // past the middle above the max
}

TEST(HostTensor, ConvertsAsStated) {
  auto x = HostTensor::of<float>(DType::F32, {5},
                                 {1.9f, -1.9f, 300.0f, -300.0f, std::nanf("")});
  HostTensor i = x.converted(DType::I8);
  EXPECT_EQ(std::vector<int8_t>(i.data<int8_t>(), i.data<int8_t>() + 5),
            (std::vector<int8_t>{1, -1, 127, -128, 0}));
  HostTensor u = x.converted(DType::U8);
  EXPECT_EQ(std::vector<uint8_t>(u.data<uint8_t>(), u.data<uint8_t>() + 5),
            (std::vector<uint8_t>{1, 0, 255, 0, 0}));
  HostTensor b = x.converted(DType::I1);
  EXPECT_EQ(b.asInteger(0), 1);
  auto wide = HostTensor::of<int64_t>(DType::I64, {2}, {257, -1});
  EXPECT_EQ(wide.converted(DType::U8).asInteger(0), 1);
  EXPECT_EQ(wide.converted(DType::U8).asInteger(1), 255);
  auto big = HostTensor::of<uint64_t>(DType::U64, {1}, {UINT64_MAX});
  EXPECT_EQ(big.converted(DType::F32).asDouble(0), 0x1p64);
  EXPECT_EQ(HostTensor::of<double>(DType::F64, {1}, {0x1p63})
                .converted(DType::I64)
                .asInteger(0),
            INT64_MAX);
}

TEST(HostTensor, BitEqualSeesSignsAndNaN) {
  auto a = HostTensor::of<float>(DType::F32, {1}, {0.0f});
  auto b = HostTensor::of<float>(DType::F32, {1}, {-0.0f});
  auto n = HostTensor::of<float>(DType::F32, {1}, {std::nanf("")});
  EXPECT_FALSE(bitEqual(a, b));
  EXPECT_TRUE(bitEqual(n, n));
  EXPECT_FALSE(bitEqual(a, a.reshaped({})));
  EXPECT_TRUE(
      bitEqual(HostTensor(DType::F32, {0, 2}), HostTensor(DType::F32, {0, 2})));
}

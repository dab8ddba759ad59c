// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/Execution/CompareTensors.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

using namespace qdialect;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

HostTensor floats(std::vector<int64_t> shape, std::vector<float> values) {
  return HostTensor::of<float>(DType::F32, std::move(shape), values);
}

TensorDifference difference(const HostTensor &a, const HostTensor &b) {
  return llvm::cantFail(compareTensors(a, b));
}

TEST(CompareTensorsTest, EqualTensors) {
  auto d = difference(floats({3}, {1, -2, 3}), floats({3}, {1, -2, 3}));
  EXPECT_TRUE(d.bitEqual());
  EXPECT_EQ(d.maxAbs, 0);
  EXPECT_EQ(d.sqnrDb, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(d.cosine, 1, 1e-12);
  EXPECT_EQ(d.argmaxShare, 1);
}

TEST(CompareTensorsTest, HandComputedFigures) {
  // Noise 0.01, signal 25: 10 log10(2500) dB.
  auto d = difference(floats({2}, {3.1f, 4}), floats({2}, {3, 4}));
  EXPECT_NEAR(d.maxAbs, 0.1, 1e-6);
  EXPECT_NEAR(d.sqnrDb, 10 * std::log10(2500.0), 1e-4);
  EXPECT_NEAR(d.cosine, (9.3 + 16) / (5 * std::hypot(3.1, 4)), 1e-7);
  EXPECT_EQ(d.equalShare, 0.5);
  EXPECT_FALSE(d.bitEqual());
}

TEST(CompareTensorsTest, ArgmaxIsByRow) {
  auto d = difference(floats({3, 2}, {1, 2, 5, 4, 7, 7}),
                      floats({3, 2}, {1, 2, 4, 5, 7, 7}));
  EXPECT_NEAR(d.argmaxShare, 2.0 / 3, 1e-12);
}

TEST(CompareTensorsTest, OrthogonalAndZeroVectors) {
  EXPECT_EQ(difference(floats({2}, {1, 0}), floats({2}, {0, 1})).cosine, 0);
  EXPECT_EQ(difference(floats({2}, {0, 0}), floats({2}, {0, 0})).cosine, 1);
  EXPECT_EQ(difference(floats({2}, {0, 0}), floats({2}, {0, 1})).cosine, 0);
}

TEST(CompareTensorsTest, SpecialValues) {
  EXPECT_EQ(difference(floats({1}, {kInf}), floats({1}, {kInf})).maxAbs, 0);
  EXPECT_EQ(difference(floats({1}, {kNaN}), floats({1}, {kNaN})).maxAbs, 0);
  EXPECT_EQ(difference(floats({1}, {kNaN}), floats({1}, {1})).maxAbs, kInf);
  // Equal as numbers, not as bits.
  auto zeros = difference(floats({1}, {-0.0f}), floats({1}, {0.0f}));
  EXPECT_EQ(zeros.maxAbs, 0);
  EXPECT_FALSE(zeros.bitEqual());
}

TEST(CompareTensorsTest, EmptyAndScalar) {
  EXPECT_TRUE(difference(floats({0, 3}, {}), floats({0, 3}, {})).bitEqual());
  EXPECT_TRUE(difference(floats({3, 0}, {}), floats({3, 0}, {})).bitEqual());
  auto d = difference(floats({}, {2}), floats({}, {3}));
  EXPECT_EQ(d.maxAbs, 1);
  EXPECT_EQ(d.argmaxShare, 1);
}

TEST(CompareTensorsTest, TypesMayDiffer) {
  auto codes = HostTensor::of<int8_t>(DType::I8, {2}, {-3, 4});
  auto d = difference(codes, floats({2}, {-3, 4}));
  EXPECT_EQ(d.maxAbs, 0);
  EXPECT_EQ(d.equalShare, 0);
}

TEST(CompareTensorsTest, ShapesMayNot) {
  auto result = compareTensors(floats({2}, {1, 2}), floats({1, 2}, {1, 2}));
  EXPECT_EQ(llvm::toString(result.takeError()),
            "shapes differ: 2xfloat32 against the reference's 1x2xfloat32");
}

} // namespace

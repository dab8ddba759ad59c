// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reference kernels against direct loops: every type, random shapes with
// strides, dilations, groups, transposes; floats bit by bit in the documented
// order.
#include "QDialect/Numerics/ReferenceKernels.h"

#include "Random.h"
#include "gtest/gtest.h"

#include <cstddef>
#include <limits>
#include <type_traits>

using namespace qdialect;
using qdialect::test::Random;

template <typename T>
static std::vector<T> randomVector(Random &random, int64_t size) {
  std::vector<T> result(static_cast<size_t>(size));
  for (T &value : result)
    if constexpr (std::is_floating_point_v<T>)
      value = static_cast<T>(random.real(-1, 1));
    else
      value = static_cast<T>(random.bits());
  return result;
}

/// acc + lhs * rhs by the definition: wide unsigned arithmetic, or two
/// roundings.
template <typename Lhs, typename Rhs, typename Acc>
static Acc step(Acc acc, Lhs lhs, Rhs rhs) {
  if constexpr (std::is_floating_point_v<Acc>)
    return acc + lhs * rhs;
  else
    return static_cast<Acc>(
        static_cast<uint64_t>(acc) +
        static_cast<uint64_t>(static_cast<int64_t>(lhs)) *
            static_cast<uint64_t>(static_cast<int64_t>(rhs)));
}

/// The nest of the header, loop by loop, element by element.
template <typename Lhs, typename Rhs, typename Acc>
static void naive(const std::vector<LoopDim> &loops, size_t level,
                  const Lhs *lhs, const Rhs *rhs, Acc *out) {
  if (level == loops.size()) {
    *out = step(*out, *lhs, *rhs);
    return;
  }
  const LoopDim &loop = loops[level];
  for (int64_t i = 0; i < loop.size; ++i)
    naive(loops, level + 1, lhs + i * loop.lhs, rhs + i * loop.rhs,
          out + i * loop.out);
}

template <typename T>
class Contract : public testing::Test {};

template <typename L, typename R, typename A>
struct Types {
  using Lhs = L;
  using Rhs = R;
  using Acc = A;
};

using AllTypes = testing::Types<
    Types<int8_t, int8_t, int32_t>, Types<uint8_t, int8_t, int32_t>,
    Types<int8_t, uint8_t, int32_t>, Types<uint8_t, uint8_t, int32_t>,
    Types<int16_t, int8_t, int32_t>, Types<int16_t, int16_t, int32_t>,
    Types<int32_t, int32_t, int32_t>, Types<int8_t, int8_t, int64_t>,
    Types<int16_t, int16_t, int64_t>, Types<int32_t, int32_t, int64_t>,
    Types<int64_t, int64_t, int64_t>, Types<float, float, float>,
    Types<double, double, double>>;
TYPED_TEST_SUITE(Contract, AllTypes);

TYPED_TEST(Contract, RandomNests) {
  using Lhs = typename TypeParam::Lhs;
  using Rhs = typename TypeParam::Rhs;
  using Acc = typename TypeParam::Acc;
  Random random;
  SCOPED_TRACE(test::trace());
  for (int trial = 0; trial < 150; ++trial) {
    // Dense strides for the output in a random order; others any.
    std::vector<LoopDim> loops;
    int64_t rank = random.integer(0, 5), out = 1, lhs = 1, rhs = 1;
    for (int64_t i = 0; i < rank; ++i) {
      LoopDim loop;
      loop.size = random.integer(1, i == 0 ? 70 : 5);
      if (random.integer(0, 1)) {
        loop.out = out;
        out *= loop.size;
      }
      loop.lhs = random.integer(0, 3);
      loop.rhs = random.integer(0, 3);
      lhs += (loop.size - 1) * loop.lhs;
      rhs += (loop.size - 1) * loop.rhs;
      size_t at = static_cast<size_t>(random.integer(0, i));
      loops.insert(loops.begin() + static_cast<std::ptrdiff_t>(at), loop);
    }
    auto a = randomVector<Lhs>(random, lhs);
    auto b = randomVector<Rhs>(random, rhs);
    auto got = randomVector<Acc>(random, out);
    auto want = got;
    contract(loops, a.data(), b.data(), got.data());
    naive(loops, 0, a.data(), b.data(), want.data());
    ASSERT_EQ(got, want) << "trial " << trial;
  }
}

TEST(Contract, IntegersWrap) {
  std::vector<int32_t> a = {std::numeric_limits<int32_t>::max()}, b = {3};
  std::vector<int32_t> out = {std::numeric_limits<int32_t>::max()};
  contract<int32_t, int32_t, int32_t>({}, a.data(), b.data(), out.data());
  EXPECT_EQ(out[0], static_cast<int32_t>(4u * 0x7fffffffu));
}

TEST(Contract, EmptyLoopsAndNegativeStrides) {
  std::vector<int8_t> a = {1, 2, 3}, b = {10, 20, 30};
  std::vector<int32_t> out = {7};
  contract<int8_t, int8_t, int32_t>({{0, 1, 1, 0}}, a.data(), b.data(),
                                    out.data());
  EXPECT_EQ(out[0], 7);
  contract<int8_t, int8_t, int32_t>({{3, 1, -1, 0}}, a.data(), b.data() + 2,
                                    out.data());
  EXPECT_EQ(out[0], 7 + 30 + 40 + 30);
}

/// A convolution written as in a textbook, with three spatial dimensions.
template <typename T, typename Acc>
static std::vector<Acc>
textbookConv(const ConvShape &shape, const std::vector<T> &input,
             const std::vector<T> &weights, std::vector<Acc> out) {
  auto at = [](const std::vector<int64_t> &v, size_t i, int64_t fallback) {
    return i < v.size() ? v[i] : fallback;
  };
  std::vector<int64_t> os = shape.outSpatial();
  int64_t gi = shape.inChannels / shape.groups;
  int64_t go = shape.outChannels / shape.groups;
  int64_t I[3], K[3], O[3], S[3], D[3];
  for (size_t i = 0; i < 3; ++i) {
    I[i] = at(shape.inSpatial, i, 1);
    K[i] = at(shape.kernel, i, 1);
    O[i] = at(os, i, 1);
    S[i] = at(shape.strides, i, 1);
    D[i] = at(shape.dilations, i, 1);
  }
  for (int64_t n = 0; n < shape.batch; ++n)
    for (int64_t x = 0; x < O[0]; ++x)
      for (int64_t y = 0; y < O[1]; ++y)
        for (int64_t z = 0; z < O[2]; ++z)
          for (int64_t oc = 0; oc < shape.outChannels; ++oc) {
            int64_t o =
                (((n * O[0] + x) * O[1] + y) * O[2] + z) * shape.outChannels +
                oc;
            for (int64_t a = 0; a < K[0]; ++a)
              for (int64_t b = 0; b < K[1]; ++b)
                for (int64_t c = 0; c < K[2]; ++c)
                  for (int64_t ic = 0; ic < gi; ++ic) {
                    int64_t i = (((n * I[0] + x * S[0] + a * D[0]) * I[1] +
                                  y * S[1] + b * D[1]) *
                                     I[2] +
                                 z * S[2] + c * D[2]) *
                                    shape.inChannels +
                                oc / go * gi + ic;
                    int64_t w = (((a * K[1] + b) * K[2] + c) * gi + ic) *
                                    shape.outChannels +
                                oc;
                    auto index = static_cast<size_t>(o);
                    out[index] = step(out[index], input[static_cast<size_t>(i)],
                                      weights[static_cast<size_t>(w)]);
                  }
          }
  return out;
}

static ConvShape randomConv(Random &random) {
  ConvShape shape;
  shape.batch = random.integer(1, 2);
  int64_t rank = random.integer(1, 3);
  for (int64_t i = 0; i < rank; ++i) {
    shape.kernel.push_back(random.integer(1, 3));
    shape.strides.push_back(random.integer(1, 3));
    shape.dilations.push_back(random.integer(1, 3));
    shape.inSpatial.push_back((shape.kernel.back() - 1) *
                                  shape.dilations.back() +
                              random.integer(1, 6));
  }
  switch (random.integer(0, 2)) {
  case 0:
    shape.inChannels = random.integer(1, 9);
    shape.outChannels = random.integer(1, 70);
    break;
  case 1:
    shape.groups = random.integer(2, 4);
    shape.inChannels = shape.groups * random.integer(1, 5);
    shape.outChannels = shape.groups * random.integer(1, 40);
    break;
  default: // depthwise, sometimes with a multiplier
    shape.groups = shape.inChannels = random.integer(1, 50);
    shape.outChannels = shape.groups * random.integer(1, 2);
  }
  return shape;
}

template <typename T, typename Acc>
static void testConv(Random &random) {
  ConvShape shape = randomConv(random);
  int64_t in = shape.batch * shape.inChannels, out = shape.batch;
  int64_t weight = shape.inChannels / shape.groups * shape.outChannels;
  out *= shape.outChannels;
  std::vector<int64_t> outSpatial = shape.outSpatial();
  for (size_t i = 0; i < shape.kernel.size(); ++i) {
    in *= shape.inSpatial[i];
    out *= outSpatial[i];
    weight *= shape.kernel[i];
  }
  auto x = randomVector<T>(random, in);
  auto w = randomVector<T>(random, weight);
  auto y = randomVector<Acc>(random, out);
  auto want = textbookConv<T, Acc>(shape, x, w, y);
  contract(convLoops(shape), x.data(), w.data(), y.data());
  ASSERT_EQ(y, want);
  int64_t macs = 1;
  for (const LoopDim &loop : convLoops(shape))
    macs *= loop.size;
  ASSERT_EQ(macs, shape.macs());
}

TEST(ConvProperty, EqualsTheTextbook) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int trial = 0; trial < 300; ++trial) {
    testConv<int8_t, int32_t>(random);
    testConv<float, float>(random);
    testConv<double, double>(random);
  }
}

TEST(Conv, OutputSizes) {
  ConvShape shape;
  shape.inSpatial = {7, 2};
  shape.kernel = {3, 3};
  shape.strides = {2, 1};
  EXPECT_EQ(shape.outSpatial(), (std::vector<int64_t>{3, 0}));
}

TEST(MatmulProperty, TransposesAndBatches) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int trial = 0; trial < 200; ++trial) {
    int64_t b = random.integer(1, 3), m = random.integer(1, 20),
            n = random.integer(1, 80), k = random.integer(0, 30);
    MatmulShape shape = MatmulShape::dense(b, m, n, k);
    bool transpose = random.integer(0, 1), broadcast = random.integer(0, 1);
    if (transpose) {
      shape.rhsRow = 1;
      shape.rhsColumn = k;
    }
    if (broadcast)
      shape.rhsBatch = 0;
    auto lhs = randomVector<int8_t>(random, b * m * k);
    auto rhs = randomVector<int8_t>(random, b * k * n);
    auto out = randomVector<int32_t>(random, b * m * n);
    auto want = out;
    for (int64_t i = 0; i < b; ++i)
      for (int64_t r = 0; r < m; ++r)
        for (int64_t c = 0; c < n; ++c)
          for (int64_t j = 0; j < k; ++j) {
            int64_t base = broadcast ? 0 : i * k * n;
            int64_t index = base + (transpose ? c * k + j : j * n + c);
            auto &cell = want[static_cast<size_t>((i * m + r) * n + c)];
            cell = step(cell, lhs[static_cast<size_t>((i * m + r) * k + j)],
                        rhs[static_cast<size_t>(index)]);
          }
    contract(matmulLoops(shape), lhs.data(), rhs.data(), out.data());
    ASSERT_EQ(out, want);
  }
}

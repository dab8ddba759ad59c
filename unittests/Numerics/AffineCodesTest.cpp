// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Float constants that give the codes of real numbers and of float programs.
#include "QDialect/Numerics/AffineCodes.h"

#include "Random.h"
#include "gtest/gtest.h"

using namespace qdialect;
using qdialect::test::Random;

namespace {

/// (n * scale + bias) / step.
struct Affine {
  float scale, bias, step;

  FloatAffine nearest() const {
    return {scale / step, static_cast<float>(bias / static_cast<double>(step))};
  }
  int32_t real(int32_t n) const {
    return quantizeExact(static_cast<double>(n) * scale + bias, step, 0, -128,
                         127);
  }
  int32_t floats(int32_t n) const {
    return quantize(static_cast<float>(n) * scale + bias, step, 0, -128, 127);
  }
};

template <typename Meaning>
AffineCodes codesOf(Meaning meaning) {
  AffineCodes wanted;
  wanted.low = -131;
  for (int32_t n = -131; n < 125; ++n)
    wanted.codes.push_back(meaning(n));
  return wanted;
}

TEST(AffineCodes, NearestThatIsRightStays) {
  Affine half{0.5f, 0, 1};
  AffineCodes wanted = codesOf([&](int32_t n) { return half.real(n); });
  std::optional<FloatAffine> found =
      chooseFloatAffine(wanted, half.nearest(), /*adds=*/false);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->factor, 0.5f);
  EXPECT_EQ(found->offset, 0.0f);
}

TEST(AffineCodes, NothingForOtherFunctions) {
  AffineCodes wanted =
      codesOf([](int32_t n) { return n < 0 ? -n / 2 : n / 2; });
  EXPECT_FALSE(chooseFloatAffine(wanted, {0.5f, 0}, /*adds=*/true));
}

// Biases that put one integer next to a tie: the nearest floats fail for some,
// moved ones for next to none, whichever meaning is asked for.
TEST(AffineCodes, NextToTies) {
  Random random;
  SCOPED_TRACE(qdialect::test::trace());
  int missed = 0, unsolved = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    Affine affine;
    affine.scale = static_cast<float>(random.real(0.01, 0.1));
    affine.step = static_cast<float>(random.real(0.01, 0.1));
    auto n = static_cast<int32_t>(random.integer(-100, 99));
    double tie = static_cast<double>(random.integer(-100, 99)) + 0.5;
    affine.bias = static_cast<float>(tie * affine.step -
                                     static_cast<double>(n) * affine.scale);
    for (bool real : {false, true}) {
      AffineCodes wanted = codesOf(
          [&](int32_t n) { return real ? affine.real(n) : affine.floats(n); });
      missed += !wanted.areThoseOf(affine.nearest());
      std::optional<FloatAffine> found =
          chooseFloatAffine(wanted, affine.nearest(), /*adds=*/true);
      if (!found) {
        ++unsolved;
        continue;
      }
      for (size_t i = 0; i < wanted.codes.size(); ++i)
        ASSERT_EQ(quantize((static_cast<float>(i) - 131) * found->factor +
                               found->offset,
                           1, 0, -128, 127),
                  wanted.codes[i]);
    }
  }
  EXPECT_GT(missed, 500); // else this tests nothing
  EXPECT_LE(unsolved, missed / 100);
}

} // namespace

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The widths that are proven of intermediate results, tried: the sequences run
// on a million random and adversarial numbers with a set of operations that
// looks at every result, and at what `within` states.
#include "QDialect/Numerics/IntegerBounds.h"

#include "QDialect/Numerics/IntegerSequences.h"
#include "Random.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace qdialect;
using qdialect::test::Random;

namespace {

constexpr IntegerScheme kSchemes[] = {IntegerScheme::QD, IntegerScheme::IBert,
                                      IntegerScheme::IVit};

/// A number of 32 or 64 bits.
struct Seen {
  int64_t value = 0;
  bool isDword = false;
};

/// Computes in 128 bits and keeps the widest result.
struct SeeingIntegers {
  using Value = Seen;
  IntermediateBits most;
  int64_t broken = 0; ///< statements that were not true

  Seen keep(__int128 value, bool isDword) {
    __int128 magnitude = value < 0 ? ~value : value;
    int bits = 1;
    for (; magnitude > 0; magnitude >>= 1)
      ++bits;
    int &widest = isDword ? most.dword : most.word;
    widest = std::max(widest, bits);
    return {static_cast<int64_t>(value), isDword};
  }
  Seen narrow(Seen x) { return keep(x.value, false); }
  Seen wide(Seen x) { return {x.value, true}; }
  Seen number(Seen x, int64_t n) { return {n, x.isDword}; }
  Seen add(Seen a, Seen b) {
    return keep(__int128(a.value) + b.value, a.isDword);
  }
  Seen sub(Seen a, Seen b) {
    return keep(__int128(a.value) - b.value, a.isDword);
  }
  Seen mul(Seen a, Seen b) {
    return keep(__int128(a.value) * b.value, a.isDword);
  }
  Seen min(Seen a, Seen b) { return {std::min(a.value, b.value), a.isDword}; }
  Seen max(Seen a, Seen b) { return {std::max(a.value, b.value), a.isDword}; }
  Seen div(Seen a, Seen b) { return {a.value / b.value, a.isDword}; }
  Seen shl(Seen a, Seen n) {
    return keep(__int128(a.value) << n.value, a.isDword);
  }
  Seen shr(Seen a, Seen n) { return {a.value >> n.value, a.isDword}; }
  Seen upper(Seen a, int64_t n) { return keep(a.value >> n, false); }
  Seen low(Seen a) {
    keep(a.value, false);
    return a;
  }
  Seen within(Seen a, int64_t low, int64_t high) {
    broken += a.value < low || a.value > high;
    return a;
  }
  Seen table(const std::vector<int32_t> &numbers, Seen index) {
    return {numbers[static_cast<size_t>(index.value) & (numbers.size() - 1)],
            false};
  }
  Seen bitLength(Seen x) {
    return {ScalarIntegers().bitLength(x.value), x.isDword};
  }
};

/// What was proven holds what was seen, which comes within `slack` bits of it.
void compare(const IntermediateBits &proven, const SeeingIntegers &seen,
             int slack) {
  EXPECT_TRUE(proven.fits()) << proven.word << " " << proven.dword;
  EXPECT_EQ(seen.broken, 0);
  EXPECT_LE(seen.most.word, proven.word);
  EXPECT_LE(seen.most.dword, proven.dword);
  EXPECT_GE(seen.most.dword, proven.dword - slack);
}

/// Rows that take norms to their ends: equal, one outlier, two values, random.
std::vector<int64_t> row(Random &random, int64_t length, unsigned bits) {
  int64_t low = -(int64_t(1) << (bits - 1)), high = -low - 1;
  std::vector<int64_t> codes(static_cast<size_t>(length));
  int64_t base = random.integer(0, 2) == 0   ? low
                 : random.integer(0, 1) == 0 ? high
                                             : random.integer(low, high);
  std::fill(codes.begin(), codes.end(), base);
  switch (random.integer(0, 3)) {
  case 0:
    codes[random.integer(0, length - 1)] = base == low ? high : low;
    break;
  case 1:
    for (int64_t &code : codes)
      code = random.integer(0, 1) ? low : high;
    break;
  case 2:
    for (int64_t &code : codes)
      code = random.integer(low, high);
    break;
  default:
    codes[random.integer(0, length - 1)] += base == high ? -1 : 1;
  }
  return codes;
}

} // namespace

TEST(IntermediateBits, OfSoftmaxHoldAMillionTrials) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (IntegerScheme scheme : kSchemes)
    for (unsigned bits : {8u, 16u})
      for (double scale : {1e-6, 1e-3, 0.05, 0.3}) {
        SCOPED_TRACE(testing::Message() << int(scheme) << " " << scale);
        auto p = chooseIntegerSoftmax(scheme, scale, bits, {0x1p-8, -128, 8});
        ASSERT_TRUE(p);
        constexpr int64_t length = 256;
        SeeingIntegers o;
        for (int trial = 0; trial < 170; ++trial) {
          std::vector<int64_t> codes = row(random, length, bits);
          int64_t most = *std::max_element(codes.begin(), codes.end()), sum = 0;
          std::vector<Seen> e;
          for (int64_t code : codes) {
            e.push_back(
                sequences::integerExp(o, p->exp, Seen{most - code, false}));
            sum += e.back().value;
          }
          Seen factor = sequences::softmaxFactor(o, *p, Seen{sum, true});
          for (Seen one : e)
            sequences::softmaxCode(o, *p, one, factor);
        }
        // What the papers multiply by is the largest only of a row of one.
        compare(softmaxBits(*p, bits, length), o,
                scheme == IntegerScheme::QD ? 1 : 3);
      }
}

TEST(IntermediateBits, OfNormsHoldAMillionTrials) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (IntegerScheme scheme : kSchemes)
    for (bool centred : {true, false})
      for (int64_t length : {1, 2, 33, 384, 16384}) {
        SCOPED_TRACE(testing::Message() << int(scheme) << " " << length);
        std::vector<float> gamma(static_cast<size_t>(length)), beta = gamma;
        for (float &one : gamma)
          one = static_cast<float>(random.real(-2, 2));
        for (float &one : beta)
          one = static_cast<float>(random.real(-2, 2));
        auto p = chooseIntegerNorm(scheme, gamma.data(), beta.data(), length,
                                   1e-3, 1e-6, {0.02, 3, 8});
        ASSERT_TRUE(p);
        int32_t zero = centred ? 0 : random.integer(0, 1) ? -32768 : 700;
        SeeingIntegers o;
        int64_t trials = std::max<int64_t>(33000 / length, 4);
        for (int64_t trial = 0; trial < trials; ++trial) {
          std::vector<int64_t> codes = row(random, length, 16);
          int64_t sum = 0, squares = 0;
          for (int64_t &code : codes) {
            code -= zero;
            sum += code;
            squares += code * code;
          }
          Seen centre, factor, shift;
          sequences::normRow(o, scheme, centred, length, p->epsilon,
                             Seen{sum, true}, Seen{squares, true}, centre,
                             factor, shift);
          for (size_t i = 0; i < codes.size(); ++i) {
            Seen z =
                sequences::normElement(o, scheme, length, Seen{codes[i], false},
                                       centre, factor, shift);
            sequences::normCode(o, z, Seen{p->gain[i], false},
                                Seen{p->bias[i], true}, p->shift);
          }
        }
        // The largest gain meets the largest element in rare rows alone.
        compare(normBits(scheme, centred, *p, 16, zero, length), o, 6);
      }
}

TEST(IntermediateBits, OfCurvesHoldEveryCode) {
  for (IntegerScheme scheme : kSchemes)
    for (auto kind : {IntegerCurveKind::Gelu, IntegerCurveKind::Silu})
      for (double scale : {1e-4, 1e-3, 0.03})
        for (int32_t zero : {-32768, 0, 32767}) {
          SCOPED_TRACE(testing::Message() << int(scheme) << " " << scale);
          auto p =
              chooseIntegerCurve(scheme, kind, {scale, zero, 16}, {0.02, 5, 8});
          ASSERT_TRUE(p);
          SeeingIntegers o;
          for (int64_t code = p->input.min(); code <= p->input.max(); ++code)
            sequences::integerCurve(o, *p, Seen{code, false});
          // The two exponentials of a sigmoid are never large together.
          compare(curveBits(*p), o, 14);
        }
}

TEST(IntegerErrors, OfThePapersSoftmaxHold) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (IntegerScheme scheme : {IntegerScheme::IBert, IntegerScheme::IVit})
    for (double scale : {3e-4, 2e-3, 0.02}) {
      IntegerGrid output{0x1p-8, -128, 8};
      auto p = chooseIntegerSoftmax(scheme, scale, 16, output);
      ASSERT_TRUE(p);
      for (int64_t length : {1, 7, 64}) {
        double bound =
            0.5 + softmaxErrorLsb(*p, scale, 16, output.scale, length);
        EXPECT_LT(bound, 60) << int(scheme) << " " << scale;
        for (int trial = 0; trial < 50; ++trial) {
          std::vector<int64_t> codes = row(random, length, 16), result = codes;
          integerSoftmaxRow(*p, codes.data(), result.data(), length);
          int64_t most = *std::max_element(codes.begin(), codes.end());
          double sum = 0;
          for (int64_t code : codes)
            sum += std::exp(double(code - most) * scale);
          for (size_t i = 0; i < codes.size(); ++i) {
            double real = std::exp(double(codes[i] - most) * scale) / sum;
            ASSERT_LE(std::fabs(double(result[i]) -
                                std::min(real / output.scale - 128, 127.0)),
                      bound);
          }
        }
      }
    }
}

TEST(IntegerErrors, OfThePapersNormsHold) {
  Random random;
  SCOPED_TRACE(test::trace());
  constexpr int64_t length = 64;
  std::vector<float> gamma(length, 0.2f);
  IntegerGrid output{0.02, 0, 8};
  for (IntegerScheme scheme : {IntegerScheme::IBert, IntegerScheme::IVit}) {
    auto p = chooseIntegerNorm(scheme, gamma.data(), nullptr, length, 1e-3,
                               1e-6, output);
    ASSERT_TRUE(p);
    // Eight deviations of ten codes each, the most that one element can be.
    double bound = normErrorLsb(scheme, *p, output);
    EXPECT_NEAR(bound, 80.5, 0.1);
    for (int trial = 0; trial < 300; ++trial) {
      std::vector<int64_t> codes = row(random, length, 16), result = codes;
      integerNormRow(scheme, true, 0, p->epsilon, p->gain.data(),
                     p->bias.data(), p->shift, 8, codes.data(), result.data(),
                     length);
      double mean = 0, variance = 0;
      for (int64_t code : codes)
        mean += double(code) / length;
      for (int64_t code : codes)
        variance += std::pow((double(code) - mean) * 1e-3, 2) / length;
      for (size_t i = 0; i < codes.size(); ++i) {
        double real = (double(codes[i]) - mean) * 1e-3 /
                      std::sqrt(variance + 1e-6) * 0.2 / output.scale;
        ASSERT_LE(std::fabs(double(result[i]) - real), bound + 0.5);
      }
    }
  }
}

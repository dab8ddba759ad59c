// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The float functions against f64: the largest error in ulp over all f32
// arguments. A run takes every 251st bit pattern; QDIALECT_EXHAUSTIVE=1 takes
// them all (some minutes), which is how the bounds of the header were found.
#include "QDialect/Numerics/FloatFunctions.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

using namespace qdialect;

static constexpr float kInf = std::numeric_limits<float>::infinity();

static float fromBits(uint32_t pattern) {
  float result;
  std::memcpy(&result, &pattern, sizeof result);
  return result;
}

static uint32_t toBits(float x) {
  uint32_t result;
  std::memcpy(&result, &x, sizeof result);
  return result;
}

/// The distance in units in the last place of the f32 nearest to `want`;
/// results of opposite infinities or a wrong NaN are infinitely far.
static double ulpError(float got, double want) {
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) && std::isnan(got)
               ? 0.0
               : std::numeric_limits<double>::infinity();
  // The common case by bits, which is most of the run time of these tests.
  uint64_t pattern;
  std::memcpy(&pattern, &want, sizeof want);
  auto field = static_cast<int64_t>((pattern >> 52) & 0x7ff) - 1023;
  if (field < 127) {
    auto unit =
        static_cast<uint64_t>(std::max<int64_t>(field, -126) - 23 + 1023);
    unit <<= 52;
    double ulp;
    std::memcpy(&ulp, &unit, sizeof ulp);
    return std::fabs(got - want) / ulp;
  }
  auto rounded = static_cast<float>(want);
  if (std::isinf(rounded) || std::isinf(got)) {
    if (rounded == got)
      return 0;
    // An overflow on one side only: measure from 2^128.
    double a = std::isinf(got) ? std::copysign(0x1p128, got) : got;
    double b = std::isinf(want) ? std::copysign(0x1p128, want) : want;
    return std::fabs(a - b) / 0x1p104;
  }
  return std::fabs(got - want) / 0x1p104;
}

struct Worst {
  double ulp = 0;
  float x = 0;
};

/// The largest error over the bit patterns 0, stride, 2 * stride, ...
template <typename Reference>
static Worst worst(FloatFunction function, Reference reference) {
  const char *exhaustive = std::getenv("QDIALECT_EXHAUSTIVE");
  uint64_t stride = exhaustive && *exhaustive == '1' ? 1 : 251;
  constexpr size_t kBlock = 4096;
  std::vector<float> x(kBlock), y(kBlock);
  Worst result;
  for (uint64_t pattern = 0; pattern < uint64_t{1} << 32;) {
    size_t n = 0;
    for (; n < kBlock && pattern < uint64_t{1} << 32; pattern += stride)
      x[n++] = fromBits(static_cast<uint32_t>(pattern));
    evaluate(function, x.data(), y.data(), static_cast<int64_t>(n));
    for (size_t i = 0; i < n; ++i) {
      double error = ulpError(y[i], reference(static_cast<double>(x[i])));
      if (error > result.ulp)
        result = {error, x[i]};
    }
  }
  return result;
}

#define EXPECT_WORST(function, bound, reference)                               \
  do {                                                                         \
    Worst w = worst(function, reference);                                      \
    EXPECT_LE(w.ulp, bound) << "at x = " << w.x;                               \
    RecordProperty("ulp", std::to_string(w.ulp));                              \
    std::printf("  worst %.4f ulp at %a\n", w.ulp, w.x);                       \
  } while (false)

TEST(FloatFunctionsUlp, Exp) {
  EXPECT_WORST(FloatFunction::Exp, 1.02, [](double x) { return std::exp(x); });
}

TEST(FloatFunctionsUlp, Log) {
  EXPECT_WORST(FloatFunction::Log, 0.91, [](double x) { return std::log(x); });
}

TEST(FloatFunctionsUlp, Log1p) {
  EXPECT_WORST(FloatFunction::Log1p, 0.9,
               [](double x) { return std::log1p(x); });
}

TEST(FloatFunctionsUlp, Erf) {
  EXPECT_WORST(FloatFunction::Erf, 1.08, [](double x) { return std::erf(x); });
}

TEST(FloatFunctionsUlp, Tanh) {
  EXPECT_WORST(FloatFunction::Tanh, 1.34,
               [](double x) { return std::tanh(x); });
}

TEST(FloatFunctionsUlp, Sigmoid) {
  EXPECT_WORST(FloatFunction::Sigmoid, 2.41, [](double x) {
    return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
  });
}

TEST(FloatFunctionsUlp, Rsqrt) {
  EXPECT_WORST(FloatFunction::Rsqrt, 1.5,
               [](double x) { return 1 / std::sqrt(x); });
}

TEST(FloatFunctions, SpecialValues) {
  float nan = std::nanf("");
  for (auto *function : {expF32, logF32, log1pF32, erfF32, tanhF32, sigmoidF32,
                         rsqrtF32, siluF32, geluF32, geluTanhF32})
    EXPECT_TRUE(std::isnan(function(nan)));

  EXPECT_EQ(expF32(0.0f), 1.0f);
  EXPECT_EQ(expF32(-0.0f), 1.0f);
  EXPECT_EQ(expF32(kInf), kInf);
  EXPECT_EQ(toBits(expF32(-kInf)), 0u);
  EXPECT_EQ(expF32(88.72284f), kInf);
  EXPECT_LT(expF32(88.72283f), kInf);
  EXPECT_EQ(expF32(-103.97208f), 0x1p-149f); // subnormals are not flushed
  EXPECT_EQ(expF32(-103.98f), 0.0f);

  EXPECT_EQ(logF32(1.0f), 0.0f);
  EXPECT_EQ(logF32(0.0f), -kInf);
  EXPECT_EQ(logF32(-0.0f), -kInf);
  EXPECT_EQ(logF32(kInf), kInf);
  EXPECT_TRUE(std::isnan(logF32(-1.0f)));
  EXPECT_TRUE(std::isnan(logF32(-kInf)));
  EXPECT_TRUE(std::isnan(logF32(-0x1p-149f)));
  EXPECT_FLOAT_EQ(logF32(0x1p-149f), -103.27893f);

  EXPECT_EQ(toBits(log1pF32(0.0f)), 0u);
  EXPECT_EQ(toBits(log1pF32(-0.0f)), toBits(-0.0f));
  EXPECT_EQ(log1pF32(0x1p-149f), 0x1p-149f);
  EXPECT_EQ(log1pF32(-1.0f), -kInf);
  EXPECT_EQ(log1pF32(kInf), kInf);
  EXPECT_TRUE(std::isnan(log1pF32(-kInf)));
  EXPECT_TRUE(std::isnan(log1pF32(-0x1.000002p0f)));

  for (auto *odd : {erfF32, tanhF32}) {
    EXPECT_EQ(toBits(odd(0.0f)), toBits(0.0f));
    EXPECT_EQ(toBits(odd(-0.0f)), toBits(-0.0f));
    EXPECT_EQ(odd(kInf), 1.0f);
    EXPECT_EQ(odd(-kInf), -1.0f);
    EXPECT_EQ(odd(100.0f), 1.0f);
    EXPECT_NE(odd(0x1p-149f), 0.0f);
  }
  EXPECT_EQ(sigmoidF32(0.0f), 0.5f);
  EXPECT_EQ(sigmoidF32(kInf), 1.0f);
  EXPECT_EQ(toBits(sigmoidF32(-kInf)), 0u);
  EXPECT_GT(sigmoidF32(-100.0f), 0.0f);

  EXPECT_EQ(rsqrtF32(0.0f), kInf);
  EXPECT_EQ(rsqrtF32(-0.0f), -kInf);
  EXPECT_EQ(rsqrtF32(kInf), 0.0f);
  EXPECT_TRUE(std::isnan(rsqrtF32(-1.0f)));
  EXPECT_EQ(rsqrtF32(0x1p-148f), 0x1p74f);

  EXPECT_EQ(geluF32(kInf), kInf);
  EXPECT_EQ(siluF32(kInf), kInf);
  EXPECT_EQ(geluF32(-20.0f), 0.0f);
  EXPECT_TRUE(std::isnan(geluF32(-kInf)));
  EXPECT_TRUE(std::isnan(siluF32(-kInf)));
}

TEST(FloatFunctions, OddFunctionsAreOddInBits) {
  for (uint32_t pattern = 0; pattern < 0x7f800000u; pattern += 9973) {
    float x = fromBits(pattern);
    ASSERT_EQ(toBits(erfF32(-x)), toBits(-erfF32(x))) << x;
    ASSERT_EQ(toBits(tanhF32(-x)), toBits(-tanhF32(x))) << x;
  }
}

TEST(FloatFunctions, ArraysEqualScalars) {
  struct Row {
    FloatFunction function;
    float (*scalar)(float);
  };
  std::vector<float> x, y;
  for (uint64_t pattern = 0; pattern < uint64_t{1} << 32; pattern += 65521)
    x.push_back(fromBits(static_cast<uint32_t>(pattern)));
  y.resize(x.size());
  for (Row row : {Row{FloatFunction::Exp, expF32},
                  {FloatFunction::Log, logF32},
                  {FloatFunction::Log1p, log1pF32},
                  {FloatFunction::Erf, erfF32},
                  {FloatFunction::Tanh, tanhF32},
                  {FloatFunction::Sigmoid, sigmoidF32},
                  {FloatFunction::Rsqrt, rsqrtF32},
                  {FloatFunction::Silu, siluF32},
                  {FloatFunction::Gelu, geluF32},
                  {FloatFunction::GeluTanh, geluTanhF32}}) {
    evaluate(row.function, x.data(), y.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      float want = row.scalar(x[i]);
      if (std::isnan(want))
        ASSERT_TRUE(std::isnan(y[i])) << x[i];
      else
        ASSERT_EQ(toBits(y[i]), toBits(want)) << x[i];
    }
  }
}

TEST(FloatFunctions, GeluAndSiluErrors) {
  // Absolute, because 1 + erf cancels for negative x.
  for (double x = -12; x < 12; x += 1e-4) {
    auto f = static_cast<float>(x);
    double d = f;
    double erfForm = 0.5 * d * (1 + std::erf(d * std::sqrt(0.5)));
    double tanhForm =
        0.5 * d *
        (1 + std::tanh(std::sqrt(2 / M_PI) * (d + 0.044715 * d * d * d)));
    double bound = std::fabs(d) * 0x1p-22 + 0x1p-149;
    ASSERT_NEAR(geluF32(f), erfForm, bound) << x;
    ASSERT_NEAR(geluTanhF32(f), tanhForm, bound) << x;
    double silu = d / (1 + std::exp(-d));
    ASSERT_NEAR(siluF32(f), silu, std::fabs(silu) * 0x1p-22) << x;
  }
}

/// An operation set that counts: the templates must not need anything else, nor
/// call `f` and `i` in ways an emitter could not follow.
namespace {
struct CountingOps : ScalarOps {
  int operations = 0;
  F add(F a, F b) { return ++operations, a + b; }
  F mul(F a, F b) { return ++operations, a * b; }
  F fma(F a, F b, F c) { return ++operations, std::fma(a, b, c); }
};
} // namespace

TEST(FloatFunctions, SequencesAreStraightLines) {
  // The same number of operations whatever the argument.
  int counts[3];
  const float xs[] = {0.1f, 50.0f, std::nanf("")};
  for (int i = 0; i < 3; ++i) {
    CountingOps o;
    sequences::gelu(o, xs[i]);
    sequences::tanh(o, xs[i]);
    sequences::log(o, xs[i]);
    counts[i] = o.operations;
  }
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_EQ(counts[0], counts[2]);
  EXPECT_GT(counts[0], 30);
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scale selection: literal grids, the guarantees (no scale of 0, infinity or
// NaN; zero exactly representable), and each estimator against what defines it.
#include "QDialect/Numerics/ScaleSelection.h"

#include "QDialect/Numerics/Quantize.h"
#include "Random.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

using namespace qdialect;
using qdialect::test::Random;

static constexpr float kInf = std::numeric_limits<float>::infinity();

static ScaleOptions int8() { return {}; }

static ScaleOptions uint8() {
  ScaleOptions options;
  options.qmin = 0;
  options.qmax = 255;
  return options;
}

static ScaleOptions with(RangeMethod method, bool symmetric = false) {
  ScaleOptions options;
  options.method = method;
  options.symmetric = symmetric;
  return options;
}

/// A sample of the normal distribution (Box and Muller), cut at 6.
static std::vector<float> bell(int64_t n) {
  Random random;
  std::vector<float> data;
  while (static_cast<int64_t>(data.size()) < n) {
    double radius = std::sqrt(-2 * std::log(random.real(1e-12, 1)));
    double x = radius * std::cos(random.real(0, 2 * M_PI));
    if (std::fabs(x) < 6)
      data.push_back(static_cast<float>(x));
  }
  return data;
}

TEST(ScaleSelection, LiteralGrids) {
  QuantParams params = chooseParams(ValueRange{-1, 3}, int8());
  EXPECT_EQ(params.scale, static_cast<float>(4.0 / 255));
  EXPECT_EQ(params.zeroPoint, -64);
  params = chooseParams(ValueRange{-1, 3}, uint8());
  EXPECT_EQ(params.zeroPoint, 64);

  ScaleOptions symmetric = with(RangeMethod::MinMax, true);
  params = chooseParams(ValueRange{-1, 3}, symmetric);
  EXPECT_EQ(params.scale, static_cast<float>(3.0 / 127));
  EXPECT_EQ(params.zeroPoint, 0);
  symmetric.qmin = 0;
  symmetric.qmax = 255;
  params = chooseParams(ValueRange{-1, 3}, symmetric);
  EXPECT_EQ(params.scale, static_cast<float>(3.0 / 127));
  EXPECT_EQ(params.zeroPoint, 128);
  symmetric.qmin = -127;
  symmetric.qmax = 127;
  EXPECT_EQ(chooseParams(ValueRange{-1, 3}, symmetric).zeroPoint, 0);

  // After ReLU all codes serve the positive side.
  params = chooseParams(ValueRange{0, 6}, int8());
  EXPECT_EQ(params.scale, static_cast<float>(6.0 / 255));
  EXPECT_EQ(params.zeroPoint, -128);
  // 0 is put into a range without it.
  params = chooseParams(ValueRange{2, 6}, int8());
  EXPECT_EQ(params.scale, static_cast<float>(6.0 / 255));
  params = chooseParams(ValueRange{-6, -2}, int8());
  EXPECT_EQ(params.zeroPoint, 127);
}

TEST(ScaleSelection, ZeroIsRoundedNotCut) {
  // -128 + 0.402 * 255 = -25.49 and -128 + 0.398 * 255 = -26.51.
  EXPECT_EQ(chooseParams(ValueRange{-0.402, 0.598}, int8()).zeroPoint, -25);
  EXPECT_EQ(chooseParams(ValueRange{-0.398, 0.602}, int8()).zeroPoint, -27);
}

TEST(ScaleSelection, OneBit) {
  ScaleOptions options = with(RangeMethod::MinMax, true);
  options.qmin = -1;
  options.qmax = 0;
  QuantParams params = chooseParams(ValueRange{-2, 3}, options);
  EXPECT_EQ(params.scale, 3.0f);
  EXPECT_EQ(params.zeroPoint, 0);
}

TEST(ScaleSelection, ZeroNotInRange) {
  ScaleOptions keep = int8();
  keep.zero = ZeroInRange::Keep;
  QuantParams params = chooseParams(ValueRange{1000, 1255}, keep);
  EXPECT_EQ(params.scale, 1.0f);
  EXPECT_EQ(params.zeroPoint, -1128);
  EXPECT_EQ(dequantize(-128, 1.0f, params.zeroPoint), 1000.0f);
  // Far and narrow: the scale grows until the zero point fits.
  params = chooseParams(ValueRange{1000, 1000.001}, keep);
  EXPECT_LE(std::abs(params.zeroPoint), (1 << 22) + 256);
  float back =
      dequantize(quantize(1000.0f, params.scale, params.zeroPoint, -128, 127),
                 params.scale, params.zeroPoint);
  EXPECT_NEAR(back, 1000.0, params.scale);
  // The real domain has no such limit.
  keep.domain = ZeroPointDomain::Real;
  params = chooseParams(ValueRange{1000, 1000.255}, keep);
  EXPECT_EQ(params.zeroPoint, 0);
  EXPECT_NEAR(params.scale, 0.001, 1e-9);
  EXPECT_NEAR(dequantizeRealZero(-128, params.scale, params.realZero), 1000,
              1e-4);
  EXPECT_NEAR(dequantizeRealZero(127, params.scale, params.realZero), 1000.255,
              1e-4);
}

TEST(ScaleSelection, DeadChannels) {
  for (RangeMethod method :
       {RangeMethod::MinMax, RangeMethod::AbsMax, RangeMethod::Percentile,
        RangeMethod::MSE, RangeMethod::Entropy, RangeMethod::Lp})
    for (bool symmetric : {false, true})
      for (std::vector<float> data : {std::vector<float>{},
                                      {0.0f, 0.0f, -0.0f},
                                      {std::nanf(""), kInf, -kInf}}) {
        QuantParams params =
            chooseParams(data.data(), static_cast<int64_t>(data.size()),
                         with(method, symmetric));
        EXPECT_EQ(params.scale, 1.0f);
        EXPECT_EQ(quantize(0.0f, params.scale, params.zeroPoint, -128, 127),
                  params.zeroPoint);
        EXPECT_EQ(params.zeroPoint, symmetric ? 0 : -128);
      }
}

TEST(ScaleSelection, ExtremeRangesKeepNormalScales) {
  for (float magnitude : {FLT_MAX, FLT_MIN, 1e-45f, 1e-30f})
    for (bool symmetric : {false, true})
      for (float sign : {1.0f, -1.0f}) {
        std::vector<float> data = {sign * magnitude, 0.0f, -sign * magnitude};
        QuantParams params =
            chooseParams(data.data(), 3, with(RangeMethod::MSE, symmetric));
        EXPECT_GE(params.scale, FLT_MIN);
        EXPECT_LE(params.scale, FLT_MAX);
        EXPECT_GE(params.zeroPoint, -128);
        EXPECT_LE(params.zeroPoint, 127);
      }
}

TEST(ScaleSelectionProperty, ZeroIsExactAndNothingClipsByMoreThanAStep) {
  Random random;
  SCOPED_TRACE(test::trace());
  for (int i = 0; i < 20000; ++i) {
    double a = random.real(-1, 1) * std::exp2(random.real(-100, 100));
    double b = random.real(-1, 1) * std::exp2(random.real(-100, 100));
    // Ranges are made of f32 data.
    ValueRange range{static_cast<float>(std::min(a, b)),
                     static_cast<float>(std::max(a, b))};
    for (ScaleOptions options : {int8(), uint8()}) {
      QuantParams params = chooseParams(range, options);
      ASSERT_EQ(dequantize(quantize(0.0f, params.scale, params.zeroPoint,
                                    options.qmin, options.qmax),
                           params.scale, params.zeroPoint),
                0.0f);
      for (double end : {range.min, range.max}) {
        auto x = static_cast<float>(end);
        float back = dequantize(quantize(x, params.scale, params.zeroPoint,
                                         options.qmin, options.qmax),
                                params.scale, params.zeroPoint);
        ASSERT_NEAR(back, x, params.scale * 1.001)
            << range.min << " " << range.max;
      }
    }
  }
}

TEST(RangeEstimation, IgnoresWhatIsNotFinite) {
  std::vector<float> data = {1, -kInf, 3, std::nanf(""), -2, kInf};
  for (RangeMethod method : {RangeMethod::MinMax, RangeMethod::MSE}) {
    ValueRange range = estimateRange(data.data(), 6, with(method));
    EXPECT_NEAR(range.min, -2, 0.1);
    EXPECT_NEAR(range.max, 3, 0.1);
  }
  ValueRange strided =
      estimateRange(data.data(), 3, with(RangeMethod::MinMax), 2);
  EXPECT_EQ(strided.min, -2);
  EXPECT_EQ(strided.max, 3);
}

TEST(RangeEstimation, AbsMaxIsSymmetric) {
  std::vector<float> data = {1, -5, 3};
  ValueRange range = estimateRange(data.data(), 3, with(RangeMethod::AbsMax));
  EXPECT_EQ(range.min, -5);
  EXPECT_EQ(range.max, 5);
}

TEST(RangeEstimation, PercentilesAreRanks) {
  std::vector<float> data(1000);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>(i) - 300; // -300 .. 699
  std::reverse(data.begin(), data.end());
  ScaleOptions options = with(RangeMethod::Percentile);
  options.percentile = 90; // 50 values off each end
  ValueRange range = estimateRange(data.data(), 1000, options);
  EXPECT_EQ(range.min, -250);
  EXPECT_EQ(range.max, 649);
  options.percentile = 100;
  range = estimateRange(data.data(), 1000, options);
  EXPECT_EQ(range.min, -300);
  EXPECT_EQ(range.max, 699);
  options.symmetric = true;
  options.percentile = 50; // |x|: 0, then 300 values twice, then 301..699
  range = estimateRange(data.data(), 1000, options);
  EXPECT_EQ(range.max, 250);
  EXPECT_EQ(range.min, -250);
}

/// sum |x - x^|^p written with the f32 functions.
static double directError(const std::vector<float> &data, QuantParams params,
                          double p) {
  double error = 0;
  for (float x : data) {
    float back =
        dequantize(quantize(x, params.scale, params.zeroPoint, -128, 127),
                   params.scale, params.zeroPoint);
    error += std::pow(std::fabs(double{x} - back), p);
  }
  return error;
}

TEST(RangeEstimation, LeastErrorBeatsEveryShrunkenRange) {
  SCOPED_TRACE(test::trace());
  std::vector<float> data = bell(4000);
  data.push_back(14.0f); // an outlier
  auto n = static_cast<int64_t>(data.size());
  for (bool symmetric : {true, false})
    for (double p : {2.0, 2.4, 4.0}) {
      ScaleOptions options =
          with(p == 2.0 ? RangeMethod::MSE : RangeMethod::Lp, symmetric);
      options.p = p;
      double found =
          directError(data, chooseParams(data.data(), n, options), p);
      ValueRange full =
          estimateRange(data.data(), n, with(RangeMethod::MinMax));
      for (int percent = 2; percent <= 100; ++percent) {
        ValueRange range{full.min * percent / 100, full.max * percent / 100};
        // A hair of room: the search works in f64 on a 1 % grid.
        EXPECT_LE(found,
                  directError(data, chooseParams(range, options), p) * 1.001)
            << symmetric << " " << p << " " << percent;
      }
    }
}

TEST(RangeEstimation, MSEFindsTheKnownClipOfABell) {
  // 4 bits: 2.47 sigma (FormatAnalysisTest has the table); bins and raw data
  // agree.
  std::vector<float> data = bell(200000);
  ScaleOptions options = with(RangeMethod::MSE, true);
  options.qmin = -7; // the table leaves the lowest code out
  options.qmax = 7;
  auto n = static_cast<int64_t>(data.size());
  EXPECT_NEAR(estimateRange(data.data(), n, options).max, 2.47, 0.1);
  std::vector<uint64_t> counts(1200);
  for (float x : data)
    ++counts[static_cast<size_t>((x + 6.0f) * 100.0f)];
  Bins bins{-6, 0.01, counts.data(), counts.size(), {}};
  EXPECT_NEAR(estimateRange(bins, options).max, 2.47, 0.1);
}

TEST(RangeEstimation, EntropyCutsALongTail) {
  std::vector<float> data = bell(50000);
  data.push_back(40.0f);
  auto n = static_cast<int64_t>(data.size());
  ValueRange range =
      estimateRange(data.data(), n, with(RangeMethod::Entropy, true));
  EXPECT_LT(range.max, 10);
  EXPECT_GT(range.max, 2);
  // More than 256 codes: the extremes.
  ScaleOptions wide = with(RangeMethod::Entropy, true);
  wide.qmin = -32768;
  wide.qmax = 32767;
  EXPECT_EQ(estimateRange(data.data(), n, wide).max, 40);
  // A range that is already uniform is kept.
  std::vector<float> flat;
  for (int i = 0; i <= 100000; ++i)
    flat.push_back(static_cast<float>(i) * 1e-5f);
  range = estimateRange(flat.data(), static_cast<int64_t>(flat.size()),
                        with(RangeMethod::Entropy));
  EXPECT_EQ(range.min, 0);
  EXPECT_GT(range.max, 0.9);
}

TEST(RangeEstimation, BinsUseTheirExtremes) {
  const uint64_t counts[] = {1, 0, 5, 2};
  Bins bins{-1, 0.5, counts, 4, {-0.9, 0.6}};
  ValueRange range = estimateRange(bins, with(RangeMethod::MinMax));
  EXPECT_EQ(range.min, -0.9);
  EXPECT_EQ(range.max, 0.6);
  bins.extremes = {};
  range = estimateRange(bins, with(RangeMethod::MinMax));
  EXPECT_EQ(range.min, -0.75); // middles of the outer bins
  EXPECT_EQ(range.max, 0.75);
}

TEST(ScaleSelection, PerChannel) {
  // [outer 2, channels 3, inner 2]
  std::vector<float> data = {1, -2, 0, 0, 10, 5, 4, 0, 0, 0, -20, 1};
  std::vector<QuantParams> params = chooseParamsPerChannel(
      data.data(), 2, 3, 2, with(RangeMethod::MinMax, true));
  ASSERT_EQ(params.size(), 3u);
  EXPECT_EQ(params[0].scale, static_cast<float>(4.0 / 127));
  EXPECT_EQ(params[1].scale, 1.0f);
  EXPECT_EQ(params[2].scale, static_cast<float>(20.0 / 127));
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collecting and merging statistics. The file form is in StatisticsFile.cpp.

#include "QDialect/PTQ/Statistics.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace qdialect;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

void ValueStatistics::totalChannels() {
  min = *std::min_element(channelMin.begin(), channelMin.end());
  max = *std::max_element(channelMax.begin(), channelMax.end());
  sum = std::accumulate(channelSum.begin(), channelSum.end(), 0.0);
  sumOfSquares = std::accumulate(channelSumOfSquares.begin(),
                                 channelSumOfSquares.end(), 0.0);
}

llvm::Error ValueStatistics::merge(const ValueStatistics &other) {
  if (!other.count)
    return llvm::Error::success();
  if (!count) {
    *this = other;
    return llvm::Error::success();
  }
  if (channelSum.size() != other.channelSum.size())
    return makeError(
        "number of channels differs: " + llvm::Twine(channelSum.size()) +
        " and " + llvm::Twine(other.channelSum.size()));
  count += other.count;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sum += other.sum;
  sumOfSquares += other.sumOfSquares;
  histogram.merge(other.histogram);
  for (size_t c = 0, n = channelSum.size(); c < n; ++c) {
    channelMin[c] = std::min(channelMin[c], other.channelMin[c]);
    channelMax[c] = std::max(channelMax[c], other.channelMax[c]);
    channelSum[c] += other.channelSum[c];
    channelSumOfSquares[c] += other.channelSumOfSquares[c];
  }
  return llvm::Error::success();
}

QuantParams ValueStatistics::chooseParams(const ScaleOptions &options) const {
  if (count && histogram.empty())
    return qdialect::chooseParams(ValueRange{min, max}, options);
  Bins bins;
  bins.lower = histogram.empty() ? 0 : histogram.lowerEdge(0);
  bins.width = histogram.getBinWidth();
  bins.counts = histogram.getCounts().data();
  bins.size = histogram.getCounts().size();
  if (count)
    bins.extremes = {min, max};
  return qdialect::chooseParams(bins, options);
}

const ValueStatistics *Statistics::lookup(llvm::StringRef name) const {
  auto it = values.find(name.str());
  return it == values.end() ? nullptr : &it->second;
}

llvm::Error Statistics::merge(const Statistics &other) {
  if (program != other.program)
    return makeError("statistics of different programs: " + program + " and " +
                     other.program);
  for (const auto &[name, value] : other.values) {
    // A value that one part never saw (its file was cut short) would silently
    // get a range from half of the data.
    if (samples && !values.count(name))
      return makeError("value '" + name + "' is in one part only");
    if (llvm::Error error = values[name].merge(value))
      return makeError("value '" + name +
                       "': " + llvm::toString(std::move(error)));
  }
  for (const auto &[name, value] : values)
    if (other.samples && !other.values.count(name))
      return makeError("value '" + name + "' is in one part only");
  samples += other.samples;
  return llvm::Error::success();
}

llvm::Expected<Statistics> qdialect::merge(const Statistics &a,
                                           const Statistics &b) {
  Statistics result = a;
  if (llvm::Error error = result.merge(b))
    return std::move(error);
  return result;
}

/// Adds rows of channels.size() values each to the per-channel figures.
static void addChannels(ValueStatistics &value, llvm::ArrayRef<float> data,
                        size_t channels) {
  for (size_t row = 0, n = data.size(); row < n; row += channels) {
    const float *x = data.data() + row;
    for (size_t c = 0; c < channels; ++c) {
      value.channelMin[c] = std::min(value.channelMin[c], x[c]);
      value.channelMax[c] = std::max(value.channelMax[c], x[c]);
      value.channelSum[c] += x[c];
      value.channelSumOfSquares[c] += static_cast<double>(x[c]) * x[c];
    }
  }
}

llvm::Error StatisticsCollector::add(llvm::StringRef name,
                                     llvm::ArrayRef<float> data,
                                     int64_t channels) {
  if (channels <= 0 || data.size() % channels)
    return makeError("value '" + name + "': " + llvm::Twine(data.size()) +
                     " elements do not divide into " + llvm::Twine(channels) +
                     " channels");
  float low = std::numeric_limits<float>::infinity(), high = -low;
  double sum = 0, squares = 0;
  uint64_t bad = 0;
  for (float x : data) {
    bad += !std::isfinite(x);
    low = std::min(low, x);
    high = std::max(high, x);
    sum += x;
    squares += static_cast<double>(x) * x;
  }
  if (bad)
    return makeError("value '" + name + "' has " + llvm::Twine(bad) +
                     " NaN or infinite of " + llvm::Twine(data.size()) +
                     " elements in sample " + llvm::Twine(statistics.samples));
  if (data.empty())
    return llvm::Error::success();

  ValueStatistics &value = statistics.values[name.str()];
  size_t wanted = perChannel && channels > 1 ? channels : 0;
  if (!value.count) {
    value.min = low;
    value.max = high;
    value.channelMin.assign(wanted, std::numeric_limits<float>::infinity());
    value.channelMax.assign(wanted, -std::numeric_limits<float>::infinity());
    value.channelSum.assign(wanted, 0);
    value.channelSumOfSquares.assign(wanted, 0);
  } else if (value.channelSum.size() != wanted) {
    return makeError("value '" + name + "' has " + llvm::Twine(channels) +
                     " channels in sample " + llvm::Twine(statistics.samples) +
                     ", " + llvm::Twine(value.channelSum.size()) + " before");
  }
  value.count += data.size();
  value.min = std::min(value.min, static_cast<double>(low));
  value.max = std::max(value.max, static_cast<double>(high));
  value.sum += sum;
  value.sumOfSquares += squares;
  value.histogram.add(data.data(), data.size(), value.absMax());
  if (wanted)
    addChannels(value, data, wanted);
  return llvm::Error::success();
}

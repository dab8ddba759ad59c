// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calibration remembers of each observed value. Memory does not depend on
// the number of samples, and statistics of parts of the data merge into those
// of the whole (docs/Calibration.md has the file format).
//
// Counts, extremes and histograms of a merge equal those of one pass exactly;
// sums (means) are f64 additions and agree to rounding.

#ifndef QDIALECT_PTQ_STATISTICS_H
#define QDIALECT_PTQ_STATISTICS_H

#include "QDialect/Numerics/ScaleSelection.h"
#include "QDialect/PTQ/Histogram.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qdialect {

/// One value's distribution over all samples.
struct ValueStatistics {
  uint64_t count = 0;
  double min = 0;
  double max = 0;
  double sum = 0;
  double sumOfSquares = 0;
  /// Empty in spite of counted values where channels were scaled or shifted
  /// since.
  Histogram histogram;

  /// Per channel (innermost dimension), empty when the value has no channels or
  /// they were not asked for. All of them have the same length.
  std::vector<float> channelMin;
  std::vector<float> channelMax;
  std::vector<double> channelSum;
  std::vector<double> channelSumOfSquares;

  /// The grid for this distribution; without a histogram, for its extremes.
  QuantParams chooseParams(const ScaleOptions &options) const;

  double absMax() const { return std::max(-min, max); }
  double mean() const { return count ? sum / count : 0; }
  /// Values per channel: what channelSum divides by.
  double channelMean(size_t channel) const {
    return channelSum[channel] * channelSum.size() / static_cast<double>(count);
  }
  double variance() const {
    return count ? std::max(sumOfSquares / count - mean() * mean(), 0.0) : 0;
  }
  double channelVariance(size_t channel) const {
    double mean = channelMean(channel);
    double square = channelSumOfSquares[channel] * channelSum.size() /
                    static_cast<double>(count);
    return std::max(square - mean * mean, 0.0);
  }

  /// Sets what is known of all values from what is known of each channel;
  /// there is at least one.
  void totalChannels();

  /// Adds `other`, the same value over other samples. Fails when the numbers of
  /// channels differ.
  llvm::Error merge(const ValueStatistics &other);
};

/// Statistics of a program: what `*.stats.json` holds.
struct Statistics {
  /// The digest of the observed program (qd.program on the module): statistics
  /// of another program are refused.
  std::string program;
  uint64_t samples = 0;
  /// By value name; ordered, so that files of equal contents are equal.
  std::map<std::string, ValueStatistics> values;

  const ValueStatistics *lookup(llvm::StringRef name) const;

  /// Adds `other`. Both must be of the same program and have the same values.
  llvm::Error merge(const Statistics &other);

  /// Reads and writes the JSON form. `path` only names the file in errors.
  static llvm::Expected<Statistics> parse(llvm::StringRef text,
                                          llvm::StringRef path);
  std::string print() const;

  static llvm::Expected<Statistics> read(llvm::StringRef path);
  /// Writes a temporary file beside `path` and renames it: a reader never
  /// sees half a file.
  llvm::Error write(llvm::StringRef path) const;
};

/// merge(a, b): the statistics of the union of both data sets.
llvm::Expected<Statistics> merge(const Statistics &a, const Statistics &b);

/// Collects statistics sample by sample. Not thread-safe; collect in several
/// collectors and merge.
class StatisticsCollector {
public:
  explicit StatisticsCollector(std::string program, bool perChannel = true)
      : perChannel(perChannel) {
    statistics.program = std::move(program);
  }

  /// Counts one sample of `name`. `channels` is the size of the innermost
  /// dimension (1 for a scalar or where channels have no meaning); it divides
  /// data.size() and may not change between samples. A NaN or an infinity is an
  /// error that names value and sample; nothing of this sample is then counted.
  llvm::Error add(llvm::StringRef name, llvm::ArrayRef<float> data,
                  int64_t channels);

  /// Lists `name` even if no sample computes it: a value in a branch that none
  /// takes, in all parts that are merged.
  void expect(llvm::StringRef name) { (void)statistics.values[name.str()]; }

  /// Call after each sample (one binding of all inputs).
  void finishSample() { ++statistics.samples; }

  const Statistics &get() const { return statistics; }
  Statistics take() { return std::move(statistics); }

private:
  bool perChannel;
  Statistics statistics;
};

} // namespace qdialect

#endif // QDIALECT_PTQ_STATISTICS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything is computed in double from the elements' values.

#include "QDialect/Execution/CompareTensors.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace qdialect;

/// The index of the largest of n elements; the first of equal ones, and a NaN
/// is never larger.
static int64_t argmax(const HostTensor &tensor, int64_t begin, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i)
    if (tensor.asDouble(begin + i) > tensor.asDouble(begin + best))
      best = i;
  return best;
}

static double argmaxAgreement(const HostTensor &a, const HostTensor &b) {
  if (a.rank() == 0 || a.size() == 0)
    return 1;
  int64_t row = a.shape().back(), rows = a.size() / row, equal = 0;
  for (int64_t i = 0; i < rows; ++i)
    equal += argmax(a, i * row, row) == argmax(b, i * row, row);
  return static_cast<double>(equal) / rows;
}

static bool sameBits(const HostTensor &a, const HostTensor &b, int64_t index) {
  size_t width = byteWidth(a.type());
  return a.type() == b.type() && !std::memcmp(a.bytes() + index * width,
                                              b.bytes() + index * width, width);
}

llvm::Expected<TensorDifference>
qdialect::compareTensors(const HostTensor &actual,
                         const HostTensor &reference) {
  if (actual.shape() != reference.shape())
    return llvm::createStringError(
        "shapes differ: " + describe(actual.type(), actual.shape()) +
        " against the reference's " +
        describe(reference.type(), reference.shape()));
  TensorDifference result;
  double signal = 0, noise = 0, dot = 0, norm = 0;
  int64_t equal = 0;
  for (int64_t i = 0, e = actual.size(); i < e; ++i) {
    equal += sameBits(actual, reference, i);
    double x = actual.asDouble(i), r = reference.asDouble(i);
    // The difference of equal infinities, or of two NaNs, is none.
    bool same = x == r || (std::isnan(x) && std::isnan(r));
    double difference = same ? 0 : std::abs(x - r);
    if (std::isnan(difference))
      difference = std::numeric_limits<double>::infinity();
    result.maxAbs = std::max(result.maxAbs, difference);
    noise += difference * difference;
    signal += r * r;
    norm += x * x;
    dot += x * r;
  }
  if (actual.size())
    result.equalShare = static_cast<double>(equal) / actual.size();
  result.sqnrDb = noise == 0 ? std::numeric_limits<double>::infinity()
                             : 10 * std::log10(signal / noise);
  if (signal > 0 && norm > 0)
    result.cosine = dot / std::sqrt(signal) / std::sqrt(norm);
  else
    result.cosine = signal == norm ? 1 : 0; // two zero vectors are alike
  result.argmaxShare = argmaxAgreement(actual, reference);
  return result;
}

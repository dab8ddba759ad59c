// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much a program loses when one of its layers gets narrower: the distance
// of its outputs from those of a reference, one number.
//
//   kl       mean over rows of KL(softmax(reference) || softmax(actual)), a row
//            being the last dimension. Cai et al., "ZeroQ", CVPR 2020,
//            section 3.2
//   sqnr     sum (actual - reference)^2 / sum reference^2, summed over outputs;
//            -10 log10 of it is the SQNR in dB. Pandey et al., "A Practical
//            Mixed Precision Algorithm for Post-Training Quantization",
//            arXiv 2302.05397
//   mse      mean of (actual - reference)^2 over the elements of all outputs
//   hessian  trace / n * |W' - W|^2, Dong et al., "HAWQ-V2", NeurIPS 2020,
//            section 3.1; the trace of the second derivative of the loss kl
//            (sqnr, where rows have one element) by Hutchinson's method
//            without backpropagation (Pipelines/Hutchinson.cpp)

#ifndef QDIALECT_SEARCH_OUTPUTLOSS_H
#define QDIALECT_SEARCH_OUTPUTLOSS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <vector>

namespace qdialect {

enum class LossMetric { KL, SQNR, MSE, Hessian };

std::optional<LossMetric> parseLossMetric(llvm::StringRef name);
llvm::StringRef stringify(LossMetric metric);

/// Adds up the distance of outputs, sample by sample. Metric hessian has no
/// distance of its own.
class OutputLoss {
public:
  explicit OutputLoss(LossMetric metric) : metric(metric) {}

  /// Output number `output` of one sample; `classes` elements are a row.
  void add(unsigned output, llvm::ArrayRef<double> reference,
           llvm::ArrayRef<double> actual, int64_t classes);
  double value() const;

private:
  struct Sums {
    double error = 0, power = 0;
  };
  LossMetric metric;
  std::vector<Sums> outputs;
  double divergence = 0;
  int64_t rows = 0, elements = 0;
};

} // namespace qdialect

#endif // QDIALECT_SEARCH_OUTPUTLOSS_H

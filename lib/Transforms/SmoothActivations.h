// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Channel factors between an activation and the contractions that read it
// (PTQ/Smoothing.h), part of qd-quantize:
//
//   %o = qd.observe %norm "x"; matmul(%o, W)
//   ->
//   %q = qd.quantize %norm scale s * f[c];  %o = qd.dequantize %q scale s
//   matmul(%o, f[c] * W)
//
// The two scales differ on purpose: what the codes stand for is the activation
// divided by its factors, which costs a constant and no operation. Where a
// contraction alone (with a bias and a relu) made the activation, its own
// weights and bias are divided instead, and both scales are s.

#ifndef QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H
#define QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Statistics.h"
#include "QuantizationPlan.h"

namespace qdialect {

struct Smoothed {
  /// By channel, the innermost dimension of the observed value.
  std::vector<float> factors;
  /// Of the activation divided by the factors.
  ValueStatistics statistics;
  /// The quantize divides; else the producer was changed.
  bool byScale = true;
};

/// Smooths what `observe` observes and rewrites the weights around it. Nothing
/// is changed, and nothing returned, unless contractions with constant weights
/// are the only readers and each sums over the channels.
std::optional<Smoothed> smoothActivation(qd::ObserveOp observe,
                                         const QuantizationPlan &plan,
                                         const ValueStatistics &statistics,
                                         double alpha);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

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
// divided by its factors, which costs a constant and no operation. Where
// integers make the activation, the weights that it is made with are divided
// instead (Analysis/ChannelGroup.h), and both scales are s; so are other
// observed values on the way, such as the linear side of a gated unit.

#ifndef QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H
#define QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/Statistics.h"
#include "QuantizationPlan.h"
#include "llvm/ADT/MapVector.h"

namespace qdialect {

struct Smoothed {
  /// By channel, the innermost dimension of the observed value.
  std::vector<float> factors;
  /// Of the activation divided by the factors.
  ValueStatistics statistics;
  /// The quantize divides; else the producer was changed.
  bool byScale = true;
};

/// Smooths what contractions with constant weights alone read, each summing
/// over the channels, and rewrites the weights around it. Values in the keys of
/// `smoothed` have factors already. Returns how many values were smoothed for
/// readers of their own.
int64_t smoothActivations(llvm::ArrayRef<qd::ObserveOp> observers,
                          const QuantizationPlan &plan,
                          const Statistics &statistics, const Recipe &recipe,
                          llvm::MapVector<qd::ObserveOp, Smoothed> &smoothed);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

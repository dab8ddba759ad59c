// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far a tensor is from its reference.

#ifndef QDIALECT_EXECUTION_COMPARETENSORS_H
#define QDIALECT_EXECUTION_COMPARETENSORS_H

#include "QDialect/Support/HostTensor.h"
#include "llvm/Support/Error.h"

namespace qdialect {

struct TensorDifference {
  double maxAbs = 0;     ///< largest |actual - reference|
  double sqnrDb = 0;     ///< 10 log10(sum ref^2 / sum (actual - ref)^2)
  double cosine = 1;     ///< of the two as vectors
  double equalShare = 1; ///< share of elements with the same bits
  /// Share of rows (all but the last dimension) whose largest element is at the
  /// same place; 1 for rank 0.
  double argmaxShare = 1;
  bool bitEqual() const { return equalShare == 1; }
};

/// Types may differ (codes against floats make no sense, f32 against f64 does);
/// shapes may not. NaN equals NaN; a NaN on one side alone makes maxAbs
/// infinite. Equal tensors have an infinite sqnrDb.
llvm::Expected<TensorDifference> compareTensors(const HostTensor &actual,
                                                const HostTensor &reference);

} // namespace qdialect

#endif // QDIALECT_EXECUTION_COMPARETENSORS_H

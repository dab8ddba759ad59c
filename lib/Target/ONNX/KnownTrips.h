// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How often a Loop runs whose condition follows from constants, as exporters
// write loops over a known number of steps:
//
//   body(i, c, time, state): (time + 1 < 24, time + 1, ...)     time starts at
//   0
//
// The operations that the condition is computed with are run here until it is
// false; the carried values among them have a known value in each iteration.

#ifndef QDIALECT_LIB_TARGET_ONNX_KNOWNTRIPS_H
#define QDIALECT_LIB_TARGET_ONNX_KNOWNTRIPS_H

#include "GraphBuilder.h"
#include "mlir/IR/Block.h"
#include <map>
#include <vector>

namespace qdialect::onnx_import {

struct KnownTrips {
  int64_t count = 0;
  /// By the number of a carried value: its values at the begin of each
  /// iteration, and at the end of the last one.
  std::map<size_t, std::vector<HostTensor>> values;
};

/// `body` has the arguments iteration (int64), condition and carried values,
/// and computes `results`, the condition and the next carried values, from
/// them. The condition holds at first. Nothing if the number of iterations
/// depends on anything but constants, or is too large to be counted here.
std::optional<KnownTrips> countTrips(mlir::Block &body,
                                     llvm::ArrayRef<Tensor> results,
                                     llvm::ArrayRef<Tensor> carried,
                                     std::optional<int64_t> limit);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_KNOWNTRIPS_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Channel factors between an activation and the contractions that read it
// (PTQ/Smoothing.h), for qd-quantize and the passes that choose factors:
//
//   %o = qd.observe %norm "x"; matmul(%o, W)
//   ->
//   %d = %norm / f;  %o = qd.observe %d "x";  matmul(%o, f[c] * W)
//
// The division becomes part of the codes' scales (ChannelDivision.h) and costs
// nothing. Where integers make the activation, the weights that it is made with
// are divided instead (Analysis/ChannelGroup.h); so are other observed values
// on the way, such as the linear side of a gated unit.

#ifndef QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H
#define QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/PTQ/Statistics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// Smooths what contractions with constant weights alone read, each summing
/// over the channels, as `recipe.smoothing` says; `statistics` become those of
/// the new program. Returns how many values were smoothed for readers of their
/// own.
int64_t smoothActivations(mlir::func::FuncOp function, const Recipe &recipe,
                          Statistics &statistics);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_SMOOTHACTIVATIONS_H

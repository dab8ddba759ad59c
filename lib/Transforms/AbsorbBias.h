// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-absorb-bias as a function, for qd-quantize.

#ifndef QDIALECT_LIB_TRANSFORMS_ABSORBBIAS_H
#define QDIALECT_LIB_TRANSFORMS_ABSORBBIAS_H

#include "QDialect/PTQ/Statistics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// Shifts channels by PTQ/BiasAbsorption.h; `statistics` become those of the
/// new program. Returns how many values were shifted.
int64_t absorbBiases(mlir::func::FuncOp function, double sigmas,
                     Statistics &statistics);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_ABSORBBIAS_H

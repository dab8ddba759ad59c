// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a program says that the channels of an observed value are divided before
// they are rounded:
//
//   %d = linalg.generic %x / [f0, f1, ...];  %o = qd.observe %d "x"
//
// qd-quantize takes the division into the scales of the codes, which divides
// for nothing: %q = qd.quantize %x scale s * f[c];  %o = qd.dequantize %q scale
// s.

#ifndef QDIALECT_LIB_TRANSFORMS_CHANNELDIVISION_H
#define QDIALECT_LIB_TRANSFORMS_CHANNELDIVISION_H

#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include <vector>

namespace qdialect {

/// Divides what `observe` observes by one factor for each index of the
/// innermost dimension.
void divideChannels(qd::ObserveOp observe, llvm::ArrayRef<float> factors);

/// Removes the divisions of observed values that no integers make, and returns
/// their factors.
llvm::DenseMap<mlir::Operation *, std::vector<float>>
takeDivisions(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_CHANNELDIVISION_H

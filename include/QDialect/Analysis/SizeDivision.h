// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divisions by a size that the program computes: what makes a sum over an image
// of symbolic size a mean.
//
//   y = sum / f32(h * w)
//
// The size is an index of the program. It stands in the payload, or in that of
// an op without inputs whose only element is it.

#ifndef QDIALECT_ANALYSIS_SIZEDIVISION_H
#define QDIALECT_ANALYSIS_SIZEDIVISION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace qdialect {

struct SizeDivision {
  mlir::OpOperand *dividend; ///< of the element-wise op
  mlir::Value size;          ///< an index that is computed outside of it
};

/// Nothing if `op` is more, or something else.
std::optional<SizeDivision> getSizeDivision(mlir::Operation *op);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_SIZEDIVISION_H

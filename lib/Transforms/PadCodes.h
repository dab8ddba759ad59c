// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pads of codes: by one code, or by one for each index of a dimension
// (Analysis/Padding.h).

#ifndef QDIALECT_LIB_TRANSFORMS_PADCODES_H
#define QDIALECT_LIB_TRANSFORMS_PADCODES_H

#include "Coefficient.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qdialect {

/// The codes that `pad` fills with, in the dimensions of its result; nothing if
/// they are no constant integers.
std::optional<Coefficient> getPadCodes(mlir::tensor::PadOp pad);

/// The same pad around `input`, which has another element type, by `codes`:
/// integers that vary along one dimension at most.
mlir::Value padCodes(mlir::OpBuilder &builder, mlir::tensor::PadOp pad,
                     mlir::Value input, const Coefficient &codes);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_PADCODES_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interpolation along one axis, of which resizing an image is two:
//
//   y[.., o, ..] = sum over taps t of  weight_t[o] * x[.., place_t[o], ..]
//
// as an element-wise op whose payload reads x with tensor.extract, at the loops
// themselves in every other dimension.

#ifndef QDIALECT_ANALYSIS_AXISINTERPOLATION_H
#define QDIALECT_ANALYSIS_AXISINTERPOLATION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <vector>

namespace qdialect {

struct AxisInterpolation {
  struct Tap {
    mlir::Value places;          ///< a constant, one integer a position
    std::vector<double> weights; ///< one a position
  };
  mlir::linalg::GenericOp op;
  mlir::Value source;
  unsigned axis = 0;
  llvm::SmallVector<Tap, 4> taps;
};

/// Nothing if `op` is no such sum, or a place lies outside the source.
std::optional<AxisInterpolation> getAxisInterpolation(mlir::Operation *op);

/// The loop whose counter `index` is, converted or not, if it is one.
std::optional<unsigned> walkedLoop(mlir::Value index);

/// Does the payload of `generic` read a tensor of as many dimensions as it has
/// loops so that some of its dimensions are walked by their own loops, and none
/// by another's?
bool isAlignedRead(mlir::linalg::GenericOp generic,
                   mlir::tensor::ExtractOp read);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_AXISINTERPOLATION_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program as the quantizer sees it: units. A unit is a root op and the
// element-wise ops that will be computed with it before its result is rounded:
//
//   contraction (+ bias) (+ relu | clip)      kinds matmul, conv, depthwise,
//                                             grouped
//     (+ leaky relu, where a recipe has nonlinearities; pools likewise)
//   a + b, a - b (+ relu | clip)              add
//   a * b (+ relu | clip)                     mul
//   sum over a window or axis (* constant)    pool
//   concatenation                             concat
//   function of one value                     gelu, silu, unary, affine
//                                             (constants a channel)
//   softmax, layer_norm, rms_norm, resize         where a recipe wants them
//   integer
//
// Max pools, reshapes, transposes, slices, copies and pads belong to no unit:
// they keep the grid of what they read.

#ifndef QDIALECT_TRANSFORMS_QUANTIZABLEUNITS_H
#define QDIALECT_TRANSFORMS_QUANTIZABLEUNITS_H

#include "QDialect/Analysis/ChannelDims.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/PTQ/Recipe.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <vector>

namespace qdialect {

struct QuantizableUnit {
  mlir::Operation *root = nullptr;
  /// Root, then the ops computed with it, then no more: ops.back() yields the
  /// result. Reshapes between them are included.
  llvm::SmallVector<mlir::Operation *, 4> ops;
  llvm::StringRef kind;
  /// The operands of the root that are activations (not constant weights).
  llvm::SmallVector<mlir::Value, 2> inputs;
  /// Set for contractions.
  std::optional<ContractionStructure> contraction;
  /// The op that adds the bias (an element-wise add of one constant value an
  /// output channel), if there is one.
  mlir::linalg::GenericOp bias;
  /// Where the output channels lie in the operands of `bias`.
  ChannelDims biasChannels;

  mlir::Value result() const { return ops.back()->getResult(0); }
  /// The qd.name of every op that has one.
  llvm::SmallVector<llvm::StringRef> names() const;
};

/// The units of a function, in program order; softmax, layer norm and
/// interpolation only with `nonlinearities`.
std::vector<QuantizableUnit> collectUnits(mlir::func::FuncOp function,
                                          bool nonlinearities = false);

/// A payload of clamps of one variable by constants alone: relu, relu6, clip.
bool isClamp(mlir::linalg::GenericOp op);

/// relu as the only payload: maximumf with zero, in either order.
bool isRelu(mlir::Operation *op);

/// A payload of +, -, *, / of one variable and constants.
bool isAffine(mlir::linalg::GenericOp op);

/// True for an op that keeps the grid of its first operand.
bool keepsGrid(mlir::Operation *op);

/// The value whose grid `value` has: `value` itself, or what grid-keeping ops
/// made it from.
mlir::Value gridSource(mlir::Value value);

/// The name of a value: qd.name of its op or argument; empty if it has none.
llvm::StringRef valueName(mlir::Value value);

/// The operand that holds the constant when `op` is `x + constant`, else null.
mlir::OpOperand *biasOperand(mlir::Operation *op);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_QUANTIZABLEUNITS_H

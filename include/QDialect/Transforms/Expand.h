// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The patterns that take qd ops apart. Each set is also a pass: qd-expand-ops,
// qd-expand-math, qd-decompose, qd-cast-to-linalg.

#ifndef QDIALECT_TRANSFORMS_EXPAND_H
#define QDIALECT_TRANSFORMS_EXPAND_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace qdialect {

/// quantize, dequantize, requantize and rescale on scalars and vectors to arith
/// and math, bit-equal to Numerics.
void populateExpandOpsPatterns(mlir::RewritePatternSet &patterns);

/// quantize and dequantize of minifloats of at most 8 bits, likewise; part of
/// populateExpandOpsPatterns.
void populateExpandMinifloatPatterns(mlir::RewritePatternSet &patterns);

/// Casts, look-ups, gelu and silu on tensors to linalg.generic with the scalar
/// op as payload.
void populateCastToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// choose_params to reductions and element-wise linalg.generic ops.
void populateChooseParamsToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// gelu and silu alone.
void populateFunctionsToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// block_matmul to a loop over blocks; part of populateDecomposePatterns.
void populateDecomposeBlockMatmulPatterns(mlir::RewritePatternSet &patterns);

/// int_gelu and int_silu to an element-wise linalg.generic of arith.
void populateIntegerCurvesToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// int_softmax, int_layer_norm and int_rms_norm likewise, with reductions; part
/// of populateDecomposePatterns, with the curves.
void populateDecomposeIntegerPatterns(mlir::RewritePatternSet &patterns);

/// softmax, layer_norm, rms_norm, gelu, silu, their integer forms and
/// block_matmul to linalg, arith and math.
void populateDecomposePatterns(mlir::RewritePatternSet &patterns);

/// math.exp, log, erf, tanh, rsqrt, powf, qd.gelu and qd.silu on scalars and
/// vectors of f32 (f16 and bf16 through f32) to the sequences of
/// Numerics/FloatFunctions.h and FloatPower.h.
void populateExpandMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_EXPAND_H

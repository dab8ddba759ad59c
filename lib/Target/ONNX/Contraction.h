// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What convolutions and matrix products share, of floats and of integer codes:
// from operands to the linalg operation that says it. Products are summed in
// elements of type `sum`, into which integers are sign-extended.

#ifndef QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H
#define QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H

#include "GraphBuilder.h"
#include "Node.h"

namespace qdialect::onnx_import {

struct Window;

/// Convolution of an already padded `x` (N, C, spatial...) with `w`
/// (F, C / groups, kernel...), without bias: a named linalg operation for one
/// group in 1-D and 2-D and for depthwise, else a linalg.generic (over an
/// expanded group dimension if there are groups).
Tensor emitConvolution(GraphBuilder &b, const Tensor &x, const Tensor &w,
                       int64_t groups, llvm::ArrayRef<int64_t> strides,
                       llvm::ArrayRef<int64_t> dilations,
                       llvm::ArrayRef<int64_t> output, mlir::Type sum);

/// Conv's attributes, checked against `x` and `w`, and emitConvolution of what
/// `pad` makes of x for their window. Reports an error and returns failure.
mlir::FailureOr<Tensor>
bindConvolution(Node &n, const Tensor &x, const Tensor &w, mlir::Type sum,
                llvm::function_ref<Tensor(const Window &)> pad);

/// MatMul with its broadcast of leading dimensions. Reports an error and
/// returns failure where shapes disagree.
mlir::FailureOr<Tensor> emitMatmul(Node &n, Tensor x, Tensor y, mlir::Type sum);

/// sum + x * y in sum's type: the payload of a contraction.
mlir::Value multiplyAdd(mlir::OpBuilder &builder, mlir::Location at,
                        mlir::Value x, mlir::Value y, mlir::Value sum);

/// x + bias along dimension 1.
Tensor addBias(GraphBuilder &b, const Tensor &x, const Tensor &bias);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H

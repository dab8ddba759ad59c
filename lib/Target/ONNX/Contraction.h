// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What Conv and ConvTranspose share: from a padded input and weights to the
// linalg operation that says it.

#ifndef QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H
#define QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

/// Convolution of an already padded `x` (N, C, spatial...) with `w`
/// (F, C / groups, kernel...), without bias: a named linalg operation for one
/// group in 1-D and 2-D and for depthwise, else a linalg.generic (over an
/// expanded group dimension if there are groups).
Tensor emitConvolution(GraphBuilder &b, const Tensor &x, const Tensor &w,
                       int64_t groups, llvm::ArrayRef<int64_t> strides,
                       llvm::ArrayRef<int64_t> dilations,
                       llvm::ArrayRef<int64_t> output);

/// x + bias along dimension 1.
Tensor addBias(GraphBuilder &b, const Tensor &x, const Tensor &bias);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_CONTRACTION_H

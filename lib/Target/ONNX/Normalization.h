// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moments of rows, which several normalizations and their extra outputs need.

#ifndef QDIALECT_LIB_TARGET_ONNX_NORMALIZATION_H
#define QDIALECT_LIB_TARGET_ONNX_NORMALIZATION_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

/// Mean and 1 / sqrt(variance + epsilon) over `axes`, which stay as ones.
struct Moments {
  Tensor mean, inverseDeviation;
};
Moments momentsOver(GraphBuilder &b, const Tensor &x,
                    llvm::ArrayRef<int64_t> axes, double epsilon);

/// exp(x - max) / sum(exp(x - max)) along `axis`, op by op in the type of x.
Tensor softmaxByParts(GraphBuilder &b, const Tensor &x, int64_t axis);

/// qd.softmax along `axis`, f64 by parts; narrow floats are computed in f32.
Tensor softmaxAlong(GraphBuilder &b, const Tensor &x, int64_t axis);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_NORMALIZATION_H

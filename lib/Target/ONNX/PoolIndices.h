// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the maxima of a pool lie.

#ifndef QDIALECT_LIB_TARGET_ONNX_POOLINDICES_H
#define QDIALECT_LIB_TARGET_ONNX_POOLINDICES_H

#include "Window.h"

namespace qdialect::onnx_import {

/// For each window over `x` the number of its first largest element in all of
/// x, i64; the spatial part counts columns if `columnMajor`.
Tensor maxPoolIndices(GraphBuilder &b, const Tensor &x, const Window &window,
                      bool columnMajor);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_POOLINDICES_H

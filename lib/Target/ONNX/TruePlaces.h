// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The places of the elements that are true: what NonZero, Compress and Unique
// choose, of which only the run knows how many there are.

#ifndef QDIALECT_LIB_TARGET_ONNX_TRUEPLACES_H
#define QDIALECT_LIB_TARGET_ONNX_TRUEPLACES_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

/// The positions (int64, rising) of the true elements of `mask`, a tensor of
/// i1 of rank 1. Their number is a size called `name`.
Tensor truePlaces(GraphBuilder &b, const Tensor &mask, llvm::StringRef name);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_TRUEPLACES_H

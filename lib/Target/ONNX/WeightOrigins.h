// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which constants of an imported module lie in its files as they are.

#ifndef QDIALECT_LIB_TARGET_ONNX_WEIGHTORIGINS_H
#define QDIALECT_LIB_TARGET_ONNX_WEIGHTORIGINS_H

#include "mlir/IR/BuiltinOps.h"

namespace qdialect::onnx_import {
class ModelFile;

/// Gives every large resource of `module` whose bytes are a tensor of `file` a
/// qd::WeightReference. Goes by the bytes, so that it needs no bookkeeping by
/// the operators: what an operator left unchanged is found.
void referenceWeights(mlir::ModuleOp module, const ModelFile &file);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_WEIGHTORIGINS_H

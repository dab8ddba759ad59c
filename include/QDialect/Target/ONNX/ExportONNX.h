// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way back: a program between import and integerize as an ONNX model, with
// QuantizeLinear and DequantizeLinear where it casts. A runtime that computes
// what these operators say computes with the same codes, scales and zero
// points.

#ifndef QDIALECT_TARGET_ONNX_EXPORTONNX_H
#define QDIALECT_TARGET_ONNX_EXPORTONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/LogicalResult.h"
#include <cstdint>

namespace qdialect {

struct ExportOptions {
  /// Constants that together exceed this many bytes go into a file of their own
  /// beside the model (protobuf messages end at 2 GiB).
  uint64_t inlineLimit = uint64_t(1) << 29;
};

/// Writes the function `main` of `module` to `path` as an ONNX model, under a
/// temporary name first; large constants to `path`.data. On failure emits one
/// error, at the op that has no ONNX form if that is the reason.
llvm::LogicalResult exportONNX(mlir::ModuleOp module, llvm::StringRef path,
                               const ExportOptions &options = {});

} // namespace qdialect

#endif // QDIALECT_TARGET_ONNX_EXPORTONNX_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shapes, axes and masks that exporters compute with any operators they like:
// what a node makes of small constants is evaluated at once, by the reference
// semantics, and becomes a constant. Handlers need not fold by themselves.

#ifndef QDIALECT_LIB_TARGET_ONNX_FOLDNODE_H
#define QDIALECT_LIB_TARGET_ONNX_FOLDNODE_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

/// About how many operations of the interpreter a run of `op` takes; more than
/// maxFoldedSteps if nobody knows.
int64_t stepsOf(mlir::Operation *op);
constexpr int64_t maxFoldedSteps = 1 << 20;

class NodeFolder {
public:
  /// Made before a node's handler runs: remembers where its operations begin.
  NodeFolder(GraphBuilder &builder,
             llvm::ArrayRef<std::optional<Tensor>> inputs);
  /// Replaces values in `results` by constants and removes the node's
  /// operations, or leaves everything as it is.
  void fold(llvm::MutableArrayRef<std::optional<Tensor>> results);

private:
  mlir::Block *block;
  mlir::Operation *last = nullptr;
  bool applies = false;
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_FOLDNODE_H

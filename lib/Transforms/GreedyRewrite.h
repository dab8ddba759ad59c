// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The greedy driver as passes over whole models call it.

#ifndef QDIALECT_LIB_TRANSFORMS_GREEDYREWRITE_H
#define QDIALECT_LIB_TRANSFORMS_GREEDYREWRITE_H

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace qdialect {

/// Applies `patterns` to a fixed point. Constants may hold hundreds of
/// megabytes: they are neither folded nor compared.
inline mlir::LogicalResult
applyPatternsBesideConstants(mlir::Operation *op,
                             mlir::RewritePatternSet &&patterns) {
  mlir::GreedyRewriteConfig config;
  config.enableFolding(false).enableConstantCSE(false);
  return mlir::applyPatternsGreedily(op, std::move(patterns), config);
}

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_GREEDYREWRITE_H

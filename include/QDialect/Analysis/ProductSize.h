// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much an op multiplies, for receipts and for the division of work.

#ifndef QDIALECT_ANALYSIS_PRODUCTSIZE_H
#define QDIALECT_ANALYSIS_PRODUCTSIZE_H

#include "mlir/IR/Operation.h"
#include <cstdint>
#include <optional>

namespace qdialect {

struct ProductSize {
  int64_t macs = 0; ///< multiply-accumulates; symbolic sizes count as 1
  bool isInteger = false;
};

/// Contractions (ContractionStructure.h) and qd.block_matmul; nothing for other
/// ops.
std::optional<ProductSize> getProductSize(mlir::Operation *op);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_PRODUCTSIZE_H

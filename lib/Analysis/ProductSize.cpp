// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "QDialect/Analysis/ProductSize.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/QDDialect.h"

using namespace mlir;

namespace qdialect {

std::optional<ProductSize> getProductSize(Operation *op) {
  if (auto product = dyn_cast<qd::BlockMatmulOp>(op))
    return ProductSize{product.macs(), /*isInteger=*/true};
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  std::optional<ContractionStructure> structure =
      linalgOp ? getContractionStructure(linalgOp) : std::nullopt;
  if (!structure)
    return std::nullopt;
  Type element = getElementTypeOrSelf(linalgOp.getDpsInputs().front());
  return ProductSize{structure->macs(), element.isInteger()};
}

} // namespace qdialect

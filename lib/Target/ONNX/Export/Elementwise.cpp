// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element-wise ops, in the order in which the first operand of full rank lies.

#include "Export/Payload.h"

#include "QDialect/Analysis/LinalgQueries.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::onnx_export {
namespace {

LogicalResult emitElementwise(Exporter &e, Operation *op) {
  auto generic = cast<linalg::GenericOp>(op);
  Order loops = identityOrder(generic.getNumLoops());
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    AffineMap map = generic.getMatchingIndexingMap(operand);
    if (map.getNumResults() != generic.getNumLoops() ||
        operand->get().getDefiningOp<arith::ConstantOp>())
      continue;
    std::optional<Binding> x = e.find(operand->get());
    if (!x)
      return failure();
    for (auto [place, dim] : llvm::enumerate(x->order))
      loops[place] = map.getDimPosition(dim);
    break;
  }
  Value yielded = generic.getBody()->getTerminator()->getOperand(0);
  std::string y = PayloadWriter(e, generic, loops).getWhole(yielded);
  if (y.empty())
    return failure();
  e.bind(op->getResult(0), y, loops);
  return success();
}

} // namespace

void addElementwiseRules(Rules &rules) {
  rules.push_back({isElementwiseGeneric, emitElementwise});
}

} // namespace qdialect::onnx_export

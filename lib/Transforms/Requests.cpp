// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Marks and judges what was asked of an op; see the header.

#include "Requests.h"

#include "Coefficient.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Observers.h"
#include "QuantizableUnits.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect {
namespace {

bool isQuantized(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<qd::QuantizeOp>(user);
  });
}

bool standsBetweenCasts(Operation *op) {
  bool reads = false;
  for (Value operand : op->getOperands()) {
    if (operand.getDefiningOp<qd::DequantizeOp>() && !isRealConstant(operand))
      reads = true;
    else if (!isComputedFromConstants(operand))
      return false;
  }
  return reads && (isQuantized(op->getResult(0)) ||
                   llvm::any_of(op->getUsers(), [](Operation *user) {
                     return isElementwiseGeneric(user) &&
                            isQuantized(user->getResult(0));
                   }));
}

} // namespace

bool computesFloats(Operation *op) {
  return isa<linalg::LinalgOp, qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp,
             qd::GeluOp, qd::SiluOp, tensor::ConcatOp, tensor::PadOp>(op) &&
         !isa<linalg::FillOp, linalg::TransposeOp>(op) &&
         op->getNumResults() == 1 &&
         isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) &&
         !isComputedFromConstants(op->getResult(0));
}

bool isAskedToBeInteger(Operation *op) {
  if (auto request = op->getAttrOfType<StringAttr>(qd::kRequestedAttr))
    return request.getValue() != qd::kKeptFloat;
  return standsBetweenCasts(op);
}

void markKeptFloat(func::FuncOp function) {
  auto mark = StringAttr::get(function.getContext(), qd::kKeptFloat);
  for (Block *block : programBlocks(function))
    for (Operation &op : *block)
      if (computesFloats(&op) && !keepsGrid(&op) &&
          !op.hasAttr(qd::kRequestedAttr))
        op.setAttr(qd::kRequestedAttr, mark);
}

} // namespace qdialect

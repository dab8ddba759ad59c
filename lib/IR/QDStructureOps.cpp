// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The observer and the dispatch region.

#include "QDialect/IR/QDDialect.h"

using namespace mlir;
using namespace qdialect::qd;

#define GET_OP_CLASSES
#include "QDialect/IR/QDStructureOps.cpp.inc"

YieldOp DispatchOp::getYield() {
  return cast<YieldOp>(getBody().front().getTerminator());
}

LogicalResult DispatchOp::verify() {
  // dispatch_c1
  TypeRange arguments = getBody().front().getArgumentTypes();
  if (arguments != getInputs().getTypes())
    return emitOpError("body takes (") << arguments << ") but the inputs are ("
                                       << getInputs().getTypes() << ")";
  // dispatch_c2
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("body ends in ")
           << getBody().front().getTerminator()->getName() << ", not qd.yield";
  // dispatch_c3
  if (yield.getValues().getTypes() != getResultTypes())
    return emitOpError("body yields (")
           << yield.getValues().getTypes() << ") but the results are ("
           << getResultTypes() << ")";
  // dispatch_c4
  if (auto outer = (*this)->getParentOfType<DispatchOp>()) {
    InFlightDiagnostic error = emitOpError("stands in another qd.dispatch");
    error.attachNote(outer.getLoc()) << "which begins here";
    return error;
  }
  return success();
}

OperandRange DispatchOp::getEntrySuccessorOperands(RegionSuccessor) {
  return getInputs();
}

/// Into the body once, and out of it.
void DispatchOp::getSuccessorRegions(
    RegionBranchPoint point, SmallVectorImpl<RegionSuccessor> &regions) {
  if (point.isParent())
    regions.emplace_back(&getBody(), getBody().getArguments());
  else
    regions.emplace_back(getOperation(), getOperation()->getResults());
}

void DispatchOp::getRegionInvocationBounds(
    ArrayRef<Attribute>, SmallVectorImpl<InvocationBounds> &bounds) {
  bounds.emplace_back(/*lb=*/1, /*ub=*/1);
}

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

LogicalResult DispatchOp::verify() { return success(); }

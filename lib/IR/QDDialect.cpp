// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration: types, attributes, ops, and the alphabets of builtin types.

#include "QDialect/IR/QDDialect.h"
#include "Alphabets.h"
#include "QDialect/IR/WeightReferences.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qdialect::qd;

#include "QDialect/IR/QDDialect.cpp.inc"

void QDDialect::initialize() {
  registerTypes();
  registerAttributes();
  registerOps();
  attachBuiltinAlphabets(getContext());
  addInterface<WeightReferences>();
}

void QDDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDCastOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDIntegerOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDNormOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDProductOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDSizeOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "QDialect/IR/QDStructureOps.cpp.inc"
      >();
}

Operation *QDDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                          Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

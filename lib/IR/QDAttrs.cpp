// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes and the enums they hold.

#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qdialect::qd;

#include "QDialect/IR/QDEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "QDialect/IR/QDAttrs.cpp.inc"

void QDDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "QDialect/IR/QDAttrs.cpp.inc"
      >();
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The qd dialect in C++: everything generated from the .td files of this
// folder, and the few functions that go with it.

#ifndef QDIALECT_IR_QDDIALECT_H
#define QDIALECT_IR_QDDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/VectorInterfaces.h"
#include <optional>

#include "QDialect/IR/QDDialect.h.inc"

#include "QDialect/IR/QDEnums.h.inc"

#include "QDialect/IR/QDTypeInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "QDialect/IR/QDAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "QDialect/IR/QDTypes.h.inc"

namespace qdialect::qd {

/// The signless integer that holds a code of an alphabet (i8 for !qd.uint<8>,
/// i2 for !qd.ternary); null if the type is no alphabet.
mlir::Type getStorageType(mlir::Type alphabet);

class YieldOp;

} // namespace qdialect::qd

#define GET_OP_CLASSES
#include "QDialect/IR/QDCastOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDNormOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDStructureOps.h.inc"

#endif // QDIALECT_IR_QDDIALECT_H

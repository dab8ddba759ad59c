// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The qd dialect in C++: everything generated from the .td files of this
// folder, and the few functions that go with it.

#ifndef QDIALECT_IR_QDDIALECT_H
#define QDIALECT_IR_QDDIALECT_H

#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Numerics/Format.h"
#include "QDialect/Numerics/IntegerFunctions.h"
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

namespace qdialect::qd::detail {
// What AlphabetTypeInterface answers; see lib/IR/Alphabets.cpp.
unsigned codeBits(mlir::Type type);
double decode(mlir::Type type, uint64_t code);
uint64_t encode(mlir::Type type, double value, Rounding rounding,
                bool saturate);
double maxFinite(mlir::Type type);
double minFinite(mlir::Type type);
std::optional<int> integerShift(mlir::Type type);
} // namespace qdialect::qd::detail

#include "QDialect/IR/QDTypeInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "QDialect/IR/QDAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "QDialect/IR/QDTypes.h.inc"

namespace qdialect::qd {

/// The signless integer that holds a code of an alphabet (i8 for !qd.uint<8>,
/// i2 for !qd.ternary); null if the type is no alphabet.
mlir::Type getStorageType(mlir::Type alphabet);

/// The Numerics description of an element type: of every qd type except
/// codebooks, of integers up to 16 bits and of floats up to 16 bits.
std::optional<Format> getFormat(mlir::Type type);

/// True for the alphabets whose values are the integers of a range: iN, uiN and
/// !qd.uint<N>. Zero points in the code domain and wrapping are theirs alone.
bool isIntegerAlphabet(mlir::Type type);

/// The same word in Numerics.
::qdialect::Rounding toNumerics(Rounding rounding);
::qdialect::Overflow toNumerics(Overflow overflow);
::qdialect::IntegerScheme toNumerics(IntegerScheme scheme);

class YieldOp;

} // namespace qdialect::qd

#define GET_OP_CLASSES
#include "QDialect/IR/QDCastOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDIntegerOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDNormOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDProductOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDSizeOps.h.inc"
#define GET_OP_CLASSES
#include "QDialect/IR/QDStructureOps.h.inc"

#endif // QDIALECT_IR_QDDIALECT_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The closed sets of words that attributes and types are made of. The order of
// the rounding modes is that of qdialect::Rounding in Numerics/Rounding.h.

#ifndef QDIALECT_IR_QDENUMS
#define QDIALECT_IR_QDENUMS

include "mlir/IR/EnumAttr.td"
include "QDialect/IR/QDDialect.td"

class QD_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::qdialect::qd";
  let genSpecializedAttr = 0;
}

def QD_Rounding : QD_Enum<"Rounding", "rounding of a real value to a code", [
  I32EnumAttrCase<"HalfEven", 0, "half_even">,
  I32EnumAttrCase<"HalfAway", 1, "half_away">,
  I32EnumAttrCase<"HalfUp", 2, "half_up">,
  I32EnumAttrCase<"Floor", 3, "floor">,
  I32EnumAttrCase<"Trunc", 4, "trunc">,
  I32EnumAttrCase<"Stochastic", 5, "stochastic">
]>;

def QD_Overflow : QD_Enum<"Overflow", "what happens to a value out of range", [
  I32EnumAttrCase<"Saturate", 0, "saturate">,
  I32EnumAttrCase<"Wrap", 1, "wrap">
]>;

def QD_ZeroPointDomain : QD_Enum<"ZeroPointDomain", "where a zero point lives", [
  I32EnumAttrCase<"Code", 0, "code">,
  I32EnumAttrCase<"Real", 1, "real">
]>;

def QD_GeluApproximation : QD_Enum<"GeluApproximation", "formula of a GELU", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Tanh", 1, "tanh">
]>;

def QD_Specials : QD_Enum<"Specials", "special values of a minifloat", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Ocp", 1, "ocp">,
  I32EnumAttrCase<"Ieee", 2, "ieee">,
  I32EnumAttrCase<"Fnuz", 3, "fnuz">
]>;

// In the order of qdialect::IntegerScheme in Numerics/IntegerFunctions.h.
def QD_IntegerScheme : QD_Enum<"IntegerScheme", "integer form of a function", [
  I32EnumAttrCase<"QD", 0, "qd">,
  I32EnumAttrCase<"IBert", 1, "ibert">,
  I32EnumAttrCase<"IVit", 2, "ivit">
]>;

#endif // QDIALECT_IR_QDENUMS

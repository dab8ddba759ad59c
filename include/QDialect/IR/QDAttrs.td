// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes: the enums of QDEnums.td as dialect attributes.

#ifndef QDIALECT_IR_QDATTRS
#define QDIALECT_IR_QDATTRS

include "mlir/IR/AttrTypeBase.td"
include "QDialect/IR/QDEnums.td"

class QD_EnumAttr<EnumInfo info, string mnemonic> : EnumAttr<QD_Dialect, info, mnemonic> {
  let assemblyFormat = "`<` $value `>`";
}

def QD_RoundingAttr : QD_EnumAttr<QD_Rounding, "rounding">;
def QD_OverflowAttr : QD_EnumAttr<QD_Overflow, "overflow">;
def QD_ZeroPointDomainAttr : QD_EnumAttr<QD_ZeroPointDomain, "zero_point_domain">;
def QD_GeluApproximationAttr : QD_EnumAttr<QD_GeluApproximation, "gelu_approximation">;
def QD_IntegerSchemeAttr : QD_EnumAttr<QD_IntegerScheme, "integer_scheme">;

#endif // QDIALECT_IR_QDATTRS

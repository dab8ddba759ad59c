// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types for the alphabets that MLIR has no builtin type for. Signed
// two's complement codes are plain iN.

#ifndef QDIALECT_IR_QDTYPES
#define QDIALECT_IR_QDTYPES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/Interfaces/DataLayoutInterfaces.td"
include "QDialect/IR/QDEnums.td"
include "QDialect/IR/QDTypeInterfaces.td"

class QD_AlphabetType<string name, string typeMnemonic>
    : TypeDef<QD_Dialect, name, [
        MemRefElementTypeInterface, VectorElementTypeInterface,
        DeclareTypeInterfaceMethods<DataLayoutTypeInterface, ["getABIAlignment", "getTypeSizeInBits"]>,
        QD_AlphabetTypeInterface]> {
  let mnemonic = typeMnemonic;
}

def QD_UIntType : QD_AlphabetType<"UInt", "uint"> {
  let summary = "unsigned integer codes of N bits";
  let parameters = (ins "unsigned":$width);
  let assemblyFormat = "`<` $width `>`";
  let genVerifyDecl = 1;
}

def QD_MinifloatType : QD_AlphabetType<"Minifloat", "minifloat"> {
  let summary = "float codes: a sign, E exponent bits, M mantissa bits";
  let parameters = (ins "unsigned":$e, "unsigned":$m, "int":$bias,
                        EnumParameter<QD_Specials>:$specials);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def QD_TernaryType : QD_AlphabetType<"Ternary", "ternary"> {
  let summary = "the values -1, 0, +1";
}

def QD_BinaryType : QD_AlphabetType<"Binary", "binary"> {
  let summary = "the values -1, +1";
}

def QD_CodebookType : QD_AlphabetType<"Codebook", "codebook"> {
  let summary = "indices into a table of N values, which is an operand";
  let parameters = (ins "unsigned":$size);
  let assemblyFormat = "`<` $size `>`";
  let genVerifyDecl = 1;
}

#endif // QDIALECT_IR_QDTYPES

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
  let summary = "unsigned integers of N bits";
  let description = [{
    The codes 0 .. 2^N - 1. `i8` stays the type of signed codes, because upstream's
    integer ops accept it; a bare integer is never unsigned. As with `i32` and `i64`,
    those of 32 and 64 bits are numbers of the source program that nothing is
    quantized to.

    Grammar: `!qd.uint<N>`.

    * C1: N is in [1, 16], or 32, or 64.

    ```mlir
    !qd.uint<8>
    tensor<4x!qd.uint<4>>
    ```
  }];
  let parameters = (ins "unsigned":$width);
  let assemblyFormat = "`<` $width `>`";
  let genVerifyDecl = 1;
}

def QD_MinifloatType : QD_AlphabetType<"Minifloat", "minifloat"> {
  let summary = "float codes: a sign, E exponent bits, M mantissa bits";
  let description = [{
    A sign, E exponent bits and M mantissa bits, valued as in Numerics/Format.h:

    ```
    exponent field 0: (-1)^s * m * 2^(1 - bias - M)
    else:             (-1)^s * (2^M + m) * 2^(field - bias - M)
    ```

    `specials` says which codes are no numbers: `none` (all are), `ocp` (all ones is
    NaN), `ieee` (the top exponent is infinity or NaN), `fnuz` (the code of -0 is NaN).

    Grammar: `!qd.minifloat<e = E, m = M, bias = B, specials = S>`.

    * C1: E is in [1, 8].
    * C2: M is in [0, 10].
    * C3: the bias is in [-512, 512].
    * C4: some code is finite and not zero (e1m0 has none under ocp and ieee).

    ```mlir
    !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>  // f4E2M1FN
    !qd.minifloat<e = 3, m = 0, bias = 3, specials = none>  // powers of two
    !qd.minifloat<e = 4, m = 3, bias = 7, specials = ocp>   // f8E4M3FN
    ```
  }];
  let parameters = (ins "unsigned":$e, "unsigned":$m, "int":$bias,
                        EnumParameter<QD_Specials>:$specials);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def QD_TernaryType : QD_AlphabetType<"Ternary", "ternary"> {
  let summary = "the values -1, 0, +1";
  let description = [{
    Two bits in two's complement: 3 is -1, 0 is 0, 1 is +1, and 2 means nothing.

    ```mlir
    tensor<64x!qd.ternary>
    ```
  }];
}

def QD_BinaryType : QD_AlphabetType<"Binary", "binary"> {
  let summary = "the values -1, +1";
  let description = [{
    One bit: 0 is -1, 1 is +1. There is no zero; 0 encodes as +1.

    ```mlir
    tensor<64x!qd.binary>
    ```
  }];
}

def QD_CodebookType : QD_AlphabetType<"Codebook", "codebook"> {
  let summary = "indices into a table of N values, which is an operand";
  let description = [{
    Codes are indices into a table of N values, which is an operand of the ops that
    need the values (`qd.lookup`); the type alone decodes to nothing. A code has
    log2(N) bits, and all of them are indices: a table of fewer values is filled up.

    Grammar: `!qd.codebook<N>`.

    * C1: N is a power of two in [2, 65536].

    ```mlir
    tensor<64x!qd.codebook<16>>
    ```
  }];
  let parameters = (ins "unsigned":$size);
  let assemblyFormat = "`<` $size `>`";
  let genVerifyDecl = 1;
}

#endif // QDIALECT_IR_QDTYPES

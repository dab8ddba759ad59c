// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one interface that every alphabet answers, builtin or ours. The answers
// are computed in one place, lib/IR/Alphabets.cpp, from Numerics' Format; the
// types themselves implement nothing.

#ifndef QDIALECT_IR_QDTYPEINTERFACES
#define QDIALECT_IR_QDTYPEINTERFACES

include "mlir/IR/OpBase.td"

class QD_AlphabetMethod<string description, string result, string name,
                        dag arguments = (ins), string call>
    : InterfaceMethod<description, result, name, arguments, /*methodBody=*/"",
                      /*defaultImplementation=*/"return ::qdialect::qd::detail::" # call # ";">;

def QD_AlphabetTypeInterface : TypeInterface<"AlphabetTypeInterface"> {
  let cppNamespace = "::qdialect::qd";
  let description = [{
    An alphabet is a finite set of codes and the real value of each. The
    interface is implemented by the qd types and attached to the builtin integer
    and float types, so that nothing else needs to know which of them it holds.
    Whoever decodes or encodes more than a few codes asks `getFormat(type)` once
    and talks to the Format.
  }];
  let methods = [
    QD_AlphabetMethod<"Bits of one code.", "unsigned", "getCodeBits", (ins),
      "codeBits($_type)">,
    QD_AlphabetMethod<"The value of a code; NaN for a pattern without meaning and for every code of a codebook, whose table is an operand.",
      "double", "decode", (ins "uint64_t":$code), "decode($_type, code)">,
    QD_AlphabetMethod<"The code nearest to a value as `rounding` says. Out of range: the nearest end if `saturate`, else the low bits of an integer, or what IEEE 754 says for a float. NaN as Numerics/Format.h says.",
      "uint64_t", "encode",
      (ins "double":$value, "::qdialect::qd::Rounding":$rounding, "bool":$saturate),
      "encode($_type, value, rounding, saturate)">,
    QD_AlphabetMethod<"The largest finite value.", "double", "getMaxFinite", (ins),
      "maxFinite($_type)">,
    QD_AlphabetMethod<"The smallest (most negative) finite value.", "double", "getMinFinite", (ins),
      "minFinite($_type)">,
    QD_AlphabetMethod<"The smallest k >= 0 such that value * 2^k is an integer for all finite codes; none if there is no such k.",
      "std::optional<int>", "getIntegerShift", (ins), "integerShift($_type)">,
  ];
}

#endif // QDIALECT_IR_QDTYPEINTERFACES

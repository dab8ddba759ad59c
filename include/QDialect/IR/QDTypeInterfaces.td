// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one interface that every alphabet answers, builtin or ours. All of its
// answers come from Numerics' Format.

#ifndef QDIALECT_IR_QDTYPEINTERFACES
#define QDIALECT_IR_QDTYPEINTERFACES

include "mlir/IR/OpBase.td"

def QD_AlphabetTypeInterface : TypeInterface<"AlphabetTypeInterface"> {
  let cppNamespace = "::qdialect::qd";
  let description = [{
    An alphabet is a finite set of codes and the real value of each. The
    interface is implemented by the qd types and attached to the builtin integer
    and float types, so that nothing else needs to know which of them it holds.
  }];
  let methods = [
    InterfaceMethod<"Bits of one code.", "unsigned", "getCodeBits", (ins)>,
    InterfaceMethod<"The value of a code, NaN for an unassigned one.",
                    "double", "decode", (ins "uint64_t":$code)>,
    InterfaceMethod<"The code of a value: the nearest by 'rounding'; beyond the range the largest if 'saturate'.",
                    "uint64_t", "encode",
                    (ins "double":$value, "::qdialect::qd::Rounding":$rounding, "bool":$saturate)>,
    InterfaceMethod<"Largest finite value.", "double", "getMaxFinite", (ins)>,
    InterfaceMethod<"Smallest (most negative) finite value.", "double", "getMinFinite", (ins)>,
    InterfaceMethod<"The smallest k such that value * 2^k is an integer for all codes; none if there is no such k.",
                    "std::optional<int>", "getIntegerShift", (ins)>,
  ];
}

#endif // QDIALECT_IR_QDTYPEINTERFACES

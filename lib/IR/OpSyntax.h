// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Private to lib/IR: the custom directives of the assembly formats. An enum
// stands bare between parentheses (rounding(half_even)), a number without its
// type (axis = 1, epsilon = 1.0e-5).

#ifndef QDIALECT_LIB_IR_OPSYNTAX_H
#define QDIALECT_LIB_IR_OPSYNTAX_H

#include "QDialect/IR/QDDialect.h"

namespace qdialect::qd {

template <typename EnumAttr>
mlir::ParseResult parseKeyword(mlir::OpAsmParser &parser, EnumAttr &attribute) {
  using Enum = decltype(attribute.getValue());
  mlir::FailureOr<Enum> value = mlir::FieldParser<Enum>::parse(parser);
  if (mlir::failed(value))
    return mlir::failure();
  attribute = EnumAttr::get(parser.getContext(), *value);
  return mlir::success();
}

template <typename EnumAttr>
void printKeyword(mlir::OpAsmPrinter &printer, mlir::Operation *,
                  EnumAttr attribute) {
  printer << stringifyEnum(attribute.getValue());
}

inline mlir::ParseResult parseInteger(mlir::OpAsmParser &parser,
                                      mlir::IntegerAttr &attribute) {
  int64_t value;
  if (parser.parseInteger(value))
    return mlir::failure();
  attribute = parser.getBuilder().getI64IntegerAttr(value);
  return mlir::success();
}

inline void printInteger(mlir::OpAsmPrinter &printer, mlir::Operation *,
                         mlir::IntegerAttr attribute) {
  printer << attribute.getInt();
}

inline mlir::ParseResult parseFloat32(mlir::OpAsmParser &parser,
                                      mlir::FloatAttr &attribute) {
  return parser.parseAttribute(attribute, parser.getBuilder().getF32Type());
}

inline void printFloat32(mlir::OpAsmPrinter &printer, mlir::Operation *,
                         mlir::FloatAttr attribute) {
  printer.printAttributeWithoutType(attribute);
}

} // namespace qdialect::qd

#endif // QDIALECT_LIB_IR_OPSYNTAX_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors as text, made for FileCheck: one line, exact.

#include "InterpretProgram.h"
#include <charconv>
#include <cmath>

using namespace qdialect;

/// The fewest characters that read back as the same number; half precision is
/// printed as the f32 it is.
static void printFloat(llvm::raw_ostream &os, double value, DType type) {
  if (std::isnan(value)) {
    os << "nan"; // without the sign that to_chars would show
    return;
  }
  char text[64];
  std::to_chars_result end =
      type == DType::F64
          ? std::to_chars(text, text + sizeof(text), value)
          : std::to_chars(text, text + sizeof(text), float(value));
  os << llvm::StringRef(text, end.ptr - text);
}

static void printElements(llvm::raw_ostream &os, const HostTensor &tensor,
                          int64_t dim, int64_t &next) {
  if (dim == tensor.rank()) {
    if (isFloat(tensor.type()))
      printFloat(os, tensor.asDouble(next), tensor.type());
    else
      os << tensor.asInteger(next);
    ++next;
    return;
  }
  // "[[" would be a variable to FileCheck.
  bool nested = dim + 1 < tensor.rank();
  os << (nested ? "[ " : "[");
  for (int64_t i = 0; i < tensor.shape()[dim]; ++i) {
    if (i)
      os << ", ";
    printElements(os, tensor, dim + 1, next);
  }
  os << (nested ? " ]" : "]");
}

void qdialect::printTensor(llvm::raw_ostream &os, const HostTensor &tensor) {
  os << describe(tensor.type(), tensor.shape()) << ' ';
  int64_t next = 0;
  printElements(os, tensor, 0, next);
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors as text, made for FileCheck: one line, exact.

#include "InterpretProgram.h"
#include "llvm/Support/Format.h"
#include <cmath>
#include <cstdlib>

using namespace qdialect;

static void printFloat(llvm::raw_ostream &os, double value, DType type) {
  if (std::isnan(value)) {
    os << "nan";
    return;
  }
  // f64 needs at most 17 digits; try fewer first.
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    double back = std::strtod(text, nullptr);
    bool same = type == DType::F64   ? back == value
                : type == DType::F32 ? float(back) == float(value)
                : type == DType::F16
                    ? floatToHalf(float(back)) == floatToHalf(float(value))
                    : floatToBfloat(float(back)) == floatToBfloat(float(value));
    if (same)
      break;
  }
  os << text;
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
  os << '[';
  for (int64_t i = 0; i < tensor.shape()[dim]; ++i) {
    if (i)
      os << ", ";
    printElements(os, tensor, dim + 1, next);
  }
  os << ']';
}

void qdialect::printTensor(llvm::raw_ostream &os, const HostTensor &tensor) {
  os << describe(tensor.type(), tensor.shape()) << ' ';
  int64_t next = 0;
  printElements(os, tensor, 0, next);
}

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An island that reads one tensor of codes, element by element: a function with
// few arguments, of which every value can be known when a model is compiled.
// Constants on the way may vary along dimensions, a bias by channel:
//
//   quantize(dequantize(q) + bias[c])  =>  dims {1}, sizes {C}: C functions
//
// What it computes is asked of the interpreter, of real numbers (floats in f64,
// rounded once) or in the program's own f32 operations, each of which rounds.
// The latter is what a runtime that follows the operators' specification
// computes, as long as IEEE 754 defines each of them (`isArithmetic`).

#ifndef QDIALECT_LIB_TRANSFORMS_CODEFUNCTION_H
#define QDIALECT_LIB_TRANSFORMS_CODEFUNCTION_H

#include "IntegerizeGrid.h"
#include "llvm/ADT/SetVector.h"
#include <optional>
#include <vector>

namespace qdialect {

class CodeFunction {
public:
  /// Nothing if `quantize` reads another tensor, too, or not element by
  /// element, or a grid is not one of whole bytes for the whole tensor.
  static std::optional<CodeFunction> match(qd::QuantizeOp quantize);

  qd::QuantizeOp quantize;
  qd::DequantizeOp source;
  CodeGrid from, to;
  /// Ops in between, last one first.
  llvm::SetVector<mlir::Operation *> members;
  /// What constants vary along.
  llvm::SmallVector<unsigned> dims;
  llvm::SmallVector<int64_t> sizes;

  int64_t numCodes() const { return int64_t(1) << from.bits(); }
  int64_t numIndices() const { return llvm::product_of(sizes); }
  bool isArithmetic() const;
  /// The last op that has a name, else the quantize.
  mlir::Operation *nameSource() const;

  struct Values {
    /// For each index (row-major) and bit pattern of a code, one code.
    std::vector<int64_t> codes;
    /// How far the real values are from being rounded to them, in codes.
    double error = 0;
  };
  /// Of real numbers, or of f32 operations.
  std::optional<Values> evaluate(bool inFloats) const;

private:
  bool collect(mlir::Value value);
};

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_CODEFUNCTION_H

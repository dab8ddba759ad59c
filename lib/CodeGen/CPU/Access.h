// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a tensor lie in memory, as a linear function of loop
// counters. Transposes, slices and reshapes of a dispatch's inputs are folded
// into such functions and cost nothing.

#ifndef QDIALECT_LIB_CODEGEN_CPU_ACCESS_H
#define QDIALECT_LIB_CODEGEN_CPU_ACCESS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace qdialect::cpu {

/// offset + sum of coefficients[l] * counter of loop l.
struct LinearForm {
  int64_t offset = 0;
  llvm::SmallVector<int64_t> coefficients;

  LinearForm() = default;
  explicit LinearForm(unsigned numLoops) : coefficients(numLoops, 0) {}
  static LinearForm loop(unsigned numLoops, unsigned loop);

  /// this += form * factor.
  void accumulate(const LinearForm &form, int64_t factor);
};

/// An element address: `form` elements after the start of `base`, which is a
/// block argument of the dispatch or a constant tensor.
struct Access {
  mlir::Value base;
  LinearForm form;
};

/// The linear forms of an indexing map's results; nothing for maps with
/// divisions, symbols or non-linear terms.
std::optional<llvm::SmallVector<LinearForm>> linearResults(mlir::AffineMap map);

/// The access of element `indices` of `value`, looking through transposes,
/// slices and reshapes; nothing if a view in between is not linear in memory or
/// the value is computed.
std::optional<Access> resolveAccess(mlir::Value value, unsigned numLoops,
                                    llvm::ArrayRef<LinearForm> indices);

/// Joins neighbouring loops that every form walks as one. `sizes` and `forms`
/// are rewritten; loops of size one disappear. At least one loop remains.
void coalesceLoops(llvm::SmallVectorImpl<int64_t> &sizes,
                   llvm::ArrayRef<LinearForm *> forms);

/// Row-major strides in elements.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_ACCESS_H

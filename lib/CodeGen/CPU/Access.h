// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a tensor lie in memory, as a linear function of loop
// counters. Transposes, slices and reshapes of a dispatch's inputs are folded
// into such functions and cost nothing. In a kernel of symbolic sizes the sizes
// and coefficients are numbers or handles of its table (SymbolicSizes.h).

#ifndef QDIALECT_LIB_CODEGEN_CPU_ACCESS_H
#define QDIALECT_LIB_CODEGEN_CPU_ACCESS_H

#include "QDialect/Analysis/SymbolicShapes.h"
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
  void accumulate(const LinearForm &form, int64_t factor,
                  SymbolicShapes *shapes = nullptr);
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
/// the value is computed. `shapes` knows the sizes that are not static; without
/// it there must be none.
std::optional<Access> resolveAccess(mlir::Value value, unsigned numLoops,
                                    llvm::ArrayRef<LinearForm> indices,
                                    SymbolicShapes *shapes = nullptr);

/// Joins neighbouring loops that every form walks as one. `sizes` and `forms`
/// are rewritten; loops of size one disappear. At least one loop remains.
void coalesceLoops(llvm::SmallVectorImpl<int64_t> &sizes,
                   llvm::ArrayRef<LinearForm *> forms,
                   SymbolicShapes *shapes = nullptr);

/// Row-major strides in elements.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape,
                                           SymbolicShapes *shapes = nullptr);

/// a * b, of which either may be a handle where there is a table.
int64_t multiplySizes(int64_t a, int64_t b, SymbolicShapes *shapes);
/// The sizes of a tensor; nothing if one is neither static nor in the table.
std::optional<llvm::SmallVector<int64_t>> knownShape(mlir::Value tensor,
                                                     SymbolicShapes *shapes);

} // namespace qdialect::cpu

#endif // QDIALECT_LIB_CODEGEN_CPU_ACCESS_H

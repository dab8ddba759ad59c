// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a search for mixed precision may choose in a program with observers: the
// layers with constant weights, and the grids between them.

#ifndef QDIALECT_TRANSFORMS_SEARCHSPACE_H
#define QDIALECT_TRANSFORMS_SEARCHSPACE_H

#include "QDialect/PTQ/Recipe.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

struct SearchSpace {
  /// An integer contraction with constant weights.
  struct Layer {
    std::string name; ///< by which a rule finds it; its root's if it has one
    std::string kind;
    /// What the recipe gives it.
    unsigned weightBits = 8, activationBits = 8;
    /// Multiply-accumulates of a run; symbolic sizes count as 1.
    int64_t macs = 0;
    /// The grid that it reads; none where scales are chosen at run time, or no
    /// rule finds it because its maker has no name.
    std::optional<unsigned> grid;
  };
  std::vector<Layer> layers;
  /// For each grid the names by which rules set its format: that of the unit
  /// that makes the value, that of the value where none does (inputs of the
  /// program, results of float ops). What a concatenation joins shares one: its
  /// codes are copied.
  std::vector<std::vector<std::string>> grids;
  /// Layers without a name, which no rule of a recipe can find.
  int64_t numNameless = 0;
};

SearchSpace findSearchSpace(mlir::func::FuncOp function, const Recipe &recipe);

/// The contraction of the layer of that name, in a program before integerize;
/// null if there is none.
mlir::Operation *findLayer(mlir::func::FuncOp function, llvm::StringRef name);

/// The operand with the constant weights of a layer's contraction.
mlir::OpOperand &weightOperand(mlir::Operation *layer);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_SEARCHSPACE_H

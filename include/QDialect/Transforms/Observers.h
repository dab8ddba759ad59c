// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calibration needs to know of a program with observers, in C++.
//
// The road: qd-insert-observers puts `qd.observe` on each activation that the
// recipe quantizes and the program's digest on the function. To calibrate,
// clone the module, run qd-expose-observed (each observed value becomes a
// result), compile, run the data through, and give every extra result to a
// StatisticsCollector under its name. qd-quantize then reads the statistics.

#ifndef QDIALECT_TRANSFORMS_OBSERVERS_H
#define QDIALECT_TRANSFORMS_OBSERVERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace qdialect {

/// On the function: the digest of the program that was observed.
constexpr llvm::StringLiteral kProgramAttr = "qd.program";
/// On the function, after qd-expose-observed: the names of the extra results,
/// in order, behind the function's own results; flags come behind them.
constexpr llvm::StringLiteral kObservedAttr = "qd.observed";
/// Beside it, where branches are observed: for each name the number of the flag
/// behind the values that says which rows the program computed, -1 if all.
constexpr llvm::StringLiteral kTakenAttr = "qd.observed_if";
/// On an op that computes: the precision that the recipe asked of it (w8a8,
/// a8), kKeptFloat where it leaves floats.
constexpr llvm::StringLiteral kRequestedAttr = "qd.requested";
constexpr llvm::StringLiteral kKeptFloat = "float";
/// The scheme by which a function of one value or row becomes integer.
constexpr llvm::StringLiteral kIntegerSchemeAttr = "qd.integer_scheme";
/// On the function: no float may be left between its casts.
constexpr llvm::StringLiteral kIntegerOnlyAttr = "qd.integer_only";

/// On the function, since it was quantized: the name of the recipe.
constexpr llvm::StringLiteral kRecipeAttr = "qd.recipe";
/// On the function: how sums reach the output grid, "float" or "dyadic"; what
/// the recipe says until qd-integerize says what it did.
constexpr llvm::StringLiteral kRescaleAttr = "qd.rescale_mode";
/// On the function: the name of the model that it was imported from.
constexpr llvm::StringLiteral kModelAttr = "qd.model";

/// A hash of what `function` computes: ops, types, attributes and the bytes of
/// constants, not locations, names of values or observers. Sixteen hexadecimal
/// digits.
std::string programDigest(mlir::func::FuncOp function);

/// The digest on the function; empty when it was never observed.
llvm::StringRef getProgramDigest(mlir::func::FuncOp function);

/// The names that qd-expose-observed listed.
llvm::SmallVector<llvm::StringRef>
getObservedNames(mlir::func::FuncOp function);

/// For each of them the number of its flag, or -1.
llvm::SmallVector<int64_t> getTakenFlags(mlir::func::FuncOp function);

/// Is any value of the program observed?
bool hasObservers(mlir::func::FuncOp function);

/// Removes every observer; returns how many there were.
int64_t stripObservers(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_TRANSFORMS_OBSERVERS_H

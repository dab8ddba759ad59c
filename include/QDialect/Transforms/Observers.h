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

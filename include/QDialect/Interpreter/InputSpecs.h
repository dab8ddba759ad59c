// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inputs of a program that is interpreted, as data files name them.

#ifndef QDIALECT_INTERPRETER_INPUTSPECS_H
#define QDIALECT_INTERPRETER_INPUTSPECS_H

#include "QDialect/Support/InputSource.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qdialect {

/// One an argument: its qd.name, or "arg" and its number. An error where a type
/// has no host form.
llvm::Expected<std::vector<InputSpec>> inputSpecs(mlir::func::FuncOp function);

} // namespace qdialect

#endif // QDIALECT_INTERPRETER_INPUTSPECS_H

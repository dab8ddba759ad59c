// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference semantics: runs a function over host tensors, op by op. Every
// other way to run a program (generated kernels, upstream lowering) is tested
// against this one; every qd op's values are defined here on top of Numerics.
//
// f32 arithmetic is IEEE single precision, one rounding an operation, no
// contraction. Contractions with f32 results add in the order of the reduction
// loops, from the init value on, one rounding a product and one a sum.
//
// With exactIslands, floats between casts are held and computed in f64, and
// math functions are libm's: an island's value is the exact real value (up to
// f64) rounded once at its quantize. This is what integerize is checked
// against.

#ifndef QDIALECT_INTERPRETER_INTERPRETER_H
#define QDIALECT_INTERPRETER_INTERPRETER_H

#include "QDialect/Support/HostTensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <vector>

namespace qdialect {

struct InterpreterOptions {
  /// Hold and compute floats in f64 between casts; see the file comment.
  bool exactIslands = false;
  /// Recognise contractions and run them through Numerics' reference kernels;
  /// off, each one is evaluated by walking its payload (same bits, slower).
  bool fastContractions = true;
  /// Called for each qd.observe with its name and value, if set.
  std::function<void(llvm::StringRef, const HostTensor &)> observe;
};

/// Runs `function` on `inputs` (one tensor an argument, of the argument's host
/// type and static shape). Results have the host type of the result types, in
/// exactIslands mode floats are F64. Errors carry location and op name.
llvm::Expected<llvm::SmallVector<HostTensor>>
interpret(mlir::func::FuncOp function, llvm::ArrayRef<HostTensor> inputs,
          const InterpreterOptions &options = {});

/// Runs `function` on several samples side by side: each op on all of them
/// before the op behind it. `after` sees the result of each op that has one, by
/// sample, before anything reads it, and may change it. What the function
/// returns is dropped.
llvm::Error interpretSideBySide(
    mlir::func::FuncOp function,
    llvm::ArrayRef<std::vector<HostTensor>> samples,
    llvm::function_ref<llvm::Error(mlir::Operation *,
                                   llvm::ArrayRef<HostTensor *>)>
        after,
    const InterpreterOptions &options = {});

/// Evaluates one op without side effects on the values of its operands.
llvm::Expected<llvm::SmallVector<HostTensor>>
evaluate(mlir::Operation *op, llvm::ArrayRef<HostTensor> operands,
         const InterpreterOptions &options = {});

} // namespace qdialect

#endif // QDIALECT_INTERPRETER_INTERPRETER_H

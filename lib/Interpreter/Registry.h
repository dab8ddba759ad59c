// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How ops find their semantics: two tables keyed by op name. A *column op* is a
// scalar function given over chunks; it serves payloads of linalg ops, scalars
// and element-wise ops on whole tensors alike. A *tensor op* is everything
// else. To teach the interpreter an op, write one function in the file of its
// family and add it to that family's register function.

#ifndef QDIALECT_LIB_INTERPRETER_REGISTRY_H
#define QDIALECT_LIB_INTERPRETER_REGISTRY_H

#include "Columns.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <functional>

namespace qdialect::interp {

/// "file.mlir:3:8: 'arith.foo' what".
llvm::Error opError(mlir::Operation *op, const llvm::Twine &what);

/// What an op may ask of the run it is part of.
struct Context {
  const InterpreterOptions &options;
  /// The value of an SSA value defined above (captured by a region).
  std::function<llvm::Expected<HostTensor>(mlir::Value)> lookup;

  bool exact() const { return options.exactIslands; }
  llvm::Expected<Element> element(mlir::Operation *op, mlir::Type type) const;
};

/// One evaluation of a column op.
struct Columns {
  llvm::ArrayRef<Column *> in;
  llvm::ArrayRef<Column *> out;
  int64_t n;
  /// Row-major index of the first element in the iteration space: the element
  /// index of stochastic rounding.
  uint64_t first;
};
/// Null, or why the values have no result ("division by zero").
using ColumnError = const char *;
using ColumnFunction = std::function<ColumnError(const Columns &)>;
/// Makes the function of one op; reads its attributes and types once.
using ColumnFactory = std::function<llvm::Expected<ColumnFunction>(
    mlir::Operation *, const Context &)>;

using Tensors = llvm::SmallVector<HostTensor>;
/// Operands whose last use this op is are not shared with anyone: an op that
/// takes them as mutable may move them out and write in place.
using TensorFunction = std::function<llvm::Expected<Tensors>(
    mlir::Operation *, llvm::MutableArrayRef<HostTensor>, const Context &)>;

struct Registry {
  llvm::StringMap<ColumnFactory> columnOps;
  llvm::StringMap<TensorFunction> tensorOps;
  static const Registry &get();
};

// One an op family, each in the file of that name.
void registerArithColumns(Registry &registry); // ColumnArith.cpp
void registerCastColumns(Registry &registry);  // ColumnCasts.cpp
void registerMathColumns(Registry &registry);  // ColumnMath.cpp
void registerQuantColumns(Registry &registry); // ColumnQuant.cpp
void registerQuantOps(Registry &registry);     // InterpretQuant.cpp
void registerIntegerOps(Registry &registry);   // InterpretInteger.cpp
void registerNormOps(Registry &registry);      // InterpretNorm.cpp
void registerProductOps(Registry &registry);   // InterpretProduct.cpp
void registerStructureOps(Registry &registry); // InterpretStructure.cpp
void registerTensorOps(Registry &registry);    // InterpretTensor.cpp
void registerControlOps(Registry &registry);   // InterpretControl.cpp
void registerSliceOps(Registry &registry);     // InterpretSlices.cpp

/// Every op with the linalg interface: its region over its indexing maps.
llvm::Expected<Tensors> interpretStructured(mlir::Operation *op,
                                            llvm::ArrayRef<HostTensor> operands,
                                            const Context &context);

/// Applies a column op to operands that are tensors of one shape or scalars.
llvm::Expected<Tensors> applyElementwise(mlir::Operation *op,
                                         llvm::ArrayRef<HostTensor> operands,
                                         const Context &context);

/// Applies a column op over `shape`, operand i read through cursors[i]; the
/// results are row-major over `shape`.
llvm::Expected<Tensors> applyColumns(mlir::Operation *op,
                                     llvm::ArrayRef<HostTensor> operands,
                                     llvm::MutableArrayRef<Cursor> cursors,
                                     llvm::ArrayRef<int64_t> shape,
                                     const Context &context);

/// Evaluates any op on the values of its operands.
llvm::Expected<Tensors> evaluateOp(mlir::Operation *op,
                                   llvm::MutableArrayRef<HostTensor> operands,
                                   const Context &context);

/// Runs a block: arguments bound to `arguments`, returns the operands of its
/// terminator.
llvm::Expected<Tensors> runBlock(mlir::Block &block, Tensors arguments,
                                 const Context &context);

/// The value in the memory form its element type has in this run (floats become
/// f64 with exact islands).
llvm::Expected<HostTensor> toMemoryForm(mlir::Operation *op, mlir::Type type,
                                        const HostTensor &tensor,
                                        const Context &context);

} // namespace qdialect::interp

#endif // QDIALECT_LIB_INTERPRETER_REGISTRY_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dispatch for tensors of other sizes, in a function of its own.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHCOPY_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHCOPY_H

#include "QDialect/Analysis/SymbolicShapes.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/RetypeShapes.h"

namespace qdialect {

/// Sizes for a copy: `shapeOf` changes what it wants of a tensor's sizes; those
/// that are symbolic afterwards are dynamic in the copy.
ShapeOracle
shapesOfCopy(SymbolicShapes &shapes,
             std::function<void(mlir::Value, SymbolicShapes::Shape &)> change);

/// Copies the dispatch into a new function at the end of `module`. `substitute`
/// may map values of the region to the copy's arguments: the ops that make them
/// are left out. Sizes that the copy needs no more are no inputs of it;
/// `inputs` are the numbers of those that are left. The function carries
/// qd.dims and qd.dim_bounds for the sizes that are still symbolic.
qd::DispatchOp copyDispatch(
    qd::DispatchOp dispatch, SymbolicShapes &shapes, const ShapeOracle &oracle,
    llvm::function_ref<void(mlir::OpBuilder &, mlir::IRMapping &)> substitute,
    mlir::ModuleOp module, llvm::SmallVectorImpl<unsigned> &inputs);

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_DISPATCHCOPY_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Private to lib/IR: what the verifiers of the casts have in common. Each
// function checks one constraint and reports both values of a mismatch; the
// verifiers call them under the label of the constraint.

#ifndef QDIALECT_LIB_IR_CASTCONSTRAINTS_H
#define QDIALECT_LIB_IR_CASTCONSTRAINTS_H

#include "QDialect/IR/QDDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace qdialect::qd {

/// A scale, zero point, multiplier or shift of a cast.
struct CastParameter {
  llvm::StringRef name;
  mlir::Value value;
};

/// Input and result (and the parameters) are all scalars, all vectors or all
/// ranked tensors; a parameter of a vector may be a scalar.
mlir::LogicalResult verifyContainers(mlir::Operation *op, mlir::Value input,
                                     mlir::Type result,
                                     llvm::ArrayRef<CastParameter> parameters);

/// Input and result have one shape, and so have vector parameters.
mlir::LogicalResult verifySameShape(mlir::Operation *op, mlir::Value input,
                                    mlir::Type result,
                                    llvm::ArrayRef<CastParameter> parameters);

/// The element type of a value is one of those that `isLegal` accepts.
mlir::LogicalResult
verifyElementType(mlir::Operation *op, llvm::StringRef name, mlir::Type type,
                  llvm::function_ref<bool(mlir::Type)> isLegal,
                  llvm::StringRef expected);

/// There is one block size a dimension of a tensor, or none at all.
mlir::LogicalResult verifyBlockCount(mlir::Operation *op, mlir::Type input,
                                     llvm::ArrayRef<int64_t> blockSizes);

/// No block size is negative.
mlir::LogicalResult verifyBlockSigns(mlir::Operation *op,
                                     llvm::ArrayRef<int64_t> blockSizes);

/// Each parameter of a tensor has rank 0, or the input's rank with 1 or
/// ceil(dimension / block) elements in each dimension.
mlir::LogicalResult verifyBlocks(mlir::Operation *op, mlir::Type input,
                                 llvm::ArrayRef<int64_t> blockSizes,
                                 llvm::ArrayRef<CastParameter> parameters);

/// Whether every element of a constant satisfies a predicate; false where the
/// constant's bytes cannot be had.
template <typename T>
bool allElements(mlir::Attribute constant,
                 llvm::function_ref<bool(T)> predicate) {
  if (auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(constant))
    return llvm::all_of(dense.getValues<T>(), predicate);
  if (auto resource =
          mlir::dyn_cast_or_null<mlir::DenseResourceElementsAttr>(constant)) {
    mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob && llvm::all_of(blob->getDataAs<T>(), predicate);
  }
  return false;
}

/// f16, bf16, f32.
bool isRealElement(mlir::Type type);
/// f32, f16, bf16, f8E8M0FNU, f8E4M3FN or a signless integer.
bool isScaleElement(mlir::Type type);
/// i32 or i64.
bool isAccumulatorElement(mlir::Type type);
/// An integer alphabet of at most `bits` bits.
bool isCodeElement(mlir::Type type, unsigned bits);

} // namespace qdialect::qd

#endif // QDIALECT_LIB_IR_CASTCONSTRAINTS_H

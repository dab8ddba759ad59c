// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators that compute where to read or write. What reads is one
// linalg.generic over the result, whose payload knows its position and reads
// other tensors with tensor.extract; what writes is a loop over the updates
// that inserts them one after the other, so that the last of several wins.

#ifndef QDIALECT_LIB_TARGET_ONNX_INDEXING_H
#define QDIALECT_LIB_TARGET_ONNX_INDEXING_H

#include "GraphBuilder.h"
#include "Scalars.h"

namespace qdialect::onnx_import {

/// An operand of generate(): its axis i runs along loop loops[i].
struct Mapped {
  Tensor tensor;
  llvm::SmallVector<unsigned> loops;
};

/// The operand whose axes are the first loops, in order.
Mapped along(const Tensor &tensor, unsigned firstLoop = 0);

/// A tensor whose element at a position is body(elements of the operands there,
/// position as i64).
using PlaceBody =
    llvm::function_ref<mlir::Value(const Scalars &, mlir::ValueRange elements,
                                   llvm::ArrayRef<mlir::Value> places)>;
Tensor generate(GraphBuilder &b, llvm::ArrayRef<int64_t> shape,
                mlir::Type element, llvm::ArrayRef<Mapped> operands,
                PlaceBody body);

/// The same with reduction loops behind those of the result: body gets the
/// accumulator as the last element.
Tensor generateReduced(GraphBuilder &b, llvm::ArrayRef<int64_t> shape,
                       llvm::ArrayRef<int64_t> reduced, mlir::Type element,
                       double start, llvm::ArrayRef<Mapped> operands,
                       PlaceBody body);

/// `data` at the places that `indices` (from the end if negative) name along
/// `axis`, which the dimensions of the indices replace.
Tensor gatherAlong(GraphBuilder &b, const Tensor &data, const Tensor &indices,
                   int64_t axis);

/// Is a size at most another one, whatever the symbols are? False if that is
/// not seen.
bool isAtMost(SymbolicSizes &sizes, int64_t size, int64_t other);

/// Scalars' clampIndex and wrapIndex for a size that may be symbolic; of none
/// at all the index is 0.
mlir::Value clampIndex(GraphBuilder &b, const Scalars &s, mlir::Value index,
                       int64_t size);
mlir::Value wrapIndex(GraphBuilder &b, const Scalars &s, mlir::Value index,
                      int64_t size);

/// Calls `body` for every position of `shape` in row-major order with the
/// tensor made so far, and takes its value as the next one.
using UpdateBody = llvm::function_ref<mlir::Value(
    const Scalars &, llvm::ArrayRef<mlir::Value> places, mlir::Value tensor)>;
Tensor updateInOrder(GraphBuilder &b, const Tensor &start,
                     llvm::ArrayRef<int64_t> shape, UpdateBody body);

/// Writes one element (i64 positions).
mlir::Value write(const Scalars &s, mlir::Value element, mlir::Value tensor,
                  llvm::ArrayRef<mlir::Value> places);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_INDEXING_H

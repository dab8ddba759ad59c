// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integers that say how large a result is: the shape of Reshape, the bounds of
// Slice, the k of TopK. Each is known while importing, maybe as a symbolic
// size, or is an element of a tensor that the program computes. Of the latter
// sizes are made by qd.data_size, one for each element however many nodes read
// it, so that what two of them make broadcasts.

#ifndef QDIALECT_LIB_TARGET_ONNX_COMPUTEDNUMBERS_H
#define QDIALECT_LIB_TARGET_ONNX_COMPUTEDNUMBERS_H

#include "GraphBuilder.h"
#include "Scalars.h"

namespace qdialect::onnx_import {

class Node;

struct Number {
  int64_t known = 0;              ///< a number or a handle, unless computed
  std::optional<Tensor> computed; ///< of rank 0 and int64

  Number() = default;
  Number(int64_t known) : known(known) {}
  explicit Number(const Tensor &computed) : computed(computed) {}
  bool isKnown() const { return !computed; }
};

/// Where element `place` of a tensor comes from, in row-major order, seen
/// through what only moves it: concatenations of rows, slices and reshapes.
std::pair<Tensor, int64_t> sourceOf(GraphBuilder &b, Tensor tensor,
                                    int64_t place);
/// That element of an integer tensor.
Number elementOf(GraphBuilder &b, Tensor tensor, int64_t place);

bool allKnown(llvm::ArrayRef<Number> numbers);
/// What allKnown numbers are.
Shape knownNumbers(llvm::ArrayRef<Number> numbers);

/// The elements of an input that must be a list of integers; an error where
/// they must be constants and are not: in loops and branches.
llvm::SmallVector<Number> numbersOperand(Node &n, size_t index,
                                         llvm::StringRef label);
/// The same as sizes, from 0 to `limit`: others are errors when the program
/// runs. Known ones are not checked.
Shape sizesOperand(Node &n, size_t index, llvm::StringRef label,
                   int64_t limit = SymbolicSizes::kUnbounded);

/// A computed number as a size, moved into its range from 0 to `limit`.
int64_t sizeOf(GraphBuilder &b, const Number &number, llvm::StringRef name,
               int64_t limit = SymbolicSizes::kUnbounded);

/// An int64 of rank 0 that is computed from numbers, at least one of which is
/// computed.
using NumberBody = llvm::function_ref<mlir::Value(const Scalars &,
                                                  llvm::ArrayRef<mlir::Value>)>;
Tensor combine(GraphBuilder &b, llvm::ArrayRef<Number> numbers,
               NumberBody body);
/// The number in a payload, as an int64.
mlir::Value numberIn(GraphBuilder &b, const Scalars &s, const Number &number);

/// What identifies a list of numbers, for sizes that are made once.
std::vector<int64_t> keyOf(llvm::StringRef kind,
                           llvm::ArrayRef<Number> numbers);

/// What a list of numbers says of one axis, by a list of axes (from the end if
/// negative); the last one counts.
Number numberOfAxis(GraphBuilder &b, llvm::ArrayRef<Number> axes,
                    llvm::ArrayRef<Number> numbers, int64_t axis, int64_t rank,
                    int64_t otherwise);
/// Known axes are checked here, computed ones when the program runs.
llvm::SmallVector<Number> axesOperand(Node &n, size_t index, int64_t rank);

/// Ends the program if the number, which is computed, is not 0.
void requireZero(Node &n, const Tensor &number, llvm::StringRef what);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_COMPUTEDNUMBERS_H

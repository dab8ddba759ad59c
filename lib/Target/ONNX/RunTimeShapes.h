// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of operands that must agree, of which only the run knows whether they
// do: those that the program computes, and those of inputs whose symbols differ
// (exporters name the batch of each input anew). They are compared when the
// program runs, which ends with an error that names the node and both numbers
// where they do not fit; what follows may take them to be equal.
//
// Where ONNX broadcasts, a size may also turn out to be 1:
//
//   x[s] + y[t]  ->  r = broadcast(s, t);  check s in {1, r}, t in {1, r}
//                    x'[i] = x[s == 1 ? 0 : i], i < r, and y' likewise
//
// A symbol of an input against a number, and two sizes of the same symbols, are
// not left to the run: the model is for other sizes (Node::requireBroadcast
// says which).

#ifndef QDIALECT_LIB_TARGET_ONNX_RUNTIMESHAPES_H
#define QDIALECT_LIB_TARGET_ONNX_RUNTIMESHAPES_H

#include "GraphBuilder.h"

namespace qdialect::onnx_import {

class Node;

/// Makes two sizes equal: true if they are, or if the program checks it. An
/// error when it runs begins with `what`, the size and the expected one follow.
bool requireSize(Node &n, int64_t size, int64_t expected, llvm::StringRef what);

/// The same for all dimensions: "dimension 2 of " + `what`.
bool requireShape(Node &n, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<int64_t> expected, llvm::StringRef what);

/// requireShape, and the tensor of the expected shape; nothing if it never has
/// it.
std::optional<Tensor> withShape(Node &n, const Tensor &tensor,
                                llvm::ArrayRef<int64_t> expected,
                                llvm::StringRef what);

/// What shapes broadcast to, now or when the program runs; nothing if they
/// never do. That their sizes fit is not checked yet.
std::optional<Shape> commonShape(Node &n, llvm::ArrayRef<Shape> shapes);

/// Checks that each size is 1 or that of `target` (from the last dimension on),
/// which a commonShape of the shape and others is.
void requireBroadcastTo(Node &n, llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<int64_t> target, llvm::StringRef what);

/// requireBroadcastTo, and the tensor with the sizes of `target` instead of
/// those that are not known to be 1.
Tensor fitted(Node &n, const Tensor &tensor, llvm::ArrayRef<int64_t> target,
              llvm::StringRef what);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_RUNTIMESHAPES_H

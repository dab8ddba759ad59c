// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What Loop and Scan build with: scf.for around an imported body.

#ifndef QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H
#define QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H

#include "GraphBuilder.h"
#include "Node.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Region.h"
#include <functional>
#include <vector>

namespace qdialect::onnx_import {

/// The results of a graph are those of the node.
mlir::LogicalResult giveAll(Node &n, llvm::ArrayRef<Tensor> results);

llvm::SmallVector<mlir::Value> valuesOf(GraphBuilder &b,
                                        llvm::ArrayRef<Tensor> tensors);

/// Imports a graph at the end of an empty block.
mlir::FailureOr<std::vector<Tensor>> importInto(Node &n, mlir::Block *block,
                                                llvm::StringRef attribute,
                                                llvm::ArrayRef<Tensor> inputs);

/// Ends a block with a yield of the tensors.
void yieldAt(GraphBuilder &b, mlir::Block *block,
             llvm::ArrayRef<Tensor> tensors);

/// Row number `counter` of a tensor, which leaves the loop one of the program
/// (Analysis/ProgramLoops.h).
Tensor tableRow(GraphBuilder &b, mlir::Value counter, const Tensor &table);

/// Bodies in bodies are imported again with each of those around them.
constexpr unsigned maxImports = 1 << 10;

/// A loop of `count` iterations (a size) whose body is the graph in `body`:
/// `inputs` makes the graph's inputs from the counter and the carried values;
/// results behind the carried ones are gathered along axis 0, last one first if
/// their flag says so. Where the body cannot be imported with a counter that is
/// a tensor, it is tried with one that is a size (the bounds of a slice).
struct CountedLoop {
  Node &n;
  int64_t count;
  llvm::SmallVector<Tensor> carried;
  std::function<std::vector<Tensor>(mlir::Value counter, llvm::ArrayRef<Tensor>,
                                    bool asSize)>
      inputs;
  /// Checks and drops results in front of the carried ones.
  std::function<mlir::LogicalResult(std::vector<Tensor> &)> check;
  llvm::ArrayRef<bool> backwards;

  /// Does the body see the counter?
  bool hasCounter = false;

  mlir::FailureOr<std::vector<Tensor>> build();

private:
  mlir::FailureOr<std::vector<Tensor>> importBody(mlir::Region &region,
                                                  bool asSize);
  mlir::FailureOr<std::vector<Tensor>>
  importBodyEitherWay(mlir::Region &region);
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H

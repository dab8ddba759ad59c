// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What Loop and Scan build with: scf.for around an imported body.

#ifndef QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H
#define QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H

#include "CarriedValues.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Region.h"
#include <functional>
#include <vector>

namespace qdialect::onnx_import {

/// The results of a graph are those of the node.
mlir::LogicalResult giveAll(Node &n, llvm::ArrayRef<Tensor> results);

/// Imports a graph at the end of a block. Its sizes may depend on data if those
/// around it may and `mayDependOnData`.
mlir::FailureOr<std::vector<Tensor>> importInto(Node &n, mlir::Block *block,
                                                llvm::StringRef attribute,
                                                llvm::ArrayRef<Tensor> inputs,
                                                bool mayDependOnData = true);

/// Names for the sizes of `count` values that a node gives.
std::vector<std::string> sizeNames(Node &n, size_t count);

/// An int64 and one more.
Tensor increment(GraphBuilder &b, const Tensor &number);

/// Row number `counter` of a tensor, which leaves the loop one of the program
/// (Analysis/ProgramLoops.h).
Tensor tableRow(GraphBuilder &b, mlir::Value counter, const Tensor &table);

/// Bodies in bodies are imported again with each of those around them.
constexpr unsigned maxImports = 1 << 10;

/// What the body of a loop begins with.
struct Iteration {
  mlir::Value counter;
  std::optional<Tensor> number; ///< the counter, of a loop that has one
  llvm::ArrayRef<Tensor> states;
};

/// A loop of `count` iterations (a size) whose body is the graph in `body`:
/// `inputs` makes the graph's inputs; results behind the carried ones are
/// gathered along axis 0, last one first if their flag says so. Where the body
/// cannot be imported with a counter that is a tensor, it is tried with one
/// that is a size (the bounds of a slice), and then with sizes that depend on
/// data.
struct CountedLoop {
  Node &n;
  int64_t count;
  llvm::SmallVector<Tensor> carried;
  std::function<std::vector<Tensor>(const Iteration &)> inputs;
  /// Checks and drops results in front of the carried ones.
  std::function<mlir::LogicalResult(std::vector<Tensor> &)> check;
  llvm::ArrayRef<bool> backwards;

  /// Does the body see the counter?
  bool hasCounter = false;

  mlir::FailureOr<std::vector<Tensor>> build();

private:
  enum class Way { AsTensor, AsSize, WithData };
  mlir::FailureOr<std::vector<Tensor>>
  importBody(mlir::Region &region, const CarriedValues &values, Way way);
  mlir::FailureOr<std::vector<Tensor>>
  importBodySomeWay(mlir::Region &region, const CarriedValues &values);
  mlir::FailureOr<std::vector<Tensor>> importWidening(mlir::Region &region,
                                                      CarriedValues &values);
  bool carriesNumber() const;
  /// The carried values, and the iteration's number where that is one.
  llvm::SmallVector<Tensor> starts() const;
};

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_COUNTEDLOOP_H

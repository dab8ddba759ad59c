// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What follows if a value takes factors in its channels: a graph of
// values-with-channels.
//
//   y = relu(x)        y needs x; x, read by it, needs y
//   z = x + y          z needs x and y
//   z = x * y          z needs one of x and y, and not both
//   softmax(x)         blocks x, and all that needs x
//
// What is blocked is blocked in every group, so that one pass over the graph
// finds it; what is left to search is the products (ChannelGroup.cpp).

#ifndef QDIALECT_ANALYSIS_CHANNELGRAPH_H
#define QDIALECT_ANALYSIS_CHANNELGRAPH_H

#include "QDialect/Analysis/ChannelGroup.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/QDDialect.h"

namespace qdialect {

/// The operands of an op that may share the factor of its result, and which
/// sets of them do.
struct FactorSharing {
  struct Operand {
    mlir::Value value;
    /// Its number in the graph.
    unsigned node;
  };
  llvm::SmallVector<Operand, 2> activations;
  llvm::SmallVector<ChannelConstant, 2> constants;
  /// One bit an operand. The result has the factor if exactly these have it.
  struct Way {
    unsigned activations, constants;
  };
  /// The fewest operands first.
  llvm::SmallVector<Way, 4> ways;
};

class ChannelGraph {
public:
  struct Node {
    mlir::Value value;
    ChannelDims channels;
    /// What joins a group with it, by number.
    llvm::SmallVector<unsigned, 4> needs;
    /// What makes it, if that is a choice.
    std::optional<FactorSharing> sharing;
    /// Constants that take part.
    llvm::SmallVector<ChannelConstant, 1> makers, addends, readers;
    /// Is in no group; `why` says what is in its way.
    bool blocked = false;
    std::string why;
    /// Whose needs or sharing name this node.
    llvm::SmallVector<unsigned, 4> dependents;
  };

  /// All that `value` leads to. It is number 0. `readersOnly`: without what
  /// makes it.
  ChannelGraph(mlir::Value value, const ChannelDims &channels,
               bool readersOnly);

  const Node &operator[](unsigned node) const { return nodes[node]; }

  /// May these operands of the node's maker join a group?
  bool areFree(const Node &node, unsigned activations) const;

private:
  unsigned nodeOf(mlir::Value value, const ChannelDims &channels);
  void block(unsigned node, llvm::StringRef why);
  void block(unsigned node, mlir::Operation *cause, llvm::StringRef reason);
  void need(unsigned node, mlir::Value value, const ChannelDims &channels);

  void expandMaker(unsigned node);
  void expandNorm(unsigned node, mlir::Operation *norm, mlir::OpOperand &gamma,
                  mlir::OpOperand *beta);
  void expandContraction(unsigned node, mlir::linalg::LinalgOp op,
                         const ContractionStructure &s);
  void expandElementwise(unsigned node, mlir::linalg::GenericOp op);
  void share(unsigned node, FactorSharing sharing);
  void expandReader(unsigned node, mlir::OpOperand &use);
  void expandReadingContraction(unsigned node, mlir::OpOperand &use,
                                const ContractionStructure &s);
  void spreadBlocks();

  std::vector<Node> nodes;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<unsigned, 1>> byValue;
};

/// Program order, in whatever regions the two are.
bool comesBefore(mlir::Operation *a, mlir::Operation *b);

} // namespace qdialect

#endif // QDIALECT_ANALYSIS_CHANNELGRAPH_H

// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What LSTM, GRU and RNN share. The input product of all steps is one matrix
// product in front of the loop; the loop over time (a program loop,
// Analysis/ProgramLoops.h) carries the states and the result:
//
//   xw = X W + b                                       (T, batch, gates * H)
//   for t: h, c = cell(xw[t], h, c); Y[t] = h          (batch, H), (T, batch,
//   H)
//
// from the initial states. A reversed direction walks the same rows from the
// end. Steps behind the length of a sequence keep its state. One step needs no
// loop.

#ifndef QDIALECT_LIB_TARGET_ONNX_RECURRENTCELL_H
#define QDIALECT_LIB_TARGET_ONNX_RECURRENTCELL_H

#include "GraphBuilder.h"
#include "Node.h"
#include "Scalars.h"
#include <functional>
#include <vector>

namespace qdialect::onnx_import {

/// One of the activation functions of recurrent operators.
struct CellActivation {
  std::string name;
  double alpha = 0, beta = 0;
  mlir::Value operator()(const Scalars &s, mlir::Value x) const;
};

/// The operands of one direction of a recurrent operator.
struct CellDirection {
  Tensor input;      ///< (T, batch, I)
  Tensor weights;    ///< (I, gates * H)
  Tensor recurrence; ///< (H, gates * H)
  /// The products with both.
  std::function<Tensor(const Tensor &)> inputProduct, recurrentProduct;
  Tensor inputBias;                     ///< (gates * H)
  Tensor recurrenceBias;                ///< (gates * H)
  std::optional<Tensor> lengths;        ///< (batch)
  llvm::SmallVector<Tensor, 2> initial; ///< one (batch, H) a state
  llvm::SmallVector<CellActivation, 3> activations;
  std::optional<double> clip;
  bool reverse = false;

  int64_t steps() const { return input.dim(0); }
  int64_t batch() const { return input.dim(1); }
  int64_t hidden() const { return recurrence.dim(0); }

  /// The argument of an activation, limited where the operator asks for it.
  mlir::Value clipped(const Scalars &s, mlir::Value x) const;
};

/// The next states, each (batch, H), from the row of the input product
/// (batch, gates * H) and the states.
using CellStep = llvm::function_ref<llvm::SmallVector<Tensor, 2>(
    const Tensor &inputRow, llvm::ArrayRef<Tensor> states)>;

/// The first state of all steps, (T, batch, H) in the order of time, and the
/// last ones of all states, (batch, H) each.
struct CellStates {
  Tensor all;
  llvm::SmallVector<Tensor, 2> last;
};
CellStates runCell(GraphBuilder &b, const CellDirection &direction,
                   const Tensor &inputBias, CellStep step);

/// x y; the product is called `label` of its node.
Tensor matrixProduct(GraphBuilder &b, const Tensor &x, const Tensor &y,
                     llvm::StringRef label);

/// How a node has W and R: as floats, one row a gate's unit, or as codes of 8
/// bits, one column a unit, with scales and zero points behind the operands
/// that all recurrent operators share. What codes multiply is quantized when
/// the program runs.
enum class CellWeights { Floats, Codes };

/// Reads a recurrent node: operands by the names and places that all three
/// operators share, `states` states, `gates` gates. Empty after an error.
std::vector<CellDirection>
bindRecurrent(Node &n, int64_t gates, size_t states,
              llvm::ArrayRef<llvm::StringRef> defaultActivations,
              CellWeights kind = CellWeights::Floats);

/// Gives Y, Y_h and for two states Y_c from the states of each direction.
mlir::LogicalResult finishRecurrent(Node &n,
                                    llvm::ArrayRef<CellDirection> directions,
                                    llvm::ArrayRef<CellStates> states);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_RECURRENTCELL_H

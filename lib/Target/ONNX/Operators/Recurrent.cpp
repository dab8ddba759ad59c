// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LSTM, GRU and RNN (RecurrentCell.h has the loop).

#include "Indexing.h"
#include "RecurrentCell.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

Tensor addTensors(GraphBuilder &b, const Tensor &x, const Tensor &y) {
  return b.elementwise({x, y}, x.elementType(),
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         return Scalars{nested, at}.add(v[0], v[1]);
                       });
}

/// Gate number `gate` of a (batch, gates * H) row.
Tensor gateOf(GraphBuilder &b, const Tensor &row, int64_t gate,
              int64_t hidden) {
  return b.sliceAxis(row, 1, gate * hidden, hidden);
}

using CellBody = llvm::function_ref<Value(const Scalars &, ValueRange)>;
Tensor combine(GraphBuilder &b, ArrayRef<Tensor> operands, CellBody body) {
  return b.elementwise(operands, operands.front().elementType(),
                       [&](OpBuilder &nested, Location at, ValueRange v) {
                         return body(Scalars{nested, at}, v);
                       });
}

LogicalResult importRNN(Node &n) {
  std::vector<CellDirection> directions = bindRecurrent(n, 1, 1, {"Tanh"});
  if (!n.ok())
    return failure();
  std::vector<CellStates> states;
  for (const CellDirection &d : directions)
    states.push_back(runCell(
        n.b, d, addTensors(n.b, d.inputBias, d.recurrenceBias),
        [&](const Tensor &row, ArrayRef<Tensor> state) {
          Tensor sum = addTensors(n.b, row, d.recurrentProduct(state[0]));
          return SmallVector<Tensor, 2>{
              combine(n.b, {sum}, [&](const Scalars &s, ValueRange v) {
                return d.activations[0](s, d.clipped(s, v[0]));
              })};
        }));
  return finishRecurrent(n, directions, states);
}

/// Gates in the order update, reset, hidden.
LogicalResult importGRU(Node &n) {
  std::vector<CellDirection> directions =
      bindRecurrent(n, 3, 1, {"Sigmoid", "Tanh"});
  bool linearFirst = n.getInt("linear_before_reset", 0) != 0;
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  std::vector<CellStates> states;
  for (const CellDirection &d : directions) {
    int64_t hidden = d.hidden();
    Tensor gateRecurrence = b.sliceAxis(d.recurrence, 1, 0, 2 * hidden);
    Tensor newRecurrence = b.sliceAxis(d.recurrence, 1, 2 * hidden, hidden);
    Tensor newBias = b.sliceAxis(d.recurrenceBias, 0, 2 * hidden, hidden);
    // With linear_before_reset the reset gate multiplies the recurrent bias of
    // the hidden gate too; else that is one more summand of the input product.
    Tensor gateBias = b.sliceAxis(d.recurrenceBias, 0, 0, 2 * hidden);
    Tensor early = b.concat(
        {gateBias, linearFirst
                       ? Tensor(b.filled({hidden}, gateBias.elementType(), 0))
                       : newBias},
        0);
    auto gate = [&](const Tensor &sum) {
      return combine(b, {sum}, [&](const Scalars &s, ValueRange v) {
        return d.activations[0](s, d.clipped(s, v[0]));
      });
    };
    states.push_back(runCell(
        b, d, addTensors(b, d.inputBias, early),
        [&](const Tensor &row, ArrayRef<Tensor> state) {
          const Tensor &h = state[0];
          Tensor gateRow = b.sliceAxis(row, 1, 0, 2 * hidden),
                 newRow = gateOf(b, row, 2, hidden);
          Tensor gates = gate(addTensors(
              b, gateRow, matrixProduct(b, h, gateRecurrence, "gates")));
          Tensor update = gateOf(b, gates, 0, hidden),
                 reset = gateOf(b, gates, 1, hidden);
          Tensor sum;
          if (linearFirst) {
            Tensor linear = matrixProduct(b, h, newRecurrence, "hidden");
            sum = combine(b, {newRow, reset, linear, newBias},
                          [&](const Scalars &s, ValueRange v) {
                            return s.add(v[0], s.mul(v[1], s.add(v[2], v[3])));
                          });
          } else {
            Tensor kept =
                combine(b, {reset, h}, [](const Scalars &s, ValueRange v) {
                  return s.mul(v[0], v[1]);
                });
            sum = addTensors(b, newRow,
                             matrixProduct(b, kept, newRecurrence, "hidden"));
          }
          return SmallVector<Tensor, 2>{
              combine(b, {sum, update, h}, [&](const Scalars &s, ValueRange v) {
                Value fresh = d.activations[1](s, d.clipped(s, v[0]));
                Value rest = s.sub(s.number(v[1], 1), v[1]);
                return s.add(s.mul(rest, fresh), s.mul(v[1], v[2]));
              })};
        }));
  }
  return finishRecurrent(n, directions, states);
}

/// Gates in the order input, output, forget, cell; states h and c.
LogicalResult importCells(Node &n, CellWeights kind) {
  std::vector<CellDirection> directions =
      bindRecurrent(n, 4, 2, {"Sigmoid", "Tanh", "Tanh"}, kind);
  bool coupled = n.getInt("input_forget", 0) != 0;
  if (!n.ok())
    return failure();
  GraphBuilder &b = n.b;
  auto count = static_cast<int64_t>(directions.size());
  std::optional<Tensor> peepholes = n.optionalInput(7);
  if (peepholes && peepholes->shape() !=
                       ArrayRef<int64_t>({count, 3 * directions[0].hidden()}))
    return n.emitError() << "input P " << describeType(peepholes->type)
                         << " does not have 3 * hidden_size elements a "
                            "direction";
  std::vector<CellStates> states;
  for (int64_t number = 0; number < count; ++number) {
    const CellDirection &d = directions[number];
    int64_t hidden = d.hidden();
    Type type = d.input.elementType();
    // Peepholes in the order input, output, forget.
    auto peephole = [&](int64_t gate) {
      if (!peepholes)
        return b.constant(type, {}, {0.0});
      Tensor row = b.sliceAxis(*peepholes, 0, number, 1);
      return b.reshape(b.sliceAxis(row, 1, gate * hidden, hidden), {hidden});
    };
    Tensor inputPeep = peephole(0), outputPeep = peephole(1),
           forgetPeep = peephole(2);
    auto gate = [&](const Scalars &s, Value sum, Value peep, Value cell) {
      Value seen = peepholes ? s.add(sum, s.mul(peep, cell)) : sum;
      return d.activations[0](s, d.clipped(s, seen));
    };
    states.push_back(runCell(
        b, d, addTensors(b, d.inputBias, d.recurrenceBias),
        [&](const Tensor &row, ArrayRef<Tensor> state) {
          Tensor gates = addTensors(b, row, d.recurrentProduct(state[0]));
          Tensor cell =
              combine(b,
                      {state[1], gateOf(b, gates, 0, hidden),
                       gateOf(b, gates, 2, hidden), gateOf(b, gates, 3, hidden),
                       inputPeep, forgetPeep},
                      [&](const Scalars &s, ValueRange v) {
                        Value in = gate(s, v[1], v[4], v[0]);
                        Value forget = coupled ? s.sub(s.number(in, 1), in)
                                               : gate(s, v[2], v[5], v[0]);
                        Value fresh = d.activations[1](s, d.clipped(s, v[3]));
                        return s.add(s.mul(forget, v[0]), s.mul(in, fresh));
                      });
          Tensor output =
              combine(b, {cell, gateOf(b, gates, 1, hidden), outputPeep},
                      [&](const Scalars &s, ValueRange v) {
                        Value out = gate(s, v[1], v[2], v[0]);
                        return s.mul(out, d.activations[2](s, v[0]));
                      });
          return SmallVector<Tensor, 2>{output, cell};
        }));
  }
  return finishRecurrent(n, directions, states);
}

LogicalResult importLSTM(Node &n) {
  return importCells(n, CellWeights::Floats);
}

LogicalResult importDynamicQuantizeLSTM(Node &n) {
  return importCells(n, CellWeights::Codes);
}

} // namespace

void registerRecurrentOps(OpRegistry &r) {
  r.onOp("RNN", 7, importRNN).symbolic();
  r.onOp("GRU", 7, importGRU).symbolic();
  r.onOp("LSTM", 7, importLSTM).symbolic();
  r.onOp(microsoftDomain, "DynamicQuantizeLSTM", 1, importDynamicQuantizeLSTM)
      .symbolic();
}

} // namespace qdialect::onnx_import
